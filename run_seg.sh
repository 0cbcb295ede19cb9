#!/usr/bin/env bash
# The ShapeNet-part table of the DEPLM paper. `bash run_seg.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm seg "$@"

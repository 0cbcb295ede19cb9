#!/usr/bin/env bash
# The Fashion-MNIST table of the DEPLM paper. `bash run_image.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm image "$@"

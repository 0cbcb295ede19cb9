#!/usr/bin/env bash
# The DVS128 Gesture table of the DEPLM paper. `bash run_dvs.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm dvs "$@"

#!/usr/bin/env bash
# The brain-visual zero-shot table of the LSM paper. `bash lsm/run_brain_visual.sh --help` lists
# rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm brain_visual "$@"

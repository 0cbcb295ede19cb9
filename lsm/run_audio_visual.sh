#!/usr/bin/env bash
# The audio-visual zero-shot table of the LSM paper. `bash lsm/run_audio_visual.sh --help` lists
# rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm audio_visual "$@"

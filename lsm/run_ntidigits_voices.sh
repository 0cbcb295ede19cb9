#!/usr/bin/env bash
# N-TIDIGITS with every voice left out in turn. `bash lsm/run_ntidigits_voices.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm ntidigits_voices "$@"

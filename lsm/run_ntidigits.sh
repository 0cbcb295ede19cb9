#!/usr/bin/env bash
# The N-TIDIGITS table of the LSM paper. `bash lsm/run_ntidigits.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm ntidigits "$@"

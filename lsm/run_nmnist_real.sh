#!/usr/bin/env bash
# The real N-MNIST recordings at hand, and the simulated camera beside them.
# `bash lsm/run_nmnist_real.sh --help` lists rows and constants.
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
exec "$PYTHON" -m harness.launch harness.run.rrm nmnist_real "$@"

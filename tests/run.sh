#!/usr/bin/env bash
# All tests but the slow ones, a process a core. `bash tests/run.sh -m slow` runs those; other
# options go to pytest.
EXTRAS="[test]"
source "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # of each process
cd "$root" && exec "$PYTHON" -m pytest --numprocesses auto --dist loadfile "$@"

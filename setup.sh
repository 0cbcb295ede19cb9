# Sourced by the scripts of this package: leaves a Python in which it is installed as $PYTHON.
# Inside an active environment that one is used; else .venv is made beside this file.
# shellcheck shell=bash
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
extras="${EXTRAS:-}" # "[test]" for the tests

fail() {
    echo "error: $*" >&2
    exit 2
}

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "no Python 3.11 or later found: install one, or name it: PYTHON=/path/to/python bash $0"
}

if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    PYTHON="$(command -v python)"
    stamp="$("$PYTHON" -c 'import sys; print(sys.prefix)')/random-resistive-memory.stamp"
else
    stamp="$root/.venv/random-resistive-memory.stamp"
    # Without a stamp and a pip that works, a first set-up was interrupted: it is made over.
    if [ ! -x "$root/.venv/bin/python" ] ||
        { [ ! -f "$stamp" ] && ! "$root/.venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
        PYTHON="$(find_python)"
        echo "making a virtual environment in .venv ($("$PYTHON" --version))"
        "$PYTHON" -m venv "$root/.venv" ||
            { rm -rf "$root/.venv" && fail "no virtual environment: on Debian and Ubuntu, apt install python3-venv"; }
    fi
    PYTHON="$root/.venv/bin/python"
fi

wanted="$root $extras $(cksum <"$root/pyproject.toml")"
if ! grep -qxF "$wanted" "$stamp" 2>/dev/null; then
    echo "installing the package and what it needs (about 300 MB, one to five minutes)"
    before=$SECONDS
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --editable "$root$extras" ||
        fail "installation failed: the lines above say why; a network is needed once"
    echo "$wanted" >>"$stamp"
    echo "installed in $((SECONDS - before)) s"
fi
# The code of this checkout runs, whatever other one shares the environment or lies in the working
# directory.
export PYTHON PYTHONSAFEPATH=1 PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

#!/usr/bin/env bash
# What imperfections of the chip do, and what a network costs on it. `bash run_chip.sh --help`;
# `--tables image nmnist` and the like pick tables, `--costs` counts instead of studying.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
deplm="image dvs seg"
lsm="nmnist audio_visual brain_visual"
arguments=() wanted=()
while [ $# -gt 0 ]; do
    if [ "$1" = --tables ]; then
        shift
        while [ $# -gt 0 ] && [[ "$1" != --* ]]; do wanted+=("$1") && shift; done
        [ ${#wanted[@]} -gt 0 ] || fail "--tables: name some of $deplm $lsm"
    else
        arguments+=("$1") && shift
    fi
done
of() { # those of the tables $1 that are wanted
    local name
    for name in "${wanted[@]}"; do [[ " $1 " == *" $name "* ]] && echo "$name"; done
    return 0
}
for name in "${wanted[@]}"; do
    [[ " $deplm $lsm " == *" $name "* ]] || fail "--tables $name: known are $deplm $lsm"
done
for package in deplm lsm; do
    mapfile -t tables < <(of "${!package}")
    if [ ${#wanted[@]} -gt 0 ] && [ ${#tables[@]} -eq 0 ]; then continue; fi
    "$PYTHON" -m "$package.tables.chip" "${arguments[@]}" ${tables[0]:+--tables "${tables[@]}"}
done

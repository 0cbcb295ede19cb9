#!/usr/bin/env bash
# All tables and the studies of the chip, in order; then one page of it all: results/report.html.
#
#   bash reproduce.sh [--smoke] [--whole] [--again] [--data DIR] [--results DIR] [--seeds N] [--device NAME]
#
# Default rows, 5 chips; of the brain-visual table, whose projections train for hours, the 1 chip
# and the constants that README's figures have, unless --whole asks for its own.
# What the results folder has for the same constants, chips, data and code is not measured again,
# unless --again says so. After a failure it goes on with what comes next; then the last line names
# what failed, and the exit status is 2.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

scripts=(
    run_image.sh           # real data; then simulated sensors, then synthetic data
    lsm/run_nmnist_real.sh # only where there are real recordings
    lsm/run_nmnist.sh
    lsm/run_ntidigits.sh
    lsm/run_ntidigits_voices.sh
    lsm/run_audio_visual.sh
    run_dvs.sh
    run_seg.sh
    lsm/run_brain_visual.sh
    run_chip.sh # on the CPU
)
results="" smoke="" whole="" again="" device=() options=()
while [ $# -gt 0 ]; do
    case "$1" in
    --smoke) smoke=yes options+=("$1") ;;
    --whole) whole=yes ;;
    --again) again=yes ;;
    --data | --results | --seeds | --device)
        [ $# -ge 2 ] || fail "$1: a value is missing"
        [ "$1" = --results ] && results="$2"
        if [ "$1" = --device ]; then device=("$1" "$2"); else options+=("$1" "$2"); fi
        shift
        ;;
    *) fail "$1: not an option of reproduce.sh; it has --smoke, --whole, --again, --data, --results, --seeds, --device" ;;
    esac
    shift
done
results="${results:-$root/results${smoke:+/smoke}}"
[ -n "$again" ] || options+=(--missing)

failed=()
run() { # a script with its options: 3 says that it needs real data, 130 is Ctrl-C
    local status=0
    printf '\n== %s\n' "$1"
    bash "$root/$1" "${@:2}" || status=$?
    case $status in
    0) ;;
    3) echo "left out: no real data" ;;
    130) exit 130 ;;
    *) failed+=("$1 (exit $status)") ;;
    esac
}

for script in "${scripts[@]}"; do
    case "$script" in
    run_chip.sh)
        run "$script" "${options[@]}"
        run "$script" "${options[@]}" --costs
        ;;
    lsm/run_brain_visual.sh)
        short=(--seeds 1 --set selection_splits=1 enlarge_train=2)
        [ -z "$smoke$whole" ] || short=()
        run "$script" "${short[@]}" "${options[@]}" "${device[@]}"
        ;;
    *) run "$script" "${options[@]}" "${device[@]}" ;;
    esac
done
printf '\n== the page of all results\n'
"$PYTHON" -m harness.report.html "$results" || failed+=(harness.report.html)
echo "took     $SECONDS s in all"
if [ ${#failed[@]} -gt 0 ]; then
    echo "error: failed: ${failed[*]}; what they print above says why. Run again to go on" >&2
    exit 2
fi

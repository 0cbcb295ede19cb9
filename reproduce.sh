#!/usr/bin/env bash
# All tables in order, then one page with all of them: results/report.html.
#
#   bash reproduce.sh [--smoke] [--again] [--data DIR] [--results DIR] [--seeds N] [--device NAME]
#
# A row that the results folder has for the same constants, chips, data and code is not measured
# again, unless --again says so. After a table that failed the next one runs all the same; then
# the last line names it, and the exit status is 2.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

scripts=(
    run_image.sh lsm/run_nmnist_real.sh                       # real data
    lsm/run_nmnist.sh lsm/run_ntidigits.sh lsm/run_audio_visual.sh # simulated sensors, without the real sets
    run_dvs.sh run_seg.sh lsm/run_brain_visual.sh             # synthetic, without the real sets
)
results="" smoke="" again="" options=()
while [ $# -gt 0 ]; do
    case "$1" in
    --smoke) smoke=yes options+=("$1") ;;
    --again) again=yes ;;
    --data | --results | --seeds | --device)
        [ $# -ge 2 ] || fail "$1: a value is missing"
        options+=("$1" "$2")
        [ "$1" = --results ] && results="$2"
        shift
        ;;
    *) fail "$1: not an option of reproduce.sh; it has --smoke, --again, --data, --results, --seeds, --device" ;;
    esac
    shift
done
results="${results:-$root/results${smoke:+/smoke}}"
[ -n "$again" ] || options+=(--missing)

failed=() started=$SECONDS
for script in "${scripts[@]}"; do
    printf '\n== %s\n' "$script"
    status=0
    bash "$root/$script" "${options[@]}" || status=$?
    [ "$status" = 130 ] && exit 130 # Ctrl-C ends it all
    [ "$status" = 0 ] || failed+=("$script (exit $status)")
done
printf '\n== the page of all results\n'
"$PYTHON" -m harness.report_html "$results" || failed+=(harness.report_html)
echo "took     $((SECONDS - started)) s in all"
if [ ${#failed[@]} -gt 0 ]; then
    echo "error: failed: ${failed[*]}; what they print above says why. Run again to go on" >&2
    exit 2
fi

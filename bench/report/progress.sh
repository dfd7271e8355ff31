# shellcheck shell=bash
# Sourced by bench/run after .ci/progress.sh. How far it is, on stderr: on a terminal as `show` does, elsewhere a line at
# every tenth.
#
#   start_count TOTAL      there are so many cases
#   count TEXT             one more is done; shows TEXT, and the time left at the rate of those done so far

start_count() {
  total=$1 counted=0 tenth=0
  SECONDS=0
}

count() {
  local left
  counted=$((counted + 1))
  left=$((counted < total ? SECONDS * (total - counted) / counted : 0))
  left=$(printf '%d:%02d min left' $((left / 60)) $((left % 60)))
  show "case $counted of $total, $left: $1"
  if [[ ! -t 2 ]] && ((10 * counted / total > tenth)); then
    tenth=$((10 * counted / total))
    echo "Quanta: $((10 * tenth)) % measured, $left" >&2
  fi
}

# shellcheck shell=bash
# Sourced by the commands that someone may be waiting for. Defines two functions:
#
#   show TEXT                    on a terminal (stderr) one line that is written over and over, gone with an empty TEXT;
#                                elsewhere nothing
#   follow WHAT LOG COMMAND...   adds what the command prints to LOG, and returns its status; while it runs, shows WHAT,
#                                the seconds so far and the last line printed

show() { if [[ -t 2 ]]; then printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "${1//[$'\r\t\033']/ }" >&2; fi; }

follow() {
  local what=$1 log=$2 line='' held='' last='' status=0 began=$SECONDS
  shift 2
  if [[ ! -t 2 ]]; then
    "$@" >>"$log" 2>&1 </dev/null
    return
  fi
  show "$what"
  while :; do
    status=0
    IFS= read -r -t 1 line || status=$?
    held+=$line
    if ((status <= 128)); then  # a line, or the end; not a second without
      [[ -z $held ]] || { printf '%s\n' "$held" >>"$log" && last=$held; }
      held=''
      ((status == 0)) || break
    fi
    show "$what, $((SECONDS - began)) s: $last"
  done < <("$@" 2>&1 </dev/null)
  status=0
  wait $! || status=$?
  show ''
  return "$status"
}

# shellcheck shell=bash
# Sourced by the commands that build something and run it, at the top of the repository. Picks a generator for CMake, and
# defines two functions:
#
#   native_flag COMPILER       prints the flag for "this very CPU"; nothing, with a message, where there is none
#   quiet LOG COMMAND...       what the command prints goes to LOG; when it fails, prints that and ends the script

if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi  # a bare machine has no make

native_flag() {
  local flag
  for flag in -march=native -mcpu=native; do
    [[ $flag == -march=native && $(uname -m) =~ ^(aarch64|arm64)$ ]] && continue  # there it picks a base, not the CPU
    if "$1" "$flag" -x c++ -fsyntax-only /dev/null >/dev/null 2>&1; then
      echo "$flag"
      return
    fi
  done
  # A compiler that knows none, or not this CPU, builds portable code.
  echo "Quanta: $1 knows no flag for this CPU; building portable code" >&2
}

quiet() {
  local log=$1
  shift
  "$@" >>"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    echo "Quanta: this failed: $*" >&2
    exit 1
  }
}

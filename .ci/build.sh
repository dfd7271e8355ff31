# shellcheck shell=bash
# Sourced by the commands that build something and run it, at the top of the repository. Defines four functions:
#
#   pick_generator             for CMake; to be called when packages are installed
#   forget_other_build DIRECTORY SOURCE [COMPILER]
#                              removes what CMake knows of a build of another place, or by another compiler: it would not
#                              go on, or forget the options it was given
#   native_flag COMPILER       prints the flag for "this very CPU"; nothing, with a message, where there is none
#   quiet WHAT LOG COMMAND...  runs it as `follow` does (progress.sh); when it fails, prints LOG and ends the script
source "$(dirname "${BASH_SOURCE[0]}")/progress.sh"

pick_generator() {
  if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi  # a bare machine has no make
}

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

forget_other_build() {
  local cache=$1/CMakeCache.txt
  cached() { sed -n "s/^$1:[^=]*=//p" "$cache"; }
  [[ -e $cache ]] || return 0
  if [[ $(cached CMAKE_HOME_DIRECTORY) == "$(cd "$2" && pwd -P)" ]] &&
    [[ -z ${3-} || $(cached CMAKE_CXX_COMPILER) == "$(command -v "$3")" ]]; then
    return 0
  fi
  rm -rf "$cache" "$1/CMakeFiles"
}

quiet() {
  follow "$@" || {
    cat "$2" >&2
    echo "Quanta: this failed: ${*:3}" >&2
    exit 1
  }
}

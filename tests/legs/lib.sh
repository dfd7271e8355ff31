# shellcheck shell=bash disable=SC2034
# Sourced by every leg, whose first argument is a directory of its own. A leg keeps quiet when it passes: what it runs
# writes to DIR/log, which is printed when a command fails. It ends with status 0, 1, or 77 for "skipped".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$1
shift
mkdir -p "$dir"
: >"$dir/log"
unset CXX CXXFLAGS CPPFLAGS LDFLAGS DESTDIR CMAKE_GENERATOR  # a leg is compiled as it says and in no other way
if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
# -march=native has another name on Arm, the one both compilers know there.
case $(uname -m) in
  x86_64) native=-march=native baseline=-march=x86-64 ;;
  *) native=-mcpu=native baseline=-march=armv8-a ;;
esac
# Where the headers are. Apart from other flags, because a path may hold spaces.
includes=(-I"$root/include" -isystem "${QUANTA_EIGEN_INCLUDE:-/usr/include/eigen3}")
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef'

# One line for the reader of tests/run; the last one counts.
note() { printf '%s\n' "$*" >>"$dir/note"; }

skip() {
  note "skipped: $*"
  echo "skipped: $*"
  exit 77
}

# What the last command wrote is what failed.
fail() {
  sed -n 'H; /^\$ /h; ${ x; p; }' "$dir/log"
  echo "failed: $*"
  exit 1
}

quiet() {
  local status=0
  printf '\n$ %s\n' "$*" >>"$dir/log"
  "$@" >>"$dir/log" 2>&1 </dev/null || status=$?
  ((status != 77)) || skip "$(grep '^skipped: ' "$dir/log" | tail -n 1 | sed 's/^skipped: //')"
  ((status == 0)) || fail "status $status from: $*"
}

# A tool that CMake looked for: skip where it found none.
require_tool() { [[ -n $1 && $1 != *-NOTFOUND ]] || skip "there is no $2 here"; }

# Those of the given CPU features, by their names in /proc/cpuinfo, that this CPU lacks.
lacking() {
  local feature
  for feature in "$@"; do
    grep -qw -- "$feature" /proc/cpuinfo || printf ' %s' "$feature"
  done
}

# is_known COMPILER: has the tree been read with the warnings of this version? (tests/CMakeLists.txt draws the same line.)
is_known() {
  if "$1" --version | grep -q clang; then
    (($("$1" -dumpversion | cut -d. -f1) <= 14))
  else
    (($("$1" -dumpversion | cut -d. -f1) <= 12))
  fi
}

# strict COMPILER FLAGS: the flags, and all warnings, as errors where the tree has been read with this version's.
strict() {
  local flags="$2 $warnings"
  if is_known "$1"; then flags+=' -Werror'; fi
  # As in tests/CMakeLists.txt.
  # shellcheck disable=SC2086
  if ! "$1" --version | grep -q clang && [[ $("$1" $2 -dM -E -x c++ /dev/null) == *__AVX512F__* ]]; then
    flags+=' -Wno-uninitialized -Wno-maybe-uninitialized -Wno-array-bounds'
  fi
  printf '%s' "$flags"
}

# configure SOURCE BUILD COMPILER FLAGS [arguments for CMake...]
configure() {
  local source=$1 build=$2 compiler=$3 flags=$4
  shift 4
  # "None": the flags of the leg, with no build type's own -O and -DNDEBUG among them, so that assertions are on.
  quiet cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" "$@"
}

# build DIRECTORY [targets...]: one process, since the legs themselves run side by side.
build() {
  local build=$1
  shift
  quiet cmake --build "$build" --parallel "${QUANTA_LEG_JOBS:-1}" ${1:+--target "$@"}
}

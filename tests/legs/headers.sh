#!/usr/bin/env bash
# Headers compile alone, and twice over, with all warnings as errors; the umbrella also for every instruction set.
#   headers.sh DIR WHICH COMPILER [CROSS_COMPILER]      WHICH: "all", or the "umbrellas"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
which=$1 compiler=$2 cross=${3-}
require_tool "$compiler" 'such compiler'
common="-std=c++20 -fsyntax-only -x c++ $warnings"

# compile COMPILER FLAGS HEADER...
compile() {
  local compiler=$1 flags="$2 $common" header
  shift 2
  if is_known "$compiler"; then flags+=' -Werror'; fi
  for header in "$@"; do
    printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$dir/one.cpp"
    # shellcheck disable=SC2086
    quiet "$compiler" "${first[@]}" $flags "${includes[@]}" "$dir/one.cpp"
  done
}

cd "$root/include"
mapfile -t headers < <(find quanta -name '*.hpp' | sort)
((${#headers[@]} > 0)) || fail 'no headers found'
if ! [[ -e /usr/include/nlohmann/json.hpp || -n ${QUANTA_SKIP_PACKAGES-} ]]; then
  mapfile -t headers < <(printf '%s\n' "${headers[@]}" | grep -v '^quanta/io')
fi
umbrella=quanta/quanta.hpp
# All other headers are parts of those directly in quanta/.
[[ $which == all ]] || mapfile -t headers < <(printf '%s\n' "${headers[@]}" | grep -E '^quanta/[a-z]+[.]')
# Every header, but for those of integer/, includes Eigen's core before anything else, by config.hpp: that much is
# compiled once for all of them.
echo '#include <Eigen/Core>' >"$dir/eigen.hpp"
# shellcheck disable=SC2086
[[ $which != all ]] || quiet "$compiler" -O1 $native ${common/-fsyntax-only -x c++/-x c++-header} "${includes[@]}" "$dir/eigen.hpp" -o "$dir/eigen.hpp.gch"
first=(-include "$dir/eigen.hpp")
compile "$compiler" "-O1 $native" "${headers[@]}"
first=()
compile "$compiler" "$baseline" "$umbrella"
compile "$compiler" -DQUANTA_FORCE_SCALAR "$umbrella"
compile "$compiler" -fno-exceptions "$umbrella"
if [[ $(uname -m) == x86_64 ]]; then
  for isa in -mavx2 '-mavx2 -mfma' '-mavx2 -mfma -mavxvnni' -march=x86-64-v4 '-march=x86-64-v4 -mavx512vnni'; do
    compile "$compiler" "$isa" "$umbrella"
  done
  # AVX-VNNI-INT8 is newer than the compilers that everything else is checked with: any that knows it will do.
  for newer in "$compiler" g++-{13..16} clang++-{16..22}; do
    if "$newer" -mavxvnniint8 -E -x c++ /dev/null >/dev/null 2>&1; then
      compile "$newer" '-mavx2 -mfma -mavxvnniint8' "$umbrella"
      break
    fi
  done
fi
if [[ -n $cross && $cross != *-NOTFOUND ]]; then
  for isa in -march=armv8-a -march=armv8.2-a+dotprod -march=armv8.6-a; do
    compile "$cross" "$isa" "$umbrella"
  done
fi
# 32-bit Arm runs the portable code, and must compile.
if command -v arm-linux-gnueabihf-g++ >/dev/null; then compile arm-linux-gnueabihf-g++ -mfpu=neon "$umbrella"; fi
note "${#headers[@]} headers"

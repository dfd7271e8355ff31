#!/usr/bin/env bash
# Emits networks that were saved and loaded as headers, and compiles and runs these with nothing else: with several
# instruction sets and compilers, without exceptions, RTTI and the heap, and on codes also without floating point registers.
#   emitted.sh DIR COMPILER OTHER_COMPILER CROSS_COMPILER EMULATOR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ -e /usr/include/nlohmann/json.hpp || -n ${QUANTA_SKIP_PACKAGES-} ]] || skip 'there is no nlohmann-json here'
compiler=$1 other=$2 cross=${3-} emulator=${4-}
require_tool "$compiler" 'such compiler'
sources=$root/tests/legs/emitted

quiet "$compiler" -std=c++20 -O1 "${includes[@]}" \
  "$sources/generate.cpp" -o "$dir/generate"
quiet "$dir/generate" "$dir"

counted=-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# check COMPILER FLAGS [runner...]; the runner "none": compiles alone
count=0 unrun=
check() {
  local compiler=$1 runner=("${@:3}") flags how
  flags=$(strict "$compiler" "$2 -std=c++17 -fno-exceptions -fno-rtti")
  for how in '' '-mgeneral-regs-only -DQUANTA_NO_FLOAT'; do
    # shellcheck disable=SC2086
    quiet "$compiler" $flags $how -I"$dir" -c "$sources/codes.cpp" -o "$dir/codes.o"
    # shellcheck disable=SC2086
    quiet "$compiler" $flags -I"$dir" -c "$sources/floats.cpp" -o "$dir/floats.o"
    needs=$(nm -u "$dir/codes.o" "$dir/floats.o" | sed -n 's/^ *U //p' | grep -vE '^(mem(cpy|set|move|cmp)|bcmp|_GLOBAL_OFFSET_TABLE_)$' || true)
    [[ -z $needs ]] || fail "an emitted network needs $needs: it stands alone, and takes nothing from the heap"
    if [[ ${runner[*]} == none ]]; then
      unrun="; $2 compiled, not run: this CPU lacks it"
      count=$((count + 1))
      return
    fi
    # shellcheck disable=SC2086
    quiet "$compiler" $flags $counted "$sources/run.cpp" "$dir/codes.o" "$dir/floats.o" -o "$dir/run"
    quiet "${runner[@]}" "$dir/run"
  done
  count=$((count + 2))
}

for builder in "$compiler" "$other"; do
  [[ $builder != *-NOTFOUND ]] || continue
  check "$builder" "-O0 $baseline"
  check "$builder" "-O3 $native"
  if grep -qw avx2 /proc/cpuinfo; then check "$builder" '-O2 -mavx2'; fi
  if grep -qw avx_vnni /proc/cpuinfo; then
    check "$builder" '-O2 -mavx2 -mavxvnni'
  elif [[ $(uname -m) == x86_64 ]]; then
    check "$builder" '-O2 -mavx2 -mavxvnni' none
  fi
done
if [[ -n $cross && $cross != *-NOTFOUND && $emulator != *-NOTFOUND ]]; then
  check "$cross" '-O2 -static -march=armv8-a' "$emulator" -cpu cortex-a72
  check "$cross" '-O2 -static -march=armv8.2-a+dotprod' "$emulator" -cpu max
fi

# Where floats would not give the library's bits the header says so; codes alone are the same everywhere.
changing=(-ffast-math -ffinite-math-only)
if ! "$compiler" --version | grep -q clang; then  # clang has no macros for these
  changing+=(-freciprocal-math)
  [[ $(uname -m) != x86_64 ]] || changing+=(-mfpmath=387)
fi
for flag in "${changing[@]}"; do
  alone=("$compiler" -std=c++17 "$flag" -fsyntax-only -x c++ "$dir/deep.hpp")
  quiet "${alone[@]}" -DQUANTA_NO_FLOAT
  if "${alone[@]}" >"$dir/refused" 2>&1; then fail "an emitted header compiles with $flag, which changes what floats give"; fi
  grep -q 'or define QUANTA_NO_FLOAT' "$dir/refused" || fail "an emitted header does not say what is wrong with $flag"
done
if "$compiler" -std=c++14 -fsyntax-only -x c++ "$dir/deep.hpp" >"$dir/refused" 2>&1; then fail 'an emitted header compiles as C++14'; fi
grep -q 'this header needs C++17' "$dir/refused" || fail 'an emitted header does not say that it needs C++17'
note "$count builds$unrun"

#!/usr/bin/env bash
# What must not compile does not, and the compiler's first error is the library's own sentence.
#   refused.sh DIR COMPILER...
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
programs=$root/tests/legs/refused/programs.cpp
mapfile -t expected < <(sed -nE 's/^#elif CASE == [0-9]+ +\/\/ expect: //p' "$programs")
((${#expected[@]} > 0)) || fail 'no programs found'

compilers=0
for compiler in "$@"; do
  [[ -n $compiler && $compiler != *-NOTFOUND ]] || continue
  compilers=$((compilers + 1))
  # The headers are compiled once for all of them.
  grep '^#include' "$programs" >"$dir/headers.hpp"
  quiet "$compiler" -std=c++20 -x c++-header "${includes[@]}" "$dir/headers.hpp" -o "$dir/headers.hpp.gch"
  command=("$compiler" -std=c++20 -fsyntax-only -include "$dir/headers.hpp" "${includes[@]}" "$programs")
  quiet "${command[@]}" -DCASE=0
  for ((i = 1; i <= ${#expected[@]}; ++i)); do
    printf '\n$ %s -DCASE=%s\n' "${command[*]}" "$i" >>"$dir/log"
    ! "${command[@]}" -DCASE="$i" >"$dir/said" 2>&1 || fail "CASE $i of $programs compiles"
    cat "$dir/said" >>"$dir/log"
    grep -m 1 'error:' "$dir/said" | grep -qF -- "${expected[i - 1]}" || fail "CASE $i: the first error does not say: ${expected[i - 1]}"
  done
done
((compilers > 0)) || skip 'there is no compiler'
note "${#expected[@]} programs, by $compilers compilers"

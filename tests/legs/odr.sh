#!/usr/bin/env bash
# Units compiled with different flags live in one program, each with its own code (the ABI namespace).
#   odr.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'
sources=$root/tests/legs/odr

# At -O0 nothing is inlined: every function of a header is one symbol that the linker merges, the worst case.
for level in -O0 -O2; do
  unit() {
    local name=$1
    shift
    # shellcheck disable=SC2046
    quiet "$compiler" $(strict "$compiler" "-std=c++20 $level $*") "${includes[@]}" \
      -c "$sources/$name.cpp" -o "$dir/$name$level.o"
    objects+=("$dir/$name$level.o")
  }
  objects=()
  unit baseline "$baseline"
  unit native "$native"
  unit no_exceptions "$baseline" -fno-exceptions
  unit main "$baseline"
  # The linker keeps the first copy of a symbol it meets: every order must give the same numbers.
  quiet "$compiler" "${objects[0]}" "${objects[1]}" "${objects[2]}" "${objects[3]}" -o "$dir/forward$level"
  quiet "$compiler" "${objects[3]}" "${objects[2]}" "${objects[1]}" "${objects[0]}" -o "$dir/backward$level"
  quiet "$compiler" "${objects[1]}" "${objects[2]}" "${objects[0]}" "${objects[3]}" -o "$dir/native_first$level"
  quiet "$dir/forward$level"
  quiet "$dir/backward$level"
  quiet "$dir/native_first$level"
done
note "$(tail -n 1 "$dir/log")"

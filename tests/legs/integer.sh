#!/usr/bin/env bash
# A network of integers runs in a unit compiled without floating point registers, beside units that have them.
#   integer.sh DIR COMPILER [EMULATOR]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 emulator=${2-}
require_tool "$compiler" 'such compiler'
[[ $# == 1 ]] || require_tool "$emulator" 'emulator'
sources=$root/tests/legs/integer
common=$(strict "$compiler" '-std=c++20 -static')

# At -O0 nothing is inlined, and the linker would merge what both units have: they must have nothing in common.
# shellcheck disable=SC2086
quiet "$compiler" $common "${includes[@]}" -O1 -c "$sources/main.cpp" -o "$dir/main.o"
for level in -O0 -O2; do
  # shellcheck disable=SC2086
  quiet "$compiler" $common "${includes[@]}" -ffreestanding -mgeneral-regs-only $level -c "$sources/firmware.cpp" -o "$dir/firmware$level.o"
  # shellcheck disable=SC2086
  quiet "$compiler" $common "$dir/main.o" "$dir/firmware$level.o" -o "$dir/program$level"
  # shellcheck disable=SC2086
  quiet $emulator "$dir/program$level"
done
note "$(tail -n 1 "$dir/log")"

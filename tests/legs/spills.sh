#!/usr/bin/env bash
# The inner loops of the micro-kernels keep their sums in registers: for every height of tile, no vector goes to the
# stack or comes from there in the innermost loop that multiplies. Needs none of the instructions it looks at.
#   spills.sh DIR COMPILER... [CROSS_COMPILER for arm64]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >"$dir/kernel.cpp" <<'END'
#include <tuple>
#include <utility>

#include <quanta/gemm/kernels/native.hpp>

using Kernel = quanta::Int8Kernel<quanta::arch::KERNEL>;

template <int rows>
void run(const quanta::LhsTile<Kernel::Lhs>& lhs, const Kernel::Rhs* panel, quanta::Index blocks,
         const quanta::SumTile& tile, bool accumulate) {
  Kernel::run<rows>(lhs, panel, blocks, tile, accumulate);
}

template <int... less>
auto of_all_heights(std::integer_sequence<int, less...>) {
  return std::tuple{&run<less + 1>...};
}
auto kernels = of_all_heights(std::make_integer_sequence<int, Kernel::kMr>{});
END

# Of each function, its innermost loop with the most multiplications: prints "FUNCTION STACK_ACCESSES".
cat >"$dir/loops.awk" <<'END'
function close_function(  first, last, line, count, most, spills, shown) {
  most = 0
  for (last = 1; last <= lines; ++last) {
    if (!(target[last] in label) || label[target[last]] > last) continue
    count = spills = 0
    for (line = label[target[last]]; line <= last; ++line) {
      if (text[line] ~ multiplication) ++count
      if (text[line] ~ vector && text[line] ~ stack) ++spills
    }
    if (count > most) { most = count; shown = spills }
  }
  if (most > 0) print name, shown
  lines = 0
  delete label; delete target; delete text
}
/^[_A-Za-z].*:/ { close_function(); name = $1; next }
/^[.]L[^ ]*:/ { sub(/:.*/, "", $1); label[$1] = lines + 1; next }
/^[ \t]+[a-z{]/ { ++lines; text[lines] = $0; target[lines] = $NF }
END { close_function() }
END

# check COMPILER KERNEL FLAGS MULTIPLICATION VECTOR STACK, the last three as awk's patterns
kernels=0
check() {
  local compiler=$1 kernel=$2 flags="$3"
  # shellcheck disable=SC2086
  quiet "$compiler" -std=c++20 -O2 $flags -DKERNEL="$kernel" "${includes[@]}" -S "$dir/kernel.cpp" -o "$dir/kernel.s"
  awk -v multiplication="$4" -v vector="$5" -v stack="$6" -f "$dir/loops.awk" "$dir/kernel.s" >"$dir/loops"
  [[ -s $dir/loops ]] || fail "$kernel by $compiler: no loop found that multiplies"
  awk '$2 > 0' "$dir/loops" >"$dir/spilled"
  if [[ -s $dir/spilled ]]; then
    cat "$dir/spilled"
    fail "$kernel by $compiler: sums leave their registers"
  fi
  kernels=$((kernels + 1))
}

for compiler in "$@"; do
  [[ -n $compiler && $compiler != *-NOTFOUND ]] || continue
  case $("$compiler" -dumpmachine) in
    x86_64*)
      x86=(' (vpdpbusd|vpmaddwd|vpmaddubsw)|\tvp(dpbusd|maddwd|maddubsw)' '%[xyz]mm' '[(]%r[sb]p')
      check "$compiler" Avx2 '-mavx2 -mfma' "${x86[@]}"
      check "$compiler" AvxVnni '-mavx2 -mfma -mavxvnni' "${x86[@]}"
      check "$compiler" Avx512Vnni '-march=x86-64-v4 -mavx512vnni' "${x86[@]}"
      ;;
    aarch64*)
      check "$compiler" Neon -march=armv8-a '\tsmull2?\t' '\t[qv][0-9]' '\\[(sp|x29)'
      check "$compiler" NeonDot -march=armv8.2-a+dotprod '\tsdot\t' '\t[qv][0-9]' '\\[(sp|x29)'
      check "$compiler" NeonI8mm -march=armv8.6-a '\tusmmla\t' '\t[qv][0-9]' '\\[(sp|x29)'
      ;;
  esac
done
note "$kernels kernels"

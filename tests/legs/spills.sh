#!/usr/bin/env bash
# The inner loops of the micro-kernels keep their sums in registers: in every form of a kernel and for every height of
# tile, no vector goes to the stack or comes from there in the innermost loop that multiplies. Needs none of the
# instructions it looks at.
#   spills.sh DIR COMPILER... [CROSS_COMPILER for arm64]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >"$dir/kernel.cpp" <<'END'
#include <tuple>
#include <utility>

#include <quanta/gemm/kernels/native.hpp>

using Kernel = quanta::Int8Kernel<quanta::arch::KERNEL>;

template <class K, int... less>
auto forms(std::integer_sequence<int, less...>) {
  return std::tuple_cat(
      std::tuple{&K::template run<less + 1>...},
      [] {
        if constexpr (quanta::HasProvenForm<K>) return std::tuple{&K::template run_proven<less + 1>...};
        else return std::tuple{};
      }(),
      [] {
        if constexpr (quanta::HasNarrowForm<K>) return std::tuple{&K::template run_narrow<less + 1>...};
        else return std::tuple{};
      }(),
      [] {
        if constexpr (quanta::HasPairedForm<K>) return std::tuple{&K::template run_paired<less + 1>...};
        else return std::tuple{};
      }(),
      [] {
        if constexpr (quanta::HasGroupedForm<K>) return std::tuple{&K::template run_grouped<less + 1>...};
        else return std::tuple{};
      }());
}
template <class K>
auto forms_for_both_signs() {
  constexpr auto heights = std::make_integer_sequence<int, K::kMr>{};
  if constexpr (quanta::ReadsBothSigns<K>) {
    return std::tuple_cat(forms<K>(heights), forms<typename K::OtherSign>(heights));
  } else {
    return forms<K>(heights);
  }
}
template <class K>
auto all_forms() {
  if constexpr (quanta::HasNibbles<K> && quanta::HasCrumbs<K>) {
    return std::tuple_cat(forms_for_both_signs<K>(), forms_for_both_signs<typename K::Nibbles>(),
                          forms_for_both_signs<typename K::Crumbs>());
  } else {
    return forms_for_both_signs<K>();
  }
}
auto kernels = all_forms<quanta::Int8Kernel<quanta::arch::KERNEL>>();
END

# Of each function, its loop with the most multiplications that holds no other such loop: prints
# "FUNCTION STACK_ACCESSES".
cat >"$dir/loops.awk" <<'END'
function close_function(  first, last, line, count, most, spills, shown, inner) {
  most = inner = 0
  for (last = 1; last <= lines; ++last) {
    if (!(target[last] in label) || label[target[last]] > last) continue
    first = label[target[last]]
    count = spills = 0
    for (line = first; line <= last; ++line) {
      if (text[line] ~ multiplication) ++count
      if (text[line] ~ vector && text[line] ~ stack) ++spills
    }
    if (count == 0 || first <= inner) continue  # loops end in order: the one before is within this one
    inner = first
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
kernels=0 loops=0
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
  kernels=$((kernels + 1)) loops=$((loops + $(wc -l <"$dir/loops")))
}

for compiler in "$@"; do
  [[ -n $compiler && $compiler != *-NOTFOUND ]] || continue
  case $("$compiler" -dumpmachine) in
    x86_64*)
      x86=(' (vpdpbusd|vpmaddwd|vpmaddubsw)|\tvp(dpbusd|maddwd|maddubsw)' '%[xyz]mm' '[(]%rsp|[\t ]-[0-9]+[(]%rbp[)]')
      check "$compiler" Sse2 -march=x86-64 '\tpmaddwd' '%xmm' "${x86[2]}"
      check "$compiler" Avx2 '-mavx2 -mfma' "${x86[@]}"
      check "$compiler" AvxVnni '-mavx2 -mfma -mavxvnni' "${x86[@]}"
      check "$compiler" Avx512Vnni '-march=x86-64-v4 -mavx512vnni' "${x86[@]}"
      ;;
    aarch64*)
      check "$compiler" Neon -march=armv8-a '\tsmull2?\t' '\t[qv][0-9]' '\\[(sp|x29)'
      check "$compiler" NeonDot -march=armv8.2-a+dotprod '\t[su]dot\t' '\t[qv][0-9]' '\\[(sp|x29)'
      check "$compiler" NeonI8mm -march=armv8.6-a '\t(us|s)?mmla\t|\tu?s?dot\t' '\t[qv][0-9]' '\\[(sp|x29)'
      ;;
  esac
done
note "$kernels kernels, $loops loops"

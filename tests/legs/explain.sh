#!/usr/bin/env bash
# What explain says follows the flags: one small program, compiled with those of every kernel, multiplies and compares
# the kernel's forms that ran with what it is told.
#   explain.sh DIR COMPILER [CROSS_COMPILER EMULATOR]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 cross=${2-} emulator=${3-}
require_tool "$compiler" 'such compiler'

kernels=()
# check KERNEL 'FLAGS' ['CPU FEATURES'] with the compiler and the runner as set
check() {
  local kernel=$1 flags=$2 lacks
  # shellcheck disable=SC2086
  lacks=$(lacking ${3-})
  [[ -z $lacks ]] || { kernels+=("not $kernel:$lacks"); return 0; }
  # shellcheck disable=SC2046
  quiet "$with" $(strict "$with" "-std=c++20 -O0 $flags") -I"$root" "${includes[@]}" \
    "$root/tests/legs/explain/main.cpp" -o "$dir/explain"
  quiet "${runner[@]}" "$dir/explain" "$kernel"
  kernels+=("$kernel")
}

with=$compiler runner=()
check Scalar -DQUANTA_FORCE_SCALAR
case $(uname -m) in
  x86_64)
    check Sse2 -march=x86-64
    # Who falls back to less on a CPU that has better is told so, once, and why.
    if [[ -z $(lacking avx2) ]]; then
      for why in 'QUANTA_FORCE_SCALAR is defined' 'compile it with -march=native'; do
        count=$(grep -c "^This CPU has .*, which this unit was not compiled for: $why" "$dir/log" || true)
        ((count == 1)) || fail "$count words about a better kernel: $why"
      done
    fi
    check Avx2 -mavx2 avx2
    check Avx2 '-mavx2 -mfma' 'avx2 fma'
    check AvxVnni '-mavx2 -mfma -mavxvnni' avx_vnni
    check Avx2 '-mavx512f -mfma' avx512f
    check Avx512Vnni '-mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni' avx512_vnni
    if [[ -n $cross && $cross != *-NOTFOUND && -n $emulator && $emulator != *-NOTFOUND ]]; then
      with=$cross runner=("$emulator" -cpu max)
      for arm in 'Neon armv8-a' 'NeonDot armv8.2-a+dotprod' 'NeonI8mm armv8.6-a'; do
        check "${arm% *}" "-static -march=${arm#* }"
      done
    fi
    ;;
  aarch64)
    check Neon -march=armv8-a
    check NeonDot -march=armv8.2-a+dotprod asimddp
    check NeonI8mm -march=armv8.6-a 'asimddp i8mm'
    ;;
esac
note "${kernels[*]}"

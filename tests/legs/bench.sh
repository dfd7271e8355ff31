#!/usr/bin/env bash
# Builds the benchmarks and runs each for a moment. Only that they work is tested: other legs run at the same time.
#   bench.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

configure "$root" "$dir/build" "$compiler" "-O1 -DNDEBUG $native" -DQUANTA_BUILD_BENCH=ON -DQUANTA_BUILD_TESTS=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_INSTALL=OFF
! grep -q 'Google Benchmark not found' "$dir/log" || skip 'there is no Google Benchmark here'
build "$dir/build"
count=0
for program in "$dir"/build/bench/bench_*; do
  [[ -f $program && -x $program ]] || continue
  # Every table, kernel and peer there is, on the smallest sizes.
  case $program in
    */bench_gemm) arguments=('--benchmark_filter=/(17x123x45|1x128x10)/|aggregate') ;;
    *) arguments=(--benchmark_min_time=0.01 '--benchmark_filter=-/(65536Ki|.*4096x(4096|11008)|1048576x16)') ;;
  esac
  QUANTA_BENCH_SECONDS=0.001 quiet "$program" "${arguments[@]}"
  count=$((count + 1))
done
((count > 0)) || fail 'no benchmark was built'
note "$count programs"

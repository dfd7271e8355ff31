#!/usr/bin/env bash
# Builds the benchmarks, runs each for a moment and makes a report of what they measured. Only that they work is tested:
# other legs run at the same time. What the report says of made-up figures, the tests in bench/ know.
#   bench.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

configure "$root" "$dir/build" "$compiler" "-O1 -DNDEBUG $native" -DQUANTA_BUILD_BENCH=ON -DQUANTA_BUILD_TESTS=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_INSTALL=OFF
! grep -q 'Google Benchmark not found' "$dir/log" || skip 'there is no Google Benchmark here'
build "$dir/build"
count=0
mkdir -p "$dir/run/results"
for program in "$dir"/build/bench/bench_*; do
  [[ -f $program && -x $program ]] || continue
  # Every table, kernel and peer there is, on the smallest sizes.
  case $program in
    */bench_gemm) arguments=('--benchmark_filter=/(17x123x45|1x128x10)/|aggregate') ;;
    *) arguments=(--benchmark_min_time=0.01 '--benchmark_filter=-/(65536Ki|.*4096x(4096|11008)|1048576x16)') ;;
  esac
  QUANTA_BENCH_SECONDS=0.001 QUANTA_BENCH_MEGABYTES=1 quiet "$program" "${arguments[@]}" --benchmark_out_format=json \
    --benchmark_out="$dir/run/results/${program##*/bench_}.json"
  count=$((count + 1))
done
((count > 0)) || fail 'no benchmark was built'

quiet bash -n "$root/bench/run"
report='no report, for want of nlohmann_json'
if [[ -x $dir/build/bench/report/report ]]; then
  quiet "$dir/build/bench/report/report" "$dir/run" "compiler=$compiler"
  # shellcheck disable=SC2086
  quiet "$compiler" -std=c++20 -O0 $warnings -I"$root" "$root"/tests/legs/bench/*_test.cpp -o "$dir/tests" \
    -lgtest -lgtest_main -lpthread
  QUANTA_BENCH_REPORT=$dir/run/report.html quiet "$dir/tests" --gtest_brief=1
  report='a report'
fi
note "$count programs, $report"

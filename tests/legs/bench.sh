#!/usr/bin/env bash
# bench/run builds the benchmarks, runs each for a moment and makes a report; with --compare it flags what became slower,
# and nothing else. Only that they work is tested: other legs run at the same time. What the report says of made-up
# figures, the tests in bench/ know.
#   bench.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'
QUANTA_BENCH_FLAGS=$(strict "$compiler" "-O1 -DNDEBUG $native")
export CXX=$compiler QUANTA_BENCH_FLAGS QUANTA_SKIP_PACKAGES=1
export CMAKE_BUILD_PARALLEL_LEVEL=${QUANTA_LEG_JOBS:-1}

# run STATUS RUN [ARGUMENT...]: RUN, a bench/run, ends with this status
run() {
  local expected=$1 status=0
  shift
  printf '\n$ %s\n' "$*" >>"$dir/log"
  bash "$@" >"$dir/said" 2>>"$dir/log" </dev/null || status=$?
  cat "$dir/said" >>"$dir/log"
  ! grep 'CMake did not find' "$dir/log" >"$dir/lacks" || skip "$(sed 's/.*did not find \([^:,]*\).*/there is no \1 here/' "$dir/lacks")"
  ((status == expected)) || fail "status $status, expected $expected, from: $*"
}

# ---- One build ------------------------------------------------------------------------------------------------------

QUANTA_BENCH_BUILD=$dir/run run 0 "$root/bench/run" --check
for line in '^gemm, kernel ' '^written: .*report[.]html and speed[.]md$'; do
  grep -q "$line" "$dir/said" || fail "the summary has no line $line"
done
results=("$dir"/run/results/*.json)

# shellcheck disable=SC2046
quiet "$compiler" $(strict "$compiler" '-std=c++20 -O0') -I"$root" "$root"/tests/legs/bench/*_test.cpp -o "$dir/tests" \
  -lgtest -lgtest_main -lpthread
command -v gnuplot >/dev/null && export QUANTA_BENCH_DRAWN=1
QUANTA_BENCH_REPORT=$dir/run/report.html quiet "$dir/tests" --gtest_brief=1

# ---- Two builds -----------------------------------------------------------------------------------------------------
#
# Of a tree with this bench/run, and a program whose times are what the file "seconds" says.

rm -rf "$dir/trees"
mkdir -p "$dir/trees"
tree=$dir/trees/this
cp -r "$root/tests/legs/bench/tree" "$tree"
ln -s "$root/.ci" "$tree/.ci"
ln -s "$root/bench/run" "$root/bench/report" "$tree/bench/"
for other in same faster; do
  cp -r "$root/tests/legs/bench/tree" "$dir/trees/$other"
done
echo 0.5e-6 >"$dir/trees/faster/bench/seconds"
run 0 "$tree/bench/run" --compare "$dir/trees/same"
grep -q '^2 cases compared: 0 slower, 0 faster ' "$dir/said" || fail 'the same twice is not the same'
run 1 "$tree/bench/run" --compare "$dir/trees/faster"
grep -q '^2 cases compared: 1 slower, 0 faster ' "$dir/said" || fail 'what takes twice as long is not slower'
grep -q '^made_up: changed.* +100[.]0 %' "$dir/said" || fail 'what became slower is not named'
run 0 "$dir/trees/this/bench/run" --compare "$dir/trees/same"  # nothing is built, and nothing is left from before

# A revision: the tree as a repository, whose commit is faster than what lies there now.
compared='a directory'
run 2 "$tree/bench/run" --compare no-such-thing
grep -q 'no-such-thing is neither a directory nor a git revision' "$dir/log" || fail 'a wrong revision is not named'
if command -v git >/dev/null; then
  cp "$dir/trees/faster/bench/seconds" "$tree/bench/"
  quiet git -C "$tree" init
  quiet git -C "$tree" add CMakeLists.txt bench/{CMakeLists.txt,made_up.cpp,seconds}
  quiet git -C "$tree" -c user.name=quanta -c user.email=quanta@localhost -c commit.gpgSign=false \
    commit --no-verify -m faster
  cp "$dir/trees/same/bench/seconds" "$tree/bench/"
  run 1 "$tree/bench/run" --compare HEAD
  grep -q '^2 cases compared: 1 slower, 0 faster ' "$dir/said" || fail 'what takes twice as long as the revision is not slower'
  compared+=' and a revision'
fi
note "${#results[@]} programs, a report, $compared compared"

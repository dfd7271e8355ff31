#!/usr/bin/env bash
# Builds every example with native flags and runs it; each ends with an error when one of its figures is off. What they
# print must be what is recorded, and shown in the READMEs.
#   examples.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

# The network in plain Eigen and the one with int8 weights differ in three lines.
columns=$root/examples/eigen_columns
changed=$(diff "$columns/before.cpp" "$columns/after.cpp" | grep -c '^>' || true)
[[ $changed == 3 ]] || fail "examples/eigen_columns: $changed lines differ"

configure "$root" "$dir/build" "$compiler" "$(strict "$compiler" "-O1 -DNDEBUG $native")" \
  -DQUANTA_BUILD_EXAMPLES=ON -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF -DQUANTA_INSTALL=OFF
build "$dir/build"
quiet ctest --test-dir "$dir/build" --output-on-failure --no-tests=error
quiet bash "$root/tests/figures" "$dir/build"  # the READMEs show what these printed

# They draw where gnuplot is installed.
pictures='nothing drawn, for want of gnuplot'
if command -v gnuplot >/dev/null; then
  count=0
  for script in "$dir"/build/examples/*/pictures/*.gp; do
    [[ -s ${script%.gp}.svg && -s ${script%.gp}.png ]] || fail "not drawn: $script"
    count=$((count + 1))
  done
  pictures="$count pictures"
fi
note "$(grep 'tests passed' "$dir/log" | tail -n 1); $pictures"

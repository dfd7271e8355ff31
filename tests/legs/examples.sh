#!/usr/bin/env bash
# Builds every example with native flags and runs those that are registered as tests.
#   examples.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

configure "$root" "$dir/build" "$compiler" "-O2 -DNDEBUG $native" -DQUANTA_BUILD_EXAMPLES=ON -DQUANTA_BUILD_TESTS=OFF \
  -DQUANTA_BUILD_BENCH=OFF -DQUANTA_INSTALL=OFF
build "$dir/build"
quiet ctest --test-dir "$dir/build" --output-on-failure --no-tests=error
note "$(grep 'tests passed' "$dir/log" | tail -n 1)"

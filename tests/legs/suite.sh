#!/usr/bin/env bash
# Builds the tests with one compiler and one set of flags, and runs them.
#   suite.sh DIR COMPILER FLAGS TARGET [arguments for CMake...]
# In the environment:
#   LEG_NEEDS      CPU features, by their names in /proc/cpuinfo, without which the tests are compiled but not run
#   LEG_RUNNER     what runs the program: an emulator with its arguments
#   LEG_SANITIZER  set: first see whether the sanitizers' runtime links and starts here; if not, the leg is skipped, or,
#                  with "if-it-starts", run without them
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 flags=$2 target=$3
shift 3
require_tool "$compiler" 'such compiler'
read -ra runner <<<"${LEG_RUNNER-}"
[[ ${#runner[@]} == 0 ]] || require_tool "${runner[0]}" 'emulator'

without=''
if [[ -n ${LEG_SANITIZER-} ]]; then
  # The address sanitizers of 2022 cannot place their shadow memory under some kernels' address randomisation, and then
  # die at some starts and not at others.
  plainly=("${runner[@]}")
  setarch "$(uname -m)" -R true 2>/dev/null && runner=(setarch "$(uname -m)" -R "${runner[@]}")
  echo 'int main() { return 0; }' >"$dir/probe.cpp"
  # shellcheck disable=SC2086
  if ! "$compiler" $flags "$dir/probe.cpp" -o "$dir/probe" >>"$dir/log" 2>&1; then
    without="the sanitizers' runtime does not link"
  else
    for _ in {1..20}; do
      "${runner[@]}" "$dir/probe" >>"$dir/log" 2>&1 || without="the sanitizers' runtime does not start"
    done
  fi
  if [[ -n $without ]]; then
    [[ $LEG_SANITIZER == if-it-starts ]] || skip "$without"
    runner=("${plainly[@]}")
    flags=$(sed -E 's/-f(no-)?sanitize[^ ]*//g' <<<"$flags")
  fi
fi

# shellcheck disable=SC2086
lacks=$(lacking ${LEG_NEEDS-})
# What cannot run here must still compile; the golden tests touch every kernel.
[[ -z $lacks ]] || target=quanta_golden_tests

configure "$root" "$dir/build" "$compiler" "$flags" -DQUANTA_BUILD_TESTS=ON -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_INSTALL=OFF -DCMAKE_UNITY_BUILD=ON "$@"
SECONDS=0
build "$dir/build" "$target"
built=$SECONDS
[[ -z $lacks ]] || skip "compiled, not run: this CPU lacks$lacks"
quiet "${runner[@]}" "$dir/build/tests/$target" --gtest_brief=1
count=$(sed -n 's/^\[==========\] \([0-9]* tests\?\) from.* ran.*/\1/p' "$dir/log" | tail -n 1)
isas=$(grep "^ISAs" "$dir/log" | tail -n 1 || true)
note "${count:-passed}${without:+, without sanitizers: $without}; ${isas%%;*};${isas##*;}; $built s to build, $((SECONDS - built)) to run"

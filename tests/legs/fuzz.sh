#!/usr/bin/env bash
# Feeds damaged files to the loaders, under sanitizers; starts from the small files of tests/fuzz/corpus.
#   fuzz.sh DIR COMPILER LIMIT [TARGET...]     LIMIT: for libFuzzer, -runs=10000 or -max_total_time=600
# With a limit of time it prints at the end which lines of each loader the files run that it kept (coverage.sh).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 limit=$2
shift 2
require_tool "$compiler" 'such compiler'
[[ -e /usr/include/nlohmann/json.hpp || -n ${QUANTA_SKIP_PACKAGES-} ]] || skip 'there is no nlohmann-json here'
targets=("$@")
((${#targets[@]} > 0)) || targets=(safetensors npy model sketch)
# What runs for a moment is compiled faster than it would run faster.
level=-O1
[[ $limit != -runs=* ]] || level=-O0
flags="-std=c++20 $level $native -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"

echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$dir/probe.cpp"
# shellcheck disable=SC2086
"$compiler" $flags "$dir/probe.cpp" -o "$dir/probe" >>"$dir/log" 2>&1 || skip "this compiler has no libFuzzer"
runner=()
setarch "$(uname -m)" -R true 2>/dev/null && runner=(setarch "$(uname -m)" -R)  # as in suite.sh
for _ in {1..5}; do
  "${runner[@]}" "$dir/probe" -runs=1 >>"$dir/log" 2>&1 || skip "the sanitizers' runtime does not start"
done

# Changes whole tensors and texts of safetensors files. Not sanitized, and no part of what is looked for; but the sanitizers
# keep a record of every stack that memory is asked for from, and without frame pointers none is like another.
quiet "$compiler" -std=c++20 -O1 -fno-omit-frame-pointer -I"$root" -c "$root/tests/fuzz/change_parts.cpp" -o "$dir/change_parts.o"

tried=()
for target in "${targets[@]}"; do
  changes=()
  [[ $target == npy || $target == sketch ]] || changes=("$dir/change_parts.o")
  # shellcheck disable=SC2086
  quiet "$compiler" $flags "${includes[@]}" -I"$root" \
    "$root/tests/fuzz/$target.cpp" "${changes[@]}" -o "$dir/$target"
  # What is found goes to a directory of this run, and crashes beside it: the tree stays as it is.
  rm -rf "$dir/$target.corpus"
  mkdir -p "$dir/$target.corpus"
  quiet "${runner[@]}" "$dir/$target" "$limit" -seed=1 -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -dict="$root/tests/fuzz/words.txt" -artifact_prefix="$dir/$target-" -print_final_stats=1 \
    "$dir/$target.corpus" "$root/tests/fuzz/corpus/$target"
  tried+=("$target $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log" | tail -n 1)")
  echo "files tried, nothing found: ${tried[-1]}"  # for who waits
done
note "files tried, nothing found: $(printf '%s, ' "${tried[@]}" | sed 's/, $//')"
if [[ $limit == -max_total_time=* ]] && command -v g++ gcov >/dev/null; then
  bash "$root/tests/legs/coverage.sh" "$dir/coverage" g++ "$dir" "${targets[@]}"
fi

#!/usr/bin/env bash
# Which lines of the loaders their tests run, by gcov; fails below 95 % for any of them.
#   coverage.sh DIR COMPILER [FUZZED TARGET...]
# With FUZZED, the directory of fuzz.sh: which of them the files run that the fuzzers of these targets kept, and those of
# tests/fuzz/corpus; of that nothing is asked, because files in memory are not all that loaders read.
# A loader is whatever reads what a stranger wrote: the headers of io/, those that check what these read, and elsewhere
# the functions of a Reader, as the layers' load, and deserialize. All are found here, so that none is forgotten.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 fuzzed=${2:+$(cd "$2" && pwd)} targets=("${@:3}")
require_tool "$compiler" 'such compiler'
[[ -e /usr/include/nlohmann/json.hpp || -n ${QUANTA_SKIP_PACKAGES-} ]] || skip 'there is no nlohmann-json here'
gcov=$(command -v "gcov-$("$compiler" -dumpversion | cut -d. -f1)" gcov | head -n 1 || true)
require_tool "$gcov" gcov
headers=$root/include/quanta
dir=$(cd "$dir" && pwd)

# What is counted, as "HEADER FIRST LAST": whole headers, and the lines of functions.
cd "$headers"
for header in io/*.hpp quant/{any_quantized_tensor,format_info,held_scales,tensor_list}.hpp calib/sketch_bytes.hpp \
  layers/integer_{layer,layer_file,network}.hpp; do
  echo "$header 1 $(wc -l <"$header")"
done >"$dir/counted"
find ./* -name '*.hpp' | sed 's|^\./||' | sort | while read -r header; do
  grep -q "^$header " "$dir/counted" || awk -v header="$header" '
    /const Reader&|deserialize\(const/ && !/;$/ { first = NR; match($0, /^ */); end = substr($0, 1, RLENGTH) "}" }
    first && ($0 == end || NR == first && /}$/) { print header, first, NR; first = 0 }' "$header"
done >"$dir/functions"
cat "$dir/functions" >>"$dir/counted"

cd "$dir"
rm -f ./*.gcda ./*.gcno ./*.headers
options=(-std=c++20 -O0 --coverage -fprofile-abs-path -MMD -DQUANTA_FORCE_SCALAR "${includes[@]}" -I"$root")
tests=("$root"/tests/{io/*,calib/{calibration_sketch,sketch_bytes},layers/integer_parts,support/allocations}_test.cpp)
if [[ -n $fuzzed ]]; then
  for target in "${targets[@]}"; do
    printf '#include "%s"\n' "$root/tests/fuzz"/{"$target",replay}.cpp >"$target.cpp"
    quiet "$compiler" "${options[@]}" -MF "$target.headers" "$target.cpp" -o "$target"
    quiet "./$target" "$root/tests/fuzz/corpus/$target" "$fuzzed/$target.corpus"
  done
else
  printf '#include "%s"\n' "${tests[@]}" >all.cpp
  quiet "$compiler" "${options[@]}" -MF all.headers -DQUANTA_TEST_DATA="\"$root/tests/data\"" all.cpp -o all \
    -lgtest -lgtest_main -lpthread
  quiet env QUANTA_TEST_SCALE=0.1 ./all --gtest_brief=1
fi
"$gcov" --stdout ./*.gcda >lines 2>>log || fail "$gcov reads no coverage"

# A line is run if any instance of its template ran it. gcov knows nothing of what no test includes or instantiates.
# (In the list of headers spaces of a path have a backslash.)
cat ./*.headers | sed 's/\\ /\a/g' | tr ' \a' '\n ' | awk -v root="$headers/" -v fuzzed="$fuzzed" '
  function relative(path) { return index(path, root) == 1 ? substr(path, length(root) + 1) : "" }
  FILENAME == "-" { included[relative($0)]; next }
  FILENAME == "counted" { header[++n] = $1; first[n] = $2; last[n] = $3; whole[n] = $2 == 1; next }
  match($0, / 0:Source:/) { name = relative(substr($0, RSTART + RLENGTH)); next }
  name == "" || split($0, part, ":") < 2 { next }
  { count = part[1]; line = part[2] + 0; gsub(/[ *]/, "", count) }
  line > 0 && count != "-" { runs[name, line] += count !~ /^[#=]/; text[name, line] = substr($0, 12) }
  END {
    for (i = 1; i <= n; i++) {
      what = whole[i] ? header[i] : header[i] ":" first[i]
      all = run = 0
      missed = ""
      for (line = first[i]; line <= last[i]; line++) {
        if (!((header[i], line) in runs)) continue
        all++
        if (runs[header[i], line]) run++
        else missed = missed text[header[i], line] "\n"
      }
      if (all == 0 && fuzzed) continue
      if (all > 0) printf "%-34s %3d of %3d lines, %5.1f %%\n%s", what, run, all, 100 * run / all, missed
      else if (whole[i] && header[i] in included) printf "%-34s holds no code\n", what
      else printf "%-34s is compiled by no test\n", what
      if (run < 0.95 * all || (all == 0 && !(whole[i] && header[i] in included))) bad = 1
    }
    exit bad && !fuzzed
  }' - counted lines >report || { cat report; fail 'a loader has lines that no test runs'; }
cat report
note "$(awk '$3 == "of" && $5 == "lines," { run += $2; all += $4 }
  END { printf "%d of %d lines of the loaders are run", run, all }' report)"

#!/usr/bin/env bash
# Which lines of the loaders the tests of tests/io run, by gcov; fails below 95 % for any of them. Not a leg: a command.
#   coverage.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'
sources=()
for source in "$root"/tests/io/*_test.cpp "$root"/tests/support/allocations_test.cpp; do
  sources+=("#include \"$source\"")
done
printf '%s\n' "${sources[@]}" >"$dir/all.cpp"
dir=$(cd "$dir" && pwd)
cd "$dir"
rm -f ./*.gcda ./*.gcno ./*.gcov
quiet "$compiler" -std=c++20 -O0 --coverage -fprofile-abs-path -DQUANTA_TEST_DATA="\"$root/tests/data\"" \
  "${includes[@]}" -I"$root" all.cpp -o all \
  -lgtest -lgtest_main -lpthread
quiet ./all --gtest_brief=1
quiet gcov -o . ./*.gcda

# A line is run if any instance of its template ran it.
status=0
for header in "$root"/include/quanta/io/*.hpp "$root"/include/quanta/quant/{tensor_list,format_info}.hpp; do
  name=$(basename "$header")
  [[ -e $name.gcov ]] || continue
  awk -F: -v name="$name" '
    { line = $2 + 0; count = $1; gsub(/[ *]/, "", count) }
    line == 0 || count == "-" { next }
    count ~ /^[#=]/ { if (!(line in seen)) seen[line] = 0; text[line] = $0; next }
    { seen[line] = 1 }
    END {
      for (line in seen) { all++; run += seen[line] }
      if (all == 0) exit 0
      printf "%-28s %3d of %3d lines, %5.1f %%\n", name, run, all, 100 * run / all
      for (line in seen) if (!seen[line]) printf "    %s\n", text[line]
      exit run < 0.95 * all
    }' "$name.gcov" || status=1
done
exit "$status"

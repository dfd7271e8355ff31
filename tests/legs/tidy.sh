#!/usr/bin/env bash
# clang-tidy finds nothing in headers (.clang-tidy says what it looks for).
#   tidy.sh DIR CLANG_TIDY
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$1
require_tool "$tool" clang-tidy
version=$("$tool" --version | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1)
[[ $version == 14 ]] || skip "this is clang-tidy $version; the tree is read with 14, and they look for different things"

# Of the library what its umbrellas include, but for the kernels of instruction sets that the CPU lacks; and the headers of
# tests, benchmarks and examples, where what they include is there. One unit, so that Eigen is read once.
cd "$root"
have() { [[ -e /usr/include/$1 || -n ${QUANTA_SKIP_PACKAGES-} ]]; }
unwanted='<what is not there>'
have nlohmann/json.hpp || unwanted+='|nlohmann|quanta/io[./]'
have gtest/gtest.h || unwanted+='|gtest|tests/'
have benchmark/benchmark.h || unwanted+='|benchmark/'
for header in include/quanta/{quanta,explain,integer,io,report,train}.hpp $(find tests bench examples -name '*.hpp' \
  ! -path 'tests/legs/*' ! -path 'tests/fuzz/*' ! -path 'bench/peers/*' | LC_ALL=C sort); do
  grep -qE "$unwanted" "$header" || echo "#include \"$root/$header\""
done >"$dir/headers.cpp"
quiet "$tool" "$dir/headers.cpp" --config-file="$root/.clang-tidy" --warnings-as-errors='*' \
  -- -std=c++20 "$native" -DQUANTA_TEST_DATA='""' -I"$root" "${includes[@]}"
note "clang-tidy $version, $(wc -l <"$dir/headers.cpp") headers and what they include"

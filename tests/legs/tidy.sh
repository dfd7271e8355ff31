#!/usr/bin/env bash
# clang-tidy finds nothing in the headers (.clang-tidy says what it looks for).
#   tidy.sh DIR CLANG_TIDY
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$1
require_tool "$tool" clang-tidy
version=$("$tool" --version | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1)
[[ $version == 14 ]] || skip "this is clang-tidy $version; the tree is read with 14, and they look for different things"

# The kernels of instruction sets that the CPU lacks are not read.
for header in quanta explain integer io report train; do
  [[ $header != io || -e /usr/include/nlohmann/json.hpp ]] || continue
  echo "#include <quanta/$header.hpp>"
done >"$dir/headers.cpp"
quiet "$tool" "$dir/headers.cpp" --config-file="$root/.clang-tidy" --warnings-as-errors='*' \
  -- -std=c++20 "$native" "${includes[@]}"
note "clang-tidy $version, $(wc -l <"$dir/headers.cpp") headers and what they include"

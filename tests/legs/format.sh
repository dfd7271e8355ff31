#!/usr/bin/env bash
# Every source is formatted as .clang-format says.
#   format.sh DIR CLANG_FORMAT
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$1
require_tool "$tool" clang-format
version=$("$tool" --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
[[ $version == 14 ]] || skip "this is clang-format $version; the tree is formatted with 14, and they differ"

cd "$root"
mapfile -t sources < <(find include tests bench examples -name '*.hpp' -o -name '*.cpp' -o -name '*.inc' | sort)
bad=()
for source in "${sources[@]}"; do
  "$tool" --dry-run -Werror "$source" >>"$dir/log" 2>&1 || bad+=("$source")
done
if ((${#bad[@]} > 0)); then
  echo 'failed: to be formatted (clang-format -i):'
  printf '  %s\n' "${bad[@]}"
  exit 1
fi
note "${#sources[@]} files"

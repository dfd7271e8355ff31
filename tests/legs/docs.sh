#!/usr/bin/env bash
# Doxygen makes the reference documentation without a warning: every public name is documented.
#   docs.sh DIR DOXYGEN COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$1 compiler=$2
require_tool "$tool" doxygen
require_tool "$compiler" 'such compiler'
version=$("$tool" --version)
[[ $version == 1.9.4* ]] || skip "this is doxygen $version; the tree is read with 1.9.4, and they misread different things"

configure "$root" "$dir/build" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_DOXYGEN="$tool"
build "$dir/build" quanta-docs
! grep -qE 'warning: |^sed:|^awk:' "$dir/log" || fail 'doxygen or a filter of its warns'
page=$dir/build/docs/index.html
grep -q 'A first program' "$page" || fail 'the first page is not the README'
grep -o 'src="[^"]*[.]svg"' "$page" | cut -d '"' -f 2 | while IFS= read -r picture; do
  [[ -s $dir/build/docs/$picture ]] || { echo "not there: $picture" >>"$dir/log"; exit 1; }
done || fail 'a picture of the first page is not there'
pages=("$dir"/build/docs/*.html)
note "doxygen $version, ${#pages[@]} pages"

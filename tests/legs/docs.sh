#!/usr/bin/env bash
# Doxygen makes the reference documentation; 1.9.4 does so without a warning: every public name is documented. Other
# versions misread other things of C++20: their warnings are counted, and kept in DIR/log.
#   docs.sh DIR DOXYGEN COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tool=$1 compiler=$2
require_tool "$tool" doxygen
require_tool "$compiler" 'such compiler'
version=$("$tool" --version)

configure "$root" "$dir/build" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_DOXYGEN="$tool"
build "$dir/build" quanta-docs
! grep -qE '^sed:|^awk:' "$dir/log" || fail 'a filter of doxygen says something'
count=$(grep -c 'warning: ' "$dir/log" || true)
[[ $version != 1.9.4* || $count == 0 ]] || fail "doxygen has $count warnings"
page=$dir/build/docs/index.html
grep -q 'A first program' "$page" || fail 'the first page is not the README'
grep -o 'src="[^"]*[.]svg"' "$page" | cut -d '"' -f 2 | while IFS= read -r picture; do
  [[ -s $dir/build/docs/$picture ]] || { echo "not there: $picture" >>"$dir/log"; exit 1; }
done || fail 'a picture of the first page is not there'
pages=("$dir"/build/docs/*.html)
note "doxygen $version, ${#pages[@]} pages, $count warnings"

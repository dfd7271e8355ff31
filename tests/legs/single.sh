#!/usr/bin/env bash
# Writes the library as one header, and builds the examples with nothing but that.
#   single.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

configure "$root" "$dir/quanta" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF
build "$dir/quanta" quanta-single-header
mkdir -p "$dir/include/quanta"
cp "$dir/quanta/single/quanta.hpp" "$dir/include/quanta/"
(cd "$root/include" && find quanta -name '*.hpp') | while IFS= read -r header; do  # all names lead to the one file
  [[ $header != quanta/quanta.hpp ]] || continue
  mkdir -p "$dir/include/$(dirname "$header")"
  echo '#include <quanta/quanta.hpp>' >"$dir/include/$header"
done
configure "$root/tests/legs/single" "$dir/examples" "$compiler" "-O0 $native $warnings" \
  -DQUANTA_ROOT="$root" -DSINGLE_HEADER="$dir/include"
build "$dir/examples"
note "$(wc -l <"$dir/quanta/single/quanta.hpp") lines"

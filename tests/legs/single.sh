#!/usr/bin/env bash
# Writes the library as one header, and builds the example that uses all of it with nothing but that.
#   single.sh DIR COMPILER OTHER_COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1 other=$2
require_tool "$compiler" 'such compiler'
require_tool "$other" 'such compiler'

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
flags=(-DQUANTA_ROOT="$root" -DSINGLE_HEADER="$dir/include")
for each in "$compiler" "$other"; do
  configure "$root/tests/legs/single" "$dir/${each##*/}" "$each" "$(strict "$each" "-O0 $native")" "${flags[@]}"
  build "$dir/${each##*/}" example_first_steps
done
note "$(wc -l <"$dir/quanta/single/quanta.hpp") lines"

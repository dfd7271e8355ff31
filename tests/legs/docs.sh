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
! grep -q 'warning: ' "$dir/log" || fail 'doxygen warns'
pages=("$dir"/build/docs/*.html)
note "doxygen $version, ${#pages[@]} pages"

#!/usr/bin/env bash
# The ways into a user's build: the installed package by CMake and by pkg-config, add_subdirectory and FetchContent.
#   consumer.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

rm -rf "$dir/prefix"
configure "$root" "$dir/quanta" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_INSTALL=ON
quiet cmake --install "$dir/quanta" --prefix "$dir/prefix"

for how in package subdirectory fetch; do
  configure "$root/tests/legs/consumer" "$dir/$how" "$compiler" '-O1' -DQUANTA_HOW="$how" -DQUANTA_ROOT="$root" \
    -DCMAKE_PREFIX_PATH="$dir/prefix"
  build "$dir/$how"
  quiet "$dir/$how/consumer"
done
ways='find_package, add_subdirectory, FetchContent'
said=$(tail -n 1 "$dir/log")

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$dir/prefix/share/pkgconfig
  quiet pkg-config --validate quanta
  flags=$(pkg-config --cflags quanta)
  # shellcheck disable=SC2086
  quiet "$compiler" -std=c++20 $flags "$root/tests/legs/consumer/main.cpp" -o "$dir/by_pkg_config"
  quiet "$dir/by_pkg_config"
  ways+=', pkg-config'
fi
note "$ways: $said"

#!/usr/bin/env bash
# The ways into a user's build: the installed package by CMake and by pkg-config, add_subdirectory and FetchContent; and
# that Eigen 5 is taken, and Eigen 3.3 refused, by the version that its package says.
#   consumer.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'

rm -rf "$dir/prefix"
configure "$root" "$dir/quanta" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
  -DQUANTA_BUILD_EXAMPLES=OFF -DQUANTA_INSTALL=ON
quiet cmake --install "$dir/quanta" --prefix "$dir/prefix"

for how in package subdirectory fetch; do
  rm -rf "${dir:?}/$how"
  : >"$dir/log"
  configure "$root/tests/legs/consumer" "$dir/$how" "$compiler" '-O1' -DQUANTA_HOW="$how" -DQUANTA_ROOT="$root" \
    -DCMAKE_PREFIX_PATH="$dir/prefix"
  if [[ $(uname -m) == x86_64 && -z $(lacking avx2) ]]; then
    for flags in -O1 -mavx2 -O1; do quiet cmake "$dir/$how" -DCMAKE_CXX_FLAGS="$flags"; done
    # A word about flags that leave out the AVX2 that this CPU has, once for each setting.
    count=$(grep -c 'allow no AVX2' "$dir/log" || true)
    ((count == 2)) || fail "$how: $count words about flags without AVX2, expected 2"
  fi
  build "$dir/$how"
  quiet "$dir/$how/consumer"
done
ways='find_package, add_subdirectory, FetchContent'
said=$(tail -n 1 "$dir/log")

# eigen_package VERSION: this machine's Eigen as a package that calls itself so, and that no other major version will do.
eigen_package() {
  local folder=$dir/eigen-$1/share/eigen3/cmake
  mkdir -p "$folder"
  cat >"$folder/Eigen3Config.cmake" <<END
add_library(Eigen3::Eigen INTERFACE IMPORTED)
set_target_properties(Eigen3::Eigen PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${QUANTA_EIGEN_INCLUDE:-/usr/include/eigen3}")
END
  cat >"$folder/Eigen3ConfigVersion.cmake" <<END
set(PACKAGE_VERSION $1)
if(NOT PACKAGE_FIND_VERSION OR PACKAGE_FIND_VERSION_MAJOR EQUAL ${1%%.*})
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
END
}
eigen_package 5.0.1
eigen_package 3.3.9
for how in package subdirectory; do
  consumer=("$root/tests/legs/consumer" -DCMAKE_CXX_COMPILER="$compiler" -DQUANTA_HOW="$how" -DQUANTA_ROOT="$root")
  quiet cmake -S "${consumer[@]}" -B "$dir/$how-eigen-5" -DCMAKE_PREFIX_PATH="$dir/eigen-5.0.1;$dir/prefix"
  grep -q "^Eigen3_DIR:.*/eigen-5.0.1/" "$dir/$how-eigen-5/CMakeCache.txt" || fail "$how: another Eigen was found"
  if cmake -S "${consumer[@]}" -B "$dir/$how-eigen-3.3" -DCMAKE_PREFIX_PATH="$dir/eigen-3.3.9;$dir/prefix" \
    >"$dir/refused" 2>&1; then
    fail "$how: Eigen 3.3.9 was taken"
  fi
  tr -s ' \n' ' ' <"$dir/refused" | grep -q 'found 3[.]3[.]9' || fail "$how: Eigen 3.3.9 was refused without a word"
done

# What is installed may be moved, wherever the headers are in it.
if command -v pkg-config >/dev/null; then
  rm -rf "$dir/there" "$dir/moved"
  configure "$root" "$dir/elsewhere" "$compiler" '' -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF \
    -DQUANTA_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_INCLUDEDIR=include/all -DCMAKE_INSTALL_DATADIR=lib/data
  quiet cmake --install "$dir/elsewhere" --prefix "$dir/there"
  mv "$dir/there" "$dir/moved"
  export PKG_CONFIG_PATH=$dir/moved/lib/data/pkgconfig
  quiet pkg-config --validate quanta
  eval "flags=($(pkg-config --cflags quanta))"  # with backslashes before spaces
  quiet "$compiler" -std=c++20 "${flags[@]}" "$root/tests/legs/consumer/main.cpp" -o "$dir/by_pkg_config"
  quiet "$dir/by_pkg_config"
  ways+=', pkg-config'
fi
note "$ways: $said"

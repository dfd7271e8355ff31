# shellcheck shell=bash
# Sourced by the examples' run scripts, at the top of the repository. Defines one function:
#
#   run_example NAME [ARGUMENT...]     builds example_NAME with native flags in build/NAME and runs it
source .ci/build.sh

run_example() {
  local name=$1 compiler=${CXX:-g++} build=build/$1
  local native log=$build/log
  shift
  pick_generator
  native=$(native_flag "$compiler")
  mkdir -p "$build"
  : >"$log"
  if [[ ! -x $build/examples/$name/example_$name ]]; then
    echo "Quanta: building examples/$name (about half a minute)" >&2
  fi
  forget_other_build "$build" . "$compiler"
  quiet "configuring $name" "$log" cmake -S . -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE='-O2 -DNDEBUG' -DCMAKE_CXX_FLAGS="$native" -DQUANTA_BUILD_EXAMPLES=ON \
    -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF -DQUANTA_INSTALL=OFF
  quiet "compiling $name" "$log" cmake --build "$build" --target "example_$name"
  exec "$build/examples/$name/example_$name" "$@"
}

# shellcheck shell=bash
# Sourced by the examples' run scripts, at the top of the repository. Defines one function:
#
#   run_example NAME [ARGUMENT...]     builds example_NAME with native flags in build/NAME and runs it

_quiet() {
  "$@" >>"$build/log" 2>&1 </dev/null || {
    cat "$build/log" >&2
    echo "Quanta: the build failed: $*" >&2
    exit 1
  }
}

run_example() {
  local name=$1 compiler=${CXX:-g++} native='' flag
  shift
  build=build/$name
  if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi  # a bare machine has no make
  # The flag for "this very CPU". A compiler that knows none, or not this CPU, builds portable code.
  for flag in -march=native -mcpu=native; do
    [[ $flag == -march=native && $(uname -m) =~ ^(aarch64|arm64)$ ]] && continue  # there it picks a base, not the CPU
    if "$compiler" "$flag" -x c++ -fsyntax-only /dev/null >/dev/null 2>&1; then
      native=$flag
      break
    fi
  done
  [[ -n $native ]] || echo "Quanta: $compiler knows no flag for this CPU; building portable code" >&2

  mkdir -p "$build"
  : >"$build/log"
  if [[ ! -x $build/examples/$name/example_$name ]]; then
    echo "Quanta: building examples/$name (about half a minute)" >&2
  fi
  _quiet cmake -S . -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE='-O2 -DNDEBUG' -DCMAKE_CXX_FLAGS="$native" -DQUANTA_BUILD_EXAMPLES=ON \
    -DQUANTA_BUILD_TESTS=OFF -DQUANTA_BUILD_BENCH=OFF -DQUANTA_INSTALL=OFF
  _quiet cmake --build "$build" --target "example_$name"
  exec "$build/examples/$name/example_$name" "$@"
}

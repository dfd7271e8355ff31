# shellcheck shell=bash
# Sourced by the commands that must work on a bare machine. Defines one function:
#
#   need_packages PACKAGE...     Debian's names; returns 0 once everything is there
#
# What is there need not be a package: a tool in PATH will do, or a library's headers. On Debian and its children whatever
# is missing is installed with apt-get. On other systems nothing is installed: a message names it, under Debian's names.
# QUANTA_SKIP_PACKAGES=1 trusts the user and checks nothing.
source "$(dirname "${BASH_SOURCE[0]}")/progress.sh"

# What proves that a package's content is here, however it came: a command, or a header.
_package_proof() {
  case $1 in
    g++ | cmake | clang-format | clang-tidy | doxygen) echo "$1" ;;
    clang) echo clang++ ;;
    ninja-build) echo ninja ;;
    gnuplot-nox) echo gnuplot ;;
    pkgconf) echo pkg-config ;;
    g++-aarch64-linux-gnu) echo aarch64-linux-gnu-g++ ;;
    qemu-user) echo qemu-aarch64 ;;
    libeigen3-dev) echo eigen3/Eigen/Core ;;
    libgtest-dev) echo gtest/gtest.h ;;
    libbenchmark-dev) echo benchmark/benchmark.h ;;
    nlohmann-json3-dev) echo nlohmann/json.hpp ;;
    zlib1g-dev) echo zlib.h ;;
  esac
}

_package_there() {
  local package=$1 proof prefix
  if command -v dpkg-query >/dev/null; then
    [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] && return 0
  fi
  proof=$(_package_proof "$package")
  case $proof in
    '') ! command -v dpkg-query >/dev/null ;;  # Debian's own way of cutting things up: nothing to look for elsewhere
    */*)
      for prefix in /usr /usr/local /opt/homebrew /opt/local; do
        [[ -e $prefix/include/$proof ]] && return 0
      done
      return 1
      ;;
    *) command -v "$proof" "$proof-static" >/dev/null ;;  # Debian 12 also packs the emulator so, under another name
  esac
}

need_packages() {
  [[ ${QUANTA_SKIP_PACKAGES:-0} == 1 ]] && return 0
  local missing=() as_root=() package log
  for package in "$@"; do
    _package_there "$package" || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return 0

  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "Quanta: this system lacks the following, named as in Debian; please install them and run this again:" >&2
    echo "  ${missing[*]}" >&2
    echo "(QUANTA_SKIP_PACKAGES=1 skips this check.)" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "Quanta: please run this as root, then try again:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      echo "(QUANTA_SKIP_PACKAGES=1 skips this check, and does what can be done without.)" >&2
      return 1
    fi
    as_root=(sudo)
    [[ -t 0 ]] || as_root+=(-n)  # nobody there to type a password: fail, do not wait
  fi
  echo "Quanta: installing ${missing[*]}" >&2
  # A password is asked for here, where no line is written over the question. A bare machine has no package lists, or
  # old ones that name files no longer there.
  log=$(mktemp)
  if ! { ((${#as_root[@]} == 0)) || "${as_root[@]}" true; } ||
    ! follow 'apt-get update' "$log" "${as_root[@]}" apt-get update ||
    ! follow 'apt-get install' "$log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}"; then
    cat "$log" >&2
    rm -f "$log"
    echo "Quanta: apt-get could not install ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}

#!/usr/bin/env bash
# What the READMEs say holds: the first two shell blocks of the main one are the two commands, one line each, naming
# files that exist; its C++ and CMake are compiled and run as they stand there, whole programs and snippets, which
# examples/first_steps shows too; links lead somewhere, files named are there, and figures are those recorded
# (tests/figures; the leg "examples" compares these with what is printed).
#   readme.sh DIR COMPILER
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
compiler=$1
require_tool "$compiler" 'such compiler'
dir=$(cd "$dir" && pwd)
cd "$root"
[[ -e README.md ]] || fail 'there is no README.md'

quiet bash tests/figures

# The code blocks: DIR/blocks/01.sh, 02.text, ...; in DIR/lines/ is the line of the README where each begins.
rm -rf "$dir/blocks" "$dir/lines" "$dir/project"
mkdir -p "$dir/blocks" "$dir/lines" "$dir/project"
awk -v to="$dir/blocks/" -v lines="$dir/lines/" '
  /^```/ && !file {
    file = sprintf("%s%02d.%s", to, ++count, substr($0, 4))
    printf "" > file
    print NR + 1 > (lines sprintf("%02d", count))
    next
  }
  /^```/ { close(file); file = ""; next }
  file { print > file }' README.md

# ---- The two commands -----------------------------------------------------------------------------------------------

commands=()
for block in "$dir"/blocks/*; do
  case ${block##*.} in
    sh) commands+=("$(cat "$block")") ;;
    bash | shell | console | zsh) ((${#commands[@]} >= 2)) || fail "a ${block##*.} block stands above the two commands" ;;
  esac
done
((${#commands[@]} >= 2)) || fail 'the README has fewer than two sh blocks'
for command in "${commands[@]:0:2}"; do
  [[ -n $command && $command != *$'\n'* ]] || fail "not one line: $command"
  files=0
  for word in $command; do
    if [[ $word == */* ]]; then
      [[ -e $word ]] || fail "no such file: $word, in: $command"
      files=$((files + 1))
    fi
  done
  ((files > 0)) || fail "names no file: $command"
done

# ---- Code -----------------------------------------------------------------------------------------------------------

# A block that is a file of its own says its name, or is the first program. One with an #include stands before main();
# all others are its body, each in a block within those before it, so that it sees their names and may use them anew.
sed 's/^ *//' examples/*/main.cpp >"$dir/example_lines"
snippets=0 body='' braces='' headers=("#include \"$root/tests/legs/readme/prelude.hpp\"")
for block in "$dir"/blocks/*.cpp; do
  if grep -qE 'int main|extern "C"' "$block"; then
    name=$(sed -nE '1s,^// ([a-z]+[.]cpp).*,\1,p' "$block")
    cp "$block" "$dir/project/${name:-first.cpp}"
    continue
  fi
  while read -r line; do
    [[ -n $line ]] || continue
    grep -qxF -- "$line" "$dir/example_lines" || fail "not in examples/*/main.cpp: $line"
    snippets=$((snippets + 1))
  done <"$block"
  name=${block##*/}
  code="#line $(cat "$dir/lines/${name%.cpp}") \"$root/README.md\""$'\n'$(cat "$block")
  if grep -q '^#include' "$block"; then
    headers+=("$code")
  else
    body+="{"$'\n'"$code"$'\n'
    braces+='}'
  fi
done
((snippets > 0)) || fail 'the README shows no snippets'
if [[ -e /usr/include/nlohmann/json.hpp ]]; then
  printf '%s\n' "${headers[@]}" 'int main() {' 'write_files();' "$body$braces" '}' >"$dir/snippets.cpp"
  # Snippets use names anew, and do nothing with most of what they make.
  flags=$(strict "$compiler" '-std=c++20 -O0')
  # shellcheck disable=SC2086
  quiet "$compiler" ${flags/-Wshadow/} -Wno-unused "${includes[@]}" "$dir/snippets.cpp" -o "$dir/snippets" -lpthread
  mkdir -p "$dir/files"
  (cd "$dir/files" && quiet "$dir/snippets")
  # shellcheck disable=SC2086
  quiet "$compiler" $flags "${includes[@]}" "$dir/project/network.cpp" -o "$dir/network" -lpthread
  rm -rf "$dir/files/examples"
  ln -s "$root/examples" "$dir/files/examples"
  (cd "$dir/files" && quiet "$dir/network")
fi

# The CMake blocks: three ways to come by Quanta, a paragraph each, which the leg "consumer" tests further; what a
# program links; the program that picks its instruction set, which names those of x86.
cmake_blocks=("$dir"/blocks/*.cmake)
((${#cmake_blocks[@]} == 3)) || fail "expected three blocks of CMake, got ${#cmake_blocks[@]}"
ln -s "$root" "$dir/project/quanta"
# project PARAGRAPH: a project that comes by Quanta so
project() {
  echo 'cmake_minimum_required(VERSION 3.22)'
  echo 'project(readme LANGUAGES CXX)'
  awk -v RS='' -v wanted="$1" 'NR == wanted' "${cmake_blocks[0]}"
  echo 'add_executable(your_program first.cpp)'
  if [[ -e /usr/include/nlohmann/json.hpp ]]; then cat "${cmake_blocks[1]}"; else grep -v quanta::io "${cmake_blocks[1]}"; fi
  [[ $(uname -m) != x86_64 ]] || cat "${cmake_blocks[2]}"
}
rm -rf "$dir/prefix" "$dir/quanta"
mkdir "$dir/quanta"
install=$(grep -l quanta-single-header "$dir"/blocks/*.sh) || fail 'no block of the README installs Quanta'
while IFS= read -r line; do
  read -ra words <<<"${line%%#*}"
  words=("${words[@]/#./$root}")  # the source; everything else lies in DIR
  (cd "$dir/quanta" && quiet env CXX="$compiler" "${words[@]/#\~\/quanta/$dir/prefix}")
done <"$install"
[[ -s $dir/quanta/build/single/quanta.hpp ]] || fail 'the README makes no single header'
ways=$(awk -v RS='' 'END { print NR }' "${cmake_blocks[0]}")
((ways == 3)) || fail "expected three ways to come by Quanta, got $ways"
for ((way = ways; way >= 1; --way)); do  # the first is built
  project "$way" >"$dir/project/CMakeLists.txt"
  rm -rf "$dir/build"
  configure "$dir/project" "$dir/build" "$compiler" "$(strict "$compiler" -O0)" -DCMAKE_PREFIX_PATH="$dir/prefix" \
    -DFETCHCONTENT_SOURCE_DIR_QUANTA="$root"  # in place of the clone
done
build "$dir/build"
for program in your_program program; do
  [[ ! -x $dir/build/$program ]] || quiet "$dir/build/$program"
done

# ---- Links and names of files ---------------------------------------------------------------------------------------

# anchors FILE: what its headings can be linked by.
anchors() { sed -nE 's/^#+ //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-'; }

names=0
while IFS= read -r readme; do
  folder=$(dirname "$readme")
  while IFS= read -r target; do
    case $target in
      http*) ;;
      '#'*) anchors "$readme" | grep -qxF -- "${target#?}" || fail "$readme links a heading that is not there: $target" ;;
      *) [[ -e $folder/$target ]] || fail "$readme links or shows what is not there: $target" ;;
    esac
    names=$((names + 1))
  done < <(awk '/^```/ { code = !code } !code { gsub(/`[^`]*`/, ""); print }' "$readme" | sed -nE 's/\]\(/\n&/gp' |
    sed -nE 's/^\]\(([^)]*)\).*/\1/p')

  while IFS= read -r name; do
    case $name in
      build/* | */x/y* | x/y*) continue ;;  # to be made; any
    esac
    found=''
    for place in "$folder/$name" "$name" "include/$name" "include/quanta/$name" "$dir/project/$name" ".cmake/$name.in"; do
      [[ ! -e $place ]] || found=$place
    done
    [[ -n $found ]] || fail "$readme names what is not there: $name"
    names=$((names + 1))
  done < <(
    grep -oE '`[A-Za-z0-9_./-]+`' "$readme" | tr -d '`' | grep -E '/|[.](hpp|cpp|sh|txt|pc|json)$' || true
    grep -v '^<!-- ' "$readme" | grep -oE '(^|[ `(])(tests|bench|examples|include)/[A-Za-z0-9_/.-]*[A-Za-z0-9_/]' |
      sed -E 's/^[ `(]//' || true
  )
done < <(find . -name build -prune -o -name '*.md' -print)
for example in examples/*/CMakeLists.txt; do
  example=$(basename "$(dirname "$example")")
  for readme in README.md examples/README.md; do
    grep -qF "\`$example\`" "$readme" || fail "$readme does not name the example $example"
  done
done
note "${commands[0]} | ${commands[1]} | $snippets lines of snippets are compiled and run, $names links and names"

#!/usr/bin/env bash
# The README's first two shell blocks are the two commands: one line each, naming files that exist. Its snippets are
# those of examples/first_steps, line by line, which is compiled and run. The pictures it shows are there.
#   readme.sh DIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
[[ -e README.md ]] || fail 'there is no README.md'

# Each block as one line: its language, then its lines joined by "\n" (two characters).
mapfile -t blocks < <(awk '
  /^```/ && !inside { inside = 1; text = substr($0, 4) ":"; lines = 0; next }
  /^```/ { inside = 0; print text; next }
  inside { text = text (lines++ ? "\\n" : "") $0 }' README.md)
commands=()
for block in "${blocks[@]}"; do
  case ${block%%:*} in
    sh) commands+=("${block#*:}") ;;
    bash | shell | console | zsh) ((${#commands[@]} >= 2)) || fail "a ${block%%:*} block stands above the two commands" ;;
  esac
done
((${#commands[@]} >= 2)) || fail 'the README has fewer than two sh blocks'
for command in "${commands[@]:0:2}"; do
  [[ -n $command && $command != *'\n'* ]] || fail "not one line: $command"
  files=0
  for word in $command; do
    if [[ $word == */* ]]; then
      [[ -e $word ]] || fail "no such file: $word, in: $command"
      files=$((files + 1))
    fi
  done
  ((files > 0)) || fail "names no file: $command"
done

snippets=0
while IFS= read -r line; do
  grep -qxF -- "$line" examples/first_steps/main.cpp || fail "not in examples/first_steps: $line"
  snippets=$((snippets + 1))
done < <(awk '
  /^## / { shown = $0 == "## The library by example" }
  /^```/ { inside = shown && $0 == "```cpp"; next }
  inside && NF' README.md)
((snippets > 0)) || fail 'the README shows no snippets'

for readme in README.md examples/README.md; do
  while IFS= read -r picture; do
    [[ -e $(dirname "$readme")/$picture ]] || fail "$readme shows a picture that is not there: $picture"
  done < <(sed -n 's/.*!\[[^]]*\](\([^)]*\)).*/\1/p' "$readme")
done
note "${commands[0]} | ${commands[1]} | $snippets lines of snippets are compiled"

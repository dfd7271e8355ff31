#!/usr/bin/env bash
# The README's first two shell blocks are the two commands: one line each, naming files that exist.
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
note "${commands[0]} | ${commands[1]}"

#!/usr/bin/env bash
# Breaks the operators of mutations.txt one by one in a copy of the module and
# runs the conformance test on it, which must see each. Takes PULSE_CONFORMANCE
# as the test does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${PULSE_CONFORMANCE:?names no folder of test vectors}
case $folder in /*) ;; *) folder=$root/$folder ;; esac
export PULSE_CONFORMANCE=$folder

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -C "$root" --exclude=./.git --exclude=node_modules -cf - . | tar -C "$copy" -xf -

# conform runs the test on the copy; -trimpath lets copies share the build cache.
conform() { (cd "$copy" && go test -count=1 -trimpath -vet=off -ldflags='-s -w' -run '^TestConformance$' ./bench/conformance 2>&1); }

# replace puts $3 in place of $2 in the file $1 of the copy.
replace() {
  local text rest
  text=$(cat "$copy/$1" && echo .)
  text=${text%.}
  rest=${text#*"$2"}
  if [ "$rest" = "$text" ] || [ "${rest#*"$2"}" != "$rest" ]; then
    echo "does not stand exactly once in $1: $2" >&2
    return 1
  fi
  printf '%s' "${text%%"$2"*}$3$rest" >"$copy/$1"
}

seen=0 total=0
try() {
  local output
  [ -n "$name" ] || return 0
  total=$((total + 1))
  replace "$file" "$old" "$new"
  output=$(conform || true)
  if grep -Eq '^conformance: [0-9]+ passed, [1-9][0-9]* failed' <<<"$output"; then
    seen=$((seen + 1))
    echo "seen      $name: $(grep -E '^conformance: ' <<<"$output")"
  else
    echo "NOT SEEN  $name"
    tail -5 <<<"$output"
  fi
  cp "$root/$file" "$copy/$file"
  name='' file='' old='' new=''
}

if ! clean=$(conform); then
  echo "the test fails before anything is broken:" >&2
  tail -20 <<<"$clean" >&2
  exit 1
fi

name='' file='' old='' new=''
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
  '#'*) ;;
  '- '*) old=${old:+$old$'\n'}${line#- } ;;
  '+ '*) new=${new:+$new$'\n'}${line#+ } ;;
  'file '*) file=${line#file } ;;
  '') ;;
  *)
    try
    name=$line
    ;;
  esac
done <"$here/mutations.txt"
try

echo "mutations: $seen of $total seen"
[ "$seen" -eq "$total" ] && [ "$total" -gt 0 ]

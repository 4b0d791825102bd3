#!/bin/sh
# Runs one case of the command line's tests: run_case.sh CASE TERSE TESTDATA
#   CASE/cmd                        shell lines, run in a fresh folder; $TERSE and $TESTDATA are set
#   CASE/stdout, CASE/stderr, CASE/exit   what must come out (an absent file: nothing)
# Seconds, memory, versions and instruction sets are masked. TERSE_REWRITE=1 makes what came out the new expectation.
set -u
case=$1
export TERSE=$2 TESTDATA=$3
unset NO_COLOR
folder=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
mkdir "$folder/work" && cd "$folder/work" || exit 1

sh "$case/cmd" >"$folder/stdout.raw" 2>"$folder/stderr.raw" </dev/null
echo $? >"$folder/exit"

mask() {
  sed -E -e 's/^(time|peak memory|version) +[0-9].*/\1 MASKED/' -e 's/^terse [0-9]+\.[0-9]+\.[0-9]+$/terse VERSION/' \
    -e 's/("(seconds|peak_memory_bytes)": )[0-9.e+-]+/\1"MASKED"/' \
    -e 's/("(instruction_set|version|terse.version)": )"[a-z0-9.]+"/\1"MASKED"/' "$1"
}
mask "$folder/stdout.raw" >"$folder/stdout"
mask "$folder/stderr.raw" >"$folder/stderr"

failed=0
for name in stdout stderr exit; do
  if [ -n "${TERSE_REWRITE:-}" ]; then
    rm -f "$case/$name"
    if [ -s "$folder/$name" ]; then cp "$folder/$name" "$case/$name"; fi
    continue
  fi
  expected=$case/$name
  [ -e "$expected" ] || expected=/dev/null
  diff -u --label "expected $name" --label "found $name" "$expected" "$folder/$name" || failed=1
done
exit $failed

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh TARGET...: each fuzz target for VIRT_KEEP_FUZZ_SECONDS (10), starting
# with its corpus, as many at once as there are processors.  What "make check-fuzz" runs.  An input that ends a target is
# left in the current directory.
set -u

seconds=${VIRT_KEEP_FUZZ_SECONDS:-10}
sources=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT

# is_libfuzzer TARGET
is_libfuzzer ()
{
  "$1" -help=1 2>&1 | grep -q 'libFuzzer'
}

# run TARGET
run ()
{
  local target=$1 name=${1##*/fuzz-} corpus log
  corpus=$sources/corpus/${name#restic-}
  log=$scratch/$name.log
  if is_libfuzzer "$target"; then
    # What libFuzzer finds new goes into the first directory.
    mkdir "$scratch/$name"
    "$target" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
      -artifact_prefix="crash-${target##*/}-" "$scratch/$name" "$corpus" 2>"$log"
  else
    "$target" "$corpus" "$seconds" 2>"$log"
  fi && { grep 'number_of_executed_units' "$log" | sed "s|^|${target##*/}: |"; return; }
  cat "$log"
  echo "FAILED: $target"
  return 1
}

failed=0 running=0
for target; do
  if [ $running -ge "$(nproc)" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  run "$target" &
  running=$((running + 1))
done
for ((; running > 0; running--)); do
  wait -n || failed=1
done
exit $failed

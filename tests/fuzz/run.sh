#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run.sh TARGET...: each fuzz target for VIRT_KEEP_FUZZ_SECONDS (10), starting
# with its corpus.  What "make check-fuzz" runs.  An input that ends a target is
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

failed=0
for target; do
  name=${target##*/fuzz-}
  corpus=$sources/corpus/${name#restic-}
  if is_libfuzzer "$target"; then
    # What libFuzzer finds new goes into the first directory.
    mkdir "$scratch/${target##*/}"
    "$target" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
      -artifact_prefix="crash-${target##*/}-" "$scratch/${target##*/}" "$corpus" 2>"$scratch/log"
  else
    "$target" "$corpus" "$seconds" 2>"$scratch/log"
  fi && { grep 'number_of_executed_units' "$scratch/log" | sed "s|^|${target##*/}: |"; continue; }
  cat "$scratch/log"
  echo "FAILED: $target"
  failed=1
done
exit $failed

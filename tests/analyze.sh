#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# analyze.sh FLAG... -- SOURCE...: what gcc's analyzer and clang-tidy find in the C files among
# the sources of the tree, which are compiled with these flags.  What "make check-analyzers" runs.
# It fails when either finds something.
set -u

flags=()
while [ "$1" != -- ]; do
  flags+=("$1")
  shift
done
shift
if [ $# != 1 ]; then
  for program in gcc clang-tidy; do
    command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 1; }
  done
  printf '%s\0' "$@" | grep -z '\.c$' | xargs -0 -n 1 -P "$(nproc)" "$0" "${flags[@]}" --
  exit
fi

source=$(dirname "$0")/../$1

# report COMMAND...: shows what it says if it fails.
failed=0
report ()
{
  local said
  said=$("$@" 2>&1) && return
  printf '%s\n' "$said"
  failed=1
}

# With optimisation gcc joins the ends of blocks, and takes g_autofree variables of one for
# uninitialised in the other.
report gcc "${flags[@]}" -O0 -U_FORTIFY_SOURCE -fanalyzer -Werror -c -o /dev/null "$source"
report clang-tidy --quiet "$source" -- "${flags[@]}"
exit $failed

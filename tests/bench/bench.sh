#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bench.sh [PART...]
#
# Prints how long backup, restore and verify take compared with doing the same by
# hand and with virtnbdbackup, and how much memory they need.  README.md beside this
# file tells how to read it.  Nothing is asserted: a missed aim is printed, not
# an error.  PART is copy, full, restore, restic, chunks, boot, unchanged,
# scattered, many, verify, memory or guest; all of them otherwise.
#
# Environment: VIRT_KEEP is the program (else build/tool/virt-keep of the tree),
# BENCH_RUNS how often each contender runs after a warm-up (5), BENCH_DOMAINS how many
# domains the part many has (50).
#
# shellcheck disable=SC2031  # what lib.sh sets in a subshell is not read here
# shellcheck disable=SC2034  # what its other files use
set -u

tests=${G_TEST_SRCDIR:-$(cd "$(dirname "$0")/.." && pwd)}
# The guest of the part boot has to be built while there is a network.
[ -n "${VIRT_KEEP_GUEST:-}" ] || { VIRT_KEEP_GUEST=$("$tests/lab/make-guest") && export VIRT_KEEP_GUEST; }
[ -n "${VIRT_KEEP_LAB:-}" ] || exec "$tests/lab/private-libvirtd" "$BASH" "$0" "$@"
# shellcheck source=tests/lab/lib.sh
. "$tests/lab/lib.sh"

runs=${BENCH_RUNS:-5}
[[ $runs =~ ^[1-9][0-9]*$ ]] || bail "BENCH_RUNS is not a number of runs: $runs"
gib=$((1 << 30))
free_kib=$(df --output=avail "$lab" | tail -n 1)
[ "$free_kib" -ge $((16 << 20)) ] || bail "$lab has less than 16 GiB left"

# QEMU's user creates scratch files, sockets and push targets in here.
work=$lab/work
mkdir -m 0777 "$work"
figures=$lab/figures # SUBJECT ROUND SECONDS; round 0 is the warm-up
phases=$lab/phases   # SUBJECT ROUND PHASE SECONDS
touch "$figures" "$phases"
round=
domain=bench size=4G # whose disk vda the contenders copy

note ()
{
  [ ! -t 2 ] || printf '\r\e[K%s' "$*" >&2
}

# must COMMAND...: what it says is only of interest when it fails.
must ()
{
  "$@" >"$lab/said" 2>&1 </dev/null || bail "failed: $*: $(tail -c 1000 "$lab/said")"
}

# must_pipe COMMAND...: the same for one that reads what is piped to it.
must_pipe ()
{
  "$@" >"$lab/said" 2>&1 || bail "failed: $*: $(tail -c 1000 "$lab/said")"
}

# shellcheck source=/dev/null
[ -z "${VIRT_KEEP_GUEST:-}" ] || . "$tests/lab/guest.sh"
# shellcheck source=/dev/null
. "$tests/lab/boot-lib.sh"
for part in measure contenders whole changed chunks repository machine many memory guest; do
  # shellcheck source=/dev/null
  . "$tests/bench/$part.sh"
done

# ---- all of it -----------------------------------------------------------------

print_machine
[ $# != 0 ] || set -- copy full restore restic chunks boot unchanged scattered many verify memory guest
for part; do
  case $part in
    copy | full | restore | verify | memory) need_disk ;;
    restic | chunks | boot | unchanged | scattered | many | guest) ;;
    *) bail "no such part: $part" ;;
  esac
  case $part in
    copy | full) part_backup "$part" ;;
    *) "part_$part" ;;
  esac
done

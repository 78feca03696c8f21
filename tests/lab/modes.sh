#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever the umask, files that virt-keep makes have the mode 0600, and directories 0700,
# or 0711 where QEMU's user passes through; others may read what is made for them, and no more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
. "$(dirname "$0")/boot-lib.sh"

make_domain guest vda:qcow2:32M
make_big_domain big
guest_write guest vda 0x42 1M 1M
uuid=$(virsh domuuid big | head -c 8)

# open_ones FILE...: what there is below with another mode.  What restic stores is read-only, and a
# socket is executable; that of the backup job is QEMU's.
open_ones ()
{
  find "$@" '(' -type f ! -perm 0600 ! -perm 0400 -o -type d ! -perm 0700 ! -perm 0711 \
    -o -type s ! -name nbd.sock -perm /0077 ')' -printf '%m %p\n' 2>&1
}

# sound WHAT FILE...: something is there, and nothing below is open.
sound ()
{
  local what=$1
  shift
  if ls -d "$@" >/dev/null; then
    is "$(open_ones "$@")" "" "$mask: $what: no mode is another one"
  else
    not_ok "$mask: $what: is there"
  fi
}

# under MASK: from now on everything is done with this umask, below $home.
under ()
{
  mask=$1
  home=$lab/$mask
  umask 022
  mkdir -m 0711 "$home"
  mkdir "$home/metrics"
  export VIRT_KEEP_STATE_DIR=$home/state XDG_CACHE_HOME=$home/cache
  boots=$VIRT_KEEP_STATE_DIR/boots
  umask "$mask"
}

for mask in 077 000; do
  under $mask
  store=$home/images
  for arguments in "" "--mode pull" "--max-chain 2 --synthetic-full"; do
    # shellcheck disable=SC2086  # words
    keep --store "$store" --json backup guest $arguments --metrics "$home/metrics/virt-keep.prom"
    exits 0 "$mask: backup guest $arguments"
  done
  is "$(json .synthetic)" true "$mask: the last one is a synthetic full"
  sound "the store" "$store"
  is "$(stat -c %a "$home/metrics/virt-keep.prom")" 644 "$mask: collectors can read the metrics"
  sound "what lies beside them" "$home/metrics/".*.lock
  keep --store "$store" report --html "$home/report.html"
  is "$code $(stat -c %a "$home/report.html")" "0 644" "$mask: others can read the page of report"
  keep --store "$store" restore guest --to "$home/restored"
  exits 0 "$mask: a restore"
  sound "what is restored" "$home/restored"
  boots guest "$mask: a boot"
  sound "its door, its disk and what is written down of it" "$boots" "$(dirname "$(json .overlays.vda)")"
  virsh -q destroy "$booted"
  keep boot --discard "$booted"
done

keep --store "$store" protect "$("$VIRT_KEEP" --store "$store" --json list >"$lab/list.json"; json_get "$lab/list.json" '.points[0].point')"
exits 0 "a point is protected"
keep --store "$store" prune guest --keep-last 1
exits 0 "a prune"
keep --store "$store" --json prove guest --expect console:never --timeout 1 --evidence "$home/evidence"
exits 13 "a proof of what says nothing"
sound "its evidence" "$home/evidence"
sound "what virt-keep knows" "$VIRT_KEEP_STATE_DIR"
for mode in push pull; do
  held_backup $mode big
  sound "the store, while a backup in $mode mode runs" "$store"
  [ $mode = push ] || sound "and its private directories" /var/tmp/virt-keep-*-"$uuid"-*
  let_go big
  keep_ends 300
  exits 0 "it succeeds"
done
sound "after all of this the store" "$store"

store=restic:$home/repository
mkdir -m 0711 "$home/scratch"
keep --store "$store" --json init
for number in 1 2; do
  keep --store "$store" --json backup guest --scratch-dir "$home/scratch"
  exits 0 "backup $number into a restic store"
done
keep --store "$store" restore guest --to "$home/from-restic"
exits 0 "a restore from there"
keep --store "$store" prune guest --keep-last 1
exits 0 "a prune there"
sound "the repository" "$home/repository"
sound "what is restored from there" "$home/from-restic"
sound "what is kept beside a repository" "$XDG_CACHE_HOME/virt-keep"

done_testing

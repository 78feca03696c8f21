#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a store that is full, has no inodes left, cannot be written to, or goes away in the
# middle costs the backup, and nothing else; once it is back the next one succeeds.  So does
# one after a qemu-nbd or a virt-keep that stood still.  Where the file system of a store is not
# mounted, no other one is made in the empty directory.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can mount a file system"
# The store is shown at a second place, so that it is still there when it has gone from the
# first one.  QEMU sees what was mounted before its domain started.
kept=$lab/kept
mkdir -m 0711 "$kept" "$store"
mount -t tmpfs -o size=1500m,nr_inodes=3000,mode=711 virt-keep "$kept" 2>/dev/null || skip_all "no small file system can be mounted"
cleanup_fn umount -l "$kept"
cleanup_fn umount -l "$store"
mount --bind "$kept" "$store"

# fill BYTES: only so much is left.
fill ()
{
  local left
  left=$(($(stat -f -c '%a * %S' "$kept")))
  fallocate -l $((left - $1)) "$kept/.filler"
}

# use_up_inodes: none is left.
use_up_inodes ()
{
  mkdir "$kept/.filler"
  # shellcheck disable=SC2034
  for n in $(seq "$(stat -f -c %d "$kept")"); do : >"$kept/.filler/$n"; done 2>/dev/null
}

make_room ()
{
  rm -rf "$kept/.filler"
}

# fails_as_store: with the status of the store's failures.
fails_as_store ()
{
  exits 9 "$fault_name: the backup fails as the store's fault"
  like "$(json .error.message)" "$1" "$fault_name: and says why"
}

fault_lab image
fault "store not mounted"
umount -l "$store"
keep --store "$store" --json list "$victim"
exits 9 "$fault_name: nothing can be listed"
like "$(json .error.message)" "not mounted at '$store'" "$fault_name: and list says why"
keep --store "$store" --json doctor "$victim"
exits 12 "$fault_name: doctor finds a problem"
like "$(cat "$out")" "not mounted at" "$fault_name: which is this one"
keep --store "$store" --json backup "$victim"
is "$(ls -A "$store")" "" "$fault_name: no other store is made in the directory below it"
fails_as_store "not mounted at '$store'.*virt-keep init"
mount --bind "$kept" "$store"
after_fault
is "$next_level" incremental "$fault_name: the next backup goes on where the last one ended"

# Whoever wants another store there gets it, and so does who has removed one.
umount -l "$store"
keep --store "$store" init
exits 0 "init makes a store where another one is not mounted"
rm -rf "${store:?}"/*
mount --bind "$kept" "$store"
for again in "a first backup makes a store" "and another one where that was removed"; do
  keep --store "$kept/other" --json backup "$victim" --disk vda --level copy
  exits 0 "$again"
  rm -rf "$kept/other"
done

modes="push pull"
whole || modes=pull
for mode in $modes; do
  fault "store full, $mode"
  fill $((24 << 20))
  keep --store "$store" --json backup "$victim" --mode "$mode" --level full
  make_room
  fails_as_store "No space left|cannot hold|bytes"
  after_fault --mode "$mode"

  if whole; then
    fault "no inodes left, $mode"
    use_up_inodes
    keep --store "$store" --json backup "$victim" --mode "$mode"
    make_room
    fails_as_store "No space left"
    after_fault --mode "$mode"

    fault "store read-only, $mode"
    mount -o remount,bind,ro "$store"
    keep --store "$store" --json list "$victim"
    exits 0 "$fault_name: its points are listed"
    keep --store "$store" --json backup "$victim" --mode "$mode"
    mount -o remount,bind,rw "$store"
    fails_as_store "Read-only file system"
    after_fault --mode "$mode"
  fi

  fault "store gone during the backup, $mode"
  held "$mode"
  umount -l "$store"
  held_go
  keep_ends 120
  is "$(ls -A "$store")" "" "$fault_name: nothing is written to the directory below it"
  mount --bind "$kept" "$store"
  fails_as_store "$store|not found|No such file"
  after_fault --mode "$mode"
done

if whole; then
  fault "the writer of the image stands still, pull"
  export VIRT_KEEP_COPY_STALL_SECONDS=3
  held pull
  unset VIRT_KEEP_COPY_STALL_SECONDS
  keep_ends 60
  fails_as_store "has taken nothing for 3 seconds"
  after_fault --mode pull
fi

faults_done

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup whose bytes the kernel could not write to the disk of the store fails, also
# when others have been told of it before virt-keep asks: the kernel tells every descriptor once,
# and QEMU keeps it to itself when it closes an image.  The next backup succeeds.
#
# The store is an ext4 without a journal on a loop device on a file of nbdfuse's, behind which
# nbdkit answers writes with EIO while a file exists.
. "$(dirname "$0")/../lab/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can mount a file system"
for program in nbdkit nbdfuse losetup mkfs.ext4; do
  command -v $program >/dev/null || skip_all "$program is not installed"
done
loop_devices || skip_all "no loop devices"

broken=$lab/broken
mkdir "$lab/fuse"
nbdkit -f -U "$lab/nbd" --filter=error memory 900M \
  error-pwrite=EIO error-pwrite-rate=100% error-file="$broken" >"$lab/nbdkit.log" 2>&1 &
cleanup_fn kill $!
wait_for 20 test -S "$lab/nbd" || bail "nbdkit does not serve: $(cat "$lab/nbdkit.log")"
nbdfuse "$lab/fuse/disk" --unix "$lab/nbd" >"$lab/nbdfuse.log" 2>&1 &
cleanup_fn umount -l "$lab/fuse"
wait_for 20 test -e "$lab/fuse/disk" || skip_all "nbdfuse shows nothing: $(cat "$lab/nbdfuse.log")"
device=$(losetup --find --show "$lab/fuse/disk" 2>"$lab/said") || skip_all "no loop device: $(cat "$lab/said")"
cleanup_fn losetup --detach "$device"
mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=0 "$device" || bail "no file system"
mkdir -m 0711 "$store"
mount -t ext4 -o noatime,errors=continue "$device" "$store" || bail "the store is not mounted"
cleanup_fn umount -l "$store"
chmod 0711 "$store"

# lose_write: some of the image does not get to the disk, and dd is told.
lose_write ()
{
  local image
  image=$(find "$store" -path '*/.partial-*' -name vda.qcow2)
  touch "$broken"
  ! dd if="$image" of="$image" bs=4k count=1 conv=notrunc,fsync status=none 2>"$lab/said" || bail "the write does not fail"
  rm "$broken"
  grep -q "Input/output error" "$lab/said" || bail "dd: $(cat "$lab/said")"
}

keep --store "$store" init
make_big_domain guest
shadow guest vda "$lab/then.raw"
for mode in push pull; do
  remember guest
  held_backup $mode guest
  lose_write
  let_go guest
  keep_ends 120
  exits 9 "$mode: a backup fails that the kernel could not write"
  like "$(json .error.message)" "Input/output error" "$mode: and says so"
  no_trace guest "$mode: after that"
  keep --store "$store" --json backup guest --mode $mode --level full
  exits 0 "$mode: the next backup succeeds"
  holds "$mode: and has the bytes of the disk" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"
done

done_testing

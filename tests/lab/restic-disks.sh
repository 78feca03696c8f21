#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: several disks of odd sizes, written to meanwhile, resized, raw, shut off or
# without their bitmap come out of a restic repository as they were.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

# all_disks_are CLAIM: the three disks are in the last point as they are now.
all_disks_are ()
{
  local disk
  for disk in vda vdb vdc; do
    shadow guest $disk "$lab/$disk.raw"
    holds "$1: $disk is in it, byte for byte" dumps_to "$(json .point)" $disk "$lab/$disk.raw"
  done
}

make_domain guest vda:qcow2:100M vdb:qcow2:262657K vdc:raw:3073K
guest_write guest vda 0x11 0 30M
guest_write guest vdb 0x12 262144k 513k
guest_write guest vdc 0x13 3072k 1k
keep --store "$store" init

writer_start guest vda 100
for n in 1 2 3; do
  guest_write guest vdb $n $((RANDOM % 200))M 70k
  guest_discard guest vdb $((RANDOM % 200))M 2M
  guest_write guest vdc $n 1M 64k
  keep --store "$store" --json backup guest
  exits 0 "backup $n of three disks that are written to"
  is "$(json '.disks[0].level') $(json '.disks[1].level') $(json '.disks[2].level')" \
     "$([ $n = 1 ] && echo full full full || echo incremental incremental full)" "which disks are incremental"
done
writer_stop
keep --store "$store" --json backup guest
all_disks_are "what has been put together"
is "$(json '.disks[1].size')" $((262657 << 10)) "a size that is no multiple of a chunk is kept"
repository_is_sound "so far"

keep --store "$store" --json backup guest --exclude vdc --threshold 1M
exits 2 "a threshold is a number"
keep --store "$store" --json backup guest --exclude vdc --threshold 1000000
exits 11 "below it nothing is done"

virsh -q blockresize guest vdb 300M
guest_write guest vdb 0x21 299M 1M
keep --store "$store" --json backup guest
exits 0 "after a disk was resized"
is "$(json .level) $(json '.disks[0].level') $(json '.disks[1].level')" "incremental incremental full" "that one is read whole"
like "$(json '.disks[1].reason')" "size" "and the result says why"
holds "but only what is new is stored" test "$(json '.disks[1].bytes_added')" -le $((1 << 20))
all_disks_are "after a resize"

virsh -q checkpoint-delete guest "$(json .checkpoint)"
guest_write guest vda 0x22 1M 64k
keep --store "$store" --json backup guest
is "$(json .level)" full "without its checkpoint all is read"
like "$(json .reason)" "checkpoint" "and the result says why"
holds "but only what is new is stored, too" test "$(json '.disks[0].bytes_added')" -le $((512 << 10))
all_disks_are "without a checkpoint"

for disk in vda vdb vdc; do
  guest_flush guest $disk
done
virsh -q destroy guest
keep --store "$store" --json backup guest
exits 0 "a domain that is shut off"
is "$(json .mode) $(json .level)" "direct incremental" "is read directly, from its bitmaps"
is "$(json '.disks[0].bytes_added')" 0 "and nothing is new"
qemu-io -f qcow2 -c 'write -P 0x23 7M 1M' "${disk_file[guest:vda]}" >/dev/null
qemu-img convert -f qcow2 -O raw "${disk_file[guest:vda]}" "$lab/vda.raw"
keep --store "$store" --json backup guest
holds "what is written meanwhile is in the next one" dumps_to "$(json .point)" vda "$lab/vda.raw"
repository_is_sound "in the end"

done_testing

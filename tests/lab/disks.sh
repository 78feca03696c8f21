#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: all disks of a domain are taken at one instant, those and no other that
# were asked for, and what cannot be taken is said before anything starts.
. "$(dirname "$0")/lib.sh"

targets ()
{
  local i n
  n=$(json .disks.length)
  for ((i = 0; i < n; i++)); do
    json ".disks[$i].target"
  done | sort | paste -sd' '
}

left_out ()
{
  local i n
  n=$(json .left_out.length)
  for ((i = 0; i < n; i++)); do
    json ".left_out[$i].target"
  done | sort | paste -sd' '
}

head -c 300000 /dev/urandom >"$lab/seed.iso"
head -c 100000 /dev/urandom >"$lab/other.iso"
make_domain three vda:qcow2:32M vdb:raw:24M vdc:qcow2v2:16M vdd:qcow2:8M:readonly \
  "sda:cdrom:$lab/seed.iso" "sdb:cdrom:$lab/other.iso" sdc:cdrom:
for mode in push pull; do
  guest_write three vda 0xa1 0 2M
  guest_write three vdb 0xb1 1M 2M
  guest_write three vdc 0xc1 2M 2M
  for dev in vda vdb vdc; do
    shadow three $dev "$lab/$dev.raw"
  done

  keep --store "$store" --json backup three --mode $mode
  exits 0 "$mode: three disks of three formats are backed up"
  is "$(targets)" "vda vdb vdc" "$mode: the writable disks are taken"
  is "$(left_out)" "sda sdb sdc vdd" "$mode: the result lists the others"
  dir=$(point_dir "$(json .point)")
  for dev in vda vdb vdc; do
    holds "$mode: $dev (${disk_format["three:$dev"]}) holds the bytes of the instant" same_bytes "$dir/$dev.qcow2" "$lab/$dev.raw"
  done

  keep --store "$store" --json backup three --mode $mode --exclude vdb
  exits 0 "$mode: a disk can be excluded"
  is "$(targets)" "vda vdc" "$mode: then it is not taken"
  like " $(left_out) " " vdb " "$mode: and the result says so"
  holds "$mode: and has no image" test ! -e "$(point_dir "$(json .point)")/vdb.qcow2"

  keep --store "$store" --json backup three --mode $mode --disk vdb
  exits 0 "$mode: one disk can be chosen"
  is "$(targets)" vdb "$mode: then no other is taken"

  keep --store "$store" --json backup three --mode $mode --disk vda --disk sda
  exits 0 "$mode: a cdrom image can be named"
  holds "$mode: and is copied as it is" cmp "$(point_dir "$(json .point)")/sda.img" "$lab/seed.iso"
  keep --store "$store" --json restore three --to "$lab/seed-$mode" --disk sda
  exits 0 "$mode: and restored alone"
  is "$(ls "$lab/seed-$mode")" sda.img "$mode: and nothing else is"
  holds "$mode: with the same bytes" cmp "$lab/seed-$mode/sda.img" "$lab/seed.iso"
done

remember three
keep --store "$store" --json backup three --disk vdz
exits 3 "a disk that does not exist is not found"
like "$(json .error.message)" vdz "and named"
keep --store "$store" --json backup three --disk vdd
exits 5 "naming a disk that cannot be taken is refused"
like "$(json .error.message)" vdd "and named"
keep --store "$store" --json backup three --disk sdc
exits 5 "naming an empty drive is refused"
keep --store "$store" --json backup three --exclude vdz
exits 3 "excluding a disk that does not exist is an error"
no_trace three "after refusing,"
virsh -q destroy three

# What virt-keep cannot look at itself, QEMU says: that such an image can have no
# dirty bitmap.
mkdir -m 0711 "$lab/pool"
new_image "$lab/pool/old" qcow2v2 16M
virsh -q pool-create-as pool dir --target "$lab/pool"
make_domain volumes vda:qcow2:8M
echo "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='pool' volume='old'/><target dev='vdb' bus='virtio'/></disk>" >"$lab/disk.xml"
holds "a volume becomes a disk" virsh -q attach-device volumes "$lab/disk.xml"
for mode in push pull; do
  keep --store "$store" --json backup volumes --mode $mode --level full
  exits 0 "$mode: a volume of a storage pool is backed up that is qcow2 of version 2"
  is "$(targets)" "vda vdb" "$mode: with the other disk"
  is "$(json '.disks[0].bitmap') $(json '.disks[1].bitmap')" "true false" "$mode: which alone has a dirty bitmap"
  holds "$mode: and the checkpoint is there" virsh -q checkpoint-info volumes "$(json .checkpoint)"
done
virsh -q destroy volumes

make_domain none "sda:cdrom:$lab/seed.iso"
remember none
keep --store "$store" --json backup none
exits 5 "a domain with nothing to take is refused"
no_trace none "after that,"

done_testing

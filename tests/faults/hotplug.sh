#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a disk may come and go between two backups and during one: what was there all the
# time is in every point with its exact bytes, and the next backup succeeds.
. "$(dirname "$0")/lib.sh"

new_disk=$lab/$victim-vdc.qcow2

plug ()
{
  virsh attach-disk "$victim" "$new_disk" vdc --subdriver qcow2 --live >"$lab/said" 2>&1
}

unplug ()
{
  virsh detach-disk "$victim" vdc --live >"$lab/said" 2>&1
}

# disks: those that QEMU has.
disks ()
{
  virsh -q domblklist "$victim" | awk '{ print $1 }' | xargs
}

# shellcheck disable=SC2317  # called by wait_for
has_disks ()
{
  [ "$(disks)" = "$1" ]
}

fault_lab image
new_image "$new_disk" qcow2 32M
for mode in push pull; do
  fault "a disk is plugged in between two backups, $mode"
  plug || bail "attach-disk: $(cat "$lab/said")"
  keep --store "$store" --json backup "$victim" --mode "$mode"
  exits 0 "$fault_name: a backup succeeds"
  is "$(json '.disks.length')" 3 "$fault_name: and has it"
  after_fault --mode "$mode"

  fault "a disk is unplugged between two backups, $mode"
  unplug || bail "detach-disk: $(cat "$lab/said")"
  wait_for 60 has_disks "vda vdb" || bail "the guest does not give up the disk"
  keep --store "$store" --json backup "$victim" --mode "$mode"
  exits 0 "$fault_name: a backup succeeds"
  is "$(json '.disks.length')" 2 "$fault_name: without it"
  after_fault --mode "$mode"

  fault "a disk is plugged in during a backup, $mode"
  held "$mode"
  plug
  diag "attach-disk: $(xargs <"$lab/said")"
  held_go
  keep_ends 120
  exits 0 "$fault_name: the backup succeeds"
  [ "$(disks)" = "vda vdb vdc" ] || plug || bail "attach-disk: $(cat "$lab/said")"
  after_fault --mode "$mode"

  fault "a disk is unplugged during a backup of it, $mode"
  held "$mode"
  unplug
  diag "detach-disk: $(xargs <"$lab/said")"
  held_go
  keep_ends 120
  unlike "$code" "^1$" "$fault_name: the backup succeeds, or says what is wrong"
  [ "$(disks)" = "vda vdb" ] || unplug
  wait_for 60 has_disks "vda vdb" || bail "the guest does not give up the disk"
  after_fault --mode "$mode"
done
faults_done

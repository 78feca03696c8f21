#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever becomes of the guest during a backup, killed, destroyed, shut down or
# rebooted from inside, paused, reset, saved or moved, its points do not suffer, and the
# next backup succeeds.
. "$(dirname "$0")/lib.sh"

# inside PROGRAM...: busybox in the guest runs it; the agent's answer is lost with the guest.
inside ()
{
  local arguments
  printf -v arguments '"%s",' "$@"
  virsh qemu-agent-command "$victim" --timeout 20 \
    '{"execute":"guest-exec","arguments":{"path":"/bin/busybox","arg":['"${arguments%,}"']}}' >/dev/null 2>&1
}

# fails_busy COMMAND...: virsh refuses it while the backup job runs.
fails_busy ()
{
  ! virsh "$@" >"$lab/refused" 2>&1 && grep -Eq 'cannot acquire state change lock|block job|backup' "$lab/refused" || { diag "$(cat "$lab/refused")"; false; }
}

# go_on: of a push the job is slow no more, of a pull the reader reads.
go_on ()
{
  held_go >/dev/null
  keep_ends 120
}

fault_lab image
modes="push pull"
whole || modes=push
for mode in $modes; do
  fault "destroyed, $mode"
  held "$mode"
  virsh -q destroy "$victim"
  [ "$mode" = push ] || held_go
  keep_ends 60
  exits 6 "$fault_name: the guest is what virt-keep complains of"
  start_victim
  after_fault --mode "$mode"

  whole || continue

  fault "shut down from inside, $mode"
  held "$mode"
  inside poweroff -f
  wait_for 60 guest_is_off "$victim" || bail "the guest does not power off"
  [ "$mode" = push ] || held_go
  keep_ends 60
  exits 6 "$fault_name: the guest is what virt-keep complains of"
  start_victim
  after_fault --mode "$mode"

  fault "QEMU is killed, $mode"
  held "$mode"
  kill_qemu "$victim"
  [ "$mode" = push ] || held_go
  keep_ends 60
  exits 6 "$fault_name: the guest is what virt-keep complains of"
  start_victim
  after_fault --mode "$mode"

  fault "rebooted from inside, $mode"
  held "$mode"
  inside reboot -f
  go_on
  exits 0 "$fault_name: that does not concern the backup"
  after_fault --mode "$mode"

  fault "reset, $mode"
  held "$mode"
  virsh -q reset "$victim"
  go_on
  exits 0 "$fault_name: that does not concern the backup"
  after_fault --mode "$mode"

  fault "paused and resumed, $mode"
  held "$mode"
  virsh -q suspend "$victim"
  go_on
  exits 0 "$fault_name: that does not concern the backup"
  is "$(guest_state "$victim")" paused "$fault_name: and it is not resumed by virt-keep"
  virsh -q resume "$victim"
  after_fault --mode "$mode"

  fault "saved and moved away, $mode"
  held "$mode"
  holds "$fault_name: libvirt refuses to save it to a file" fails_busy save "$victim" "$lab/saved"
  holds "$fault_name: libvirt refuses a managed save" fails_busy managedsave "$victim"
  holds "$fault_name: libvirt refuses to migrate it" fails_busy migrate --live "$victim" "$LIBVIRT_DEFAULT_URI"
  go_on
  exits 0 "$fault_name: that does not concern the backup"
  after_fault --mode "$mode"

  fault "saved and restored between two backups, $mode"
  virsh -q managedsave "$victim"
  keep --store "$store" --json backup "$victim" --mode "$mode"
  exits 0 "$fault_name: meanwhile its disks are backed up as they lie there"
  virsh -q start "$victim"
  after_fault --mode "$mode"
done
faults_done

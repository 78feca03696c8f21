#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup whose scratch files are full, so that QEMU pauses the guest, whose NBD
# server is cut off, or whose QEMU stands still for too long, fails and says why; the guest runs on, its points
# do not suffer, and the next backup succeeds.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can mount a file system"
# QEMU sees what was mounted before its domain started.
scratch=$lab/scratch
mkdir -m 0711 "$scratch"
mount -t tmpfs -o size=64m,mode=711 virt-keep "$scratch" 2>/dev/null || skip_all "no small file system can be mounted"
cleanup_fn umount -l "$scratch"

# qemu_pid: the process of the victim.
qemu_pid ()
{
  cat "/run/libvirt/qemu/$victim.pid"
}

# shellcheck disable=SC2317  # called by wait_for
was_paused ()
{
  grep -q '"event":"io-error"' "$err"
}

fault_lab image

fault "scratch full, and the guest paused by it"
held pull --scratch-dir "$scratch" --scratch-reserve 0 --progress json
fallocate -l $(($(stat -f -c '%a * %S' "$scratch"))) "$scratch/filler"
holds "$fault_name: QEMU pauses the guest" wait_for 120 was_paused
keep_ends 120
rm "$scratch/filler"
exits 15 "$fault_name: that is what ends the backup"
like "$(json .error.message)" "QEMU paused the domain.*the domain resumed" "$fault_name: which says that the guest was paused, and is not any more"
after_fault --mode pull

fault "the NBD server is cut off"
held pull
virsh -q qemu-monitor-command "$victim" '{"execute":"nbd-server-stop"}' >"$lab/said" 2>&1
like "$(cat "$lab/said")" '"return":' "$fault_name: QEMU does so"
held_go
keep_ends 120
exits 1 "$fault_name: that ends the backup"
like "$(json .error.message)" "disk 'vd[ab]': the connection to its NBD server was lost" "$fault_name: which says why"
after_fault --mode pull

fault "QEMU, and with it the NBD server, stands still for a moment"
held pull
kill -STOP "$(qemu_pid)"
held_go
sleep 3
kill -CONT "$(qemu_pid)"
keep_ends 120
exits 0 "$fault_name: virt-keep waits for it"
after_fault --mode pull

# As long as it does, libvirt answers nobody who asks for the job, or to end it; and a push is not
# let go, which QEMU would have to do.
for mode in pull push; do
  fault "QEMU hangs amid a $mode"
  export VIRT_KEEP_COPY_STALL_SECONDS=3
  held $mode --quiesce never
  unset VIRT_KEEP_COPY_STALL_SECONDS
  kill -STOP "$(qemu_pid)"
  [ $mode = push ] || held_go
  keep_ends 120
  exits 6 "$fault_name: that ends the backup"
  like "$(json .error.message)" "QEMU of the domain '$victim' does not answer" "$fault_name: which says so"
  like "$(json .warnings)" "not everything could be cleaned up" "$fault_name: and that its job may go on"
  kill -CONT "$(qemu_pid)"
  [ $mode = pull ] || held_go
  after_fault --mode $mode

  fault "QEMU hangs amid a $mode, which is then told to end"
  held $mode --quiesce never
  kill -STOP "$(qemu_pid)"
  [ $mode = push ] || held_go
  sleep 4
  kill -TERM "$keeper"
  keep_ends 120
  exits 143 "$fault_name: and does so"
  kill -CONT "$(qemu_pid)"
  [ $mode = pull ] || held_go
  after_fault --mode $mode
done

faults_done

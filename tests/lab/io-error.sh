#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a guest whose own disk has no room left is paused by QEMU, also during a backup;
# virt-keep says so, ends the job and cleans up, and leaves the guest paused.
. "$(dirname "$0")/lib.sh"

# QEMU sees only what was mounted before its domain started.
disks=$lab/disks
mkdir -m 0711 "$disks"
mount -t tmpfs -o size=24m,mode=711 virt-keep "$disks" 2>/dev/null || skip_all "only root can mount a small file system"
cleanup_fn umount -l "$disks"

make_domain guest vda:qcow2:512M
virsh -q destroy guest
mv "${disk_file[guest:vda]}" "$disks/vda.qcow2"
virsh dumpxml guest --inactive | sed "s|${disk_file[guest:vda]}|$disks/vda.qcow2|" >"$lab/moved.xml"
virsh -q define "$lab/moved.xml"
disk_file[guest:vda]=$disks/vda.qcow2
qemu-io -f qcow2 -c "write -P 0x11 1M 8M" "$disks/vda.qcow2" >/dev/null || bail "no data"
# It is to write on only when the job runs.
virsh dumpxml guest --inactive | perl -pe 's|(</disk>)|<iotune><write_bytes_sec>1</write_bytes_sec></iotune>$1|' >"$lab/slow.xml"
virsh -q define "$lab/slow.xml"
start_writer guest

remember guest
keep_in_background --store "$store" --json backup guest --mode pull --level full --max-rate 100K --progress json
wait_for 30 has_job guest || bail "no pull job was seen"
wait_for 30 grep -q '"phase":"copy"' "$err"
writes guest 0
keep_ends 120
exits 6 "a guest paused by an I/O error ends the backup with code 6"
is "$(json .ok) $(json .error.class)" "false guest" "which --json tells as well"
like "$(json .error.message)" "paused by an I/O error .*\\(enospc\\)" "with the reason"
grep '"event":"io-error"' "$err" | head -n 1 >"$lab/event"
is "$(json_get "$lab/event" .reason) $(json_get "$lab/event" .action)" "enospc pause" "the I/O error is an event"
like "$(virsh domstate guest --reason)" "paused .I/O error" "the guest, which the backup has not stopped, is still paused"
mount -o remount,size=64m "$disks"
holds "with room for it, it can be resumed" virsh -q resume guest
no_trace guest "after that"

keep --store "$store" --json backup guest
exits 0 "the next backup succeeds"

done_testing

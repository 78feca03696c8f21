#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup that meets another one, of virt-keep or of somebody else, or a block job,
# is refused and does no harm to the other; the next backup succeeds.
. "$(dirname "$0")/lib.sh"

# refused: virt-keep says that the domain is busy.
refused ()
{
  keep --store "$store" --json backup "$victim" --mode "$1"
  exits 4 "$fault_name: the backup is refused as busy"
}

fault_lab image
for mode in push pull; do
  fault "another tool's backup job, $mode"
  cat >"$lab/backup.xml" <<EOT
<domainbackup mode='pull'><server transport='unix' socket='/run/libvirt/foreign.sock'/>
<disks><disk name='vda' backup='no'/><disk name='vdb' backup='yes' type='file'><scratch file='$(xml_text "$lab/foreign.scratch")'/></disk></disks></domainbackup>
EOT
  mkdir -p "$lab/foreign"
  chown libvirt-qemu "$lab/foreign" 2>/dev/null
  sed -i "s|/run/libvirt/foreign.sock|$lab/foreign/nbd.sock|" "$lab/backup.xml"
  virsh -q backup-begin "$victim" "$lab/backup.xml" >"$lab/begin" 2>&1 || bail "backup-begin: $(cat "$lab/begin")"
  refused $mode
  holds "$fault_name: the other job goes on" has_job "$victim"
  virsh -q domjobabort "$victim"
  wait_for 30 no_job "$victim"
  after_fault --mode "$mode"

  fault "another tool's block job, $mode"
  virsh -q blockcopy "$victim" vdb "$lab/copy.$mode.qcow2" --format qcow2 --transient-job --bandwidth 1 >"$lab/begin" 2>&1 \
    || bail "blockcopy: $(cat "$lab/begin")"
  refused $mode
  like "$(virsh blockjob "$victim" vdb 2>&1)" "Block Copy" "$fault_name: the other job goes on"
  virsh -q blockjob "$victim" vdb --abort
  after_fault --mode "$mode"

  fault "another virt-keep, $mode"
  held "$mode"
  mine=$out
  out=$lab/second
  "$VIRT_KEEP" --store "$store" --json backup "$victim" --mode "$mode" >"$out" 2>"$lab/second.err" </dev/null
  code=$?
  exits 4 "$fault_name: the second is refused as busy"
  "$VIRT_KEEP" --store "$lab/other-store" --json backup "$victim" --mode "$mode" >"$out" 2>"$lab/second.err" </dev/null
  code=$?
  exits 4 "$fault_name: and so it is into another store"
  out=$mine
  held_go
  keep_ends 120
  exits 0 "$fault_name: the first succeeds"
  after_fault --mode "$mode"
done
faults_done

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever libvirtd does during a backup, killed and started again or stopped for a
# while, the guest and its points do not suffer, and the next backup succeeds.
. "$(dirname "$0")/lib.sh"
# shellcheck source=../lab/libvirtd-lib.sh
. "$(dirname "$0")/../lab/libvirtd-lib.sh"

fault_lab image
modes="push pull"
whole || modes=push
for mode in $modes; do
  fault "libvirtd is killed and started again, $mode"
  held "$mode"
  kill_libvirtd
  start_libvirtd
  [ "$mode" = push ] || held_go
  keep_ends 60
  exits 8 "$fault_name: that is a failure of its own"
  after_fault --mode "$mode"

  fault "libvirtd is stopped for good, $mode"
  held "$mode"
  kill -STOP "$(cat $daemon)"
  [ "$mode" = push ] || held_go
  keep_ends 120
  exits 8 "$fault_name: virt-keep does not wait for ever"
  kill -CONT "$(cat $daemon)"
  after_fault --mode "$mode"

  whole || continue
  fault "libvirtd is stopped for a moment, $mode"
  held "$mode"
  kill -STOP "$(cat $daemon)"
  sleep 3
  kill -CONT "$(cat $daemon)"
  held_go
  keep_ends 120
  exits 0 "$fault_name: virt-keep waits for it"
  after_fault --mode "$mode"
done
if whole; then
  fault "libvirtd hangs before the backup"
  kill -STOP "$(cat $daemon)"
  keep_in_background --store "$store" --json backup "$victim"
  keep_ends 120
  exits 8 "$fault_name: virt-keep does not wait for ever"
  like "$(cat "$err")" "as if it hung" "$fault_name: and says what it waited for"
  kill -CONT "$(cat $daemon)"
  after_fault
fi
faults_done

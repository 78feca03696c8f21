#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a libvirtd that goes away during a backup is a failure of its own, and
# what it left is cleaned up, at once or by the next backup.
. "$(dirname "$0")/lib.sh"
# shellcheck source=libvirtd-lib.sh
. "$(dirname "$0")/libvirtd-lib.sh"

make_big_domain guest
for mode in push pull; do
  held_backup $mode guest
  kill_libvirtd
  [ $mode = push ] || signal_writers CONT
  keep_ends 60
  exits 8 "$mode: libvirtd gone ends with 8"
  start_libvirtd
  wait_for 20 virsh -q list
  keep --store "$store" --json backup guest --mode $mode
  exits 0 "$mode: the next backup succeeds"
  is "$(checkpoints guest)" "$(json .checkpoint)" "$mode: and the dead checkpoint is gone"
done

for mode in push pull; do
  held_backup $mode guest
  kill_libvirtd
  start_libvirtd
  [ $mode = push ] || signal_writers CONT
  keep_ends 60
  exits 8 "$mode: libvirtd restarted ends with 8"
  is "$(job_of guest) $(find "$store" -name '.partial-*')" "None " "$mode: nothing of the backup stays"
  is "$(guest_state guest)" running "$mode: the guest runs"
  keep --store "$store" --json backup guest --mode $mode
  exits 0 "$mode: the next backup succeeds"
done
done_testing

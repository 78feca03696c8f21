#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever libvirtd does during a backup, killed and started again or stopped for a
# while, the guest and its points do not suffer, and the next backup succeeds.
. "$(dirname "$0")/lib.sh"

daemon=/run/libvirt/private.pid
[ -e $daemon ] || skip_all "the libvirtd of an ordinary user is started by its clients"

fault_lab image
for mode in push pull; do
  fault "libvirtd is killed and started again, $mode"
  held $mode
  kill -KILL "$(cat $daemon)"
  rm -f $daemon
  libvirtd --daemon --pid-file $daemon --config /etc/libvirt/libvirtd.conf
  [ $mode = push ] || signal_writers CONT
  keep_ends 60
  exits 8 "$fault_name: that is a failure of its own"
  after_fault --mode $mode
done
faults_done

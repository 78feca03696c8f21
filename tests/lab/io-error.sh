#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: when the scratch files have no room left, QEMU pauses the guest; virt-keep
# says so, ends the job and cleans up, and the guest can be resumed.
. "$(dirname "$0")/lib.sh"

# QEMU sees only what was mounted before its domain started.
scratch=$lab/scratch
mkdir -m 0711 "$scratch"
mount -t tmpfs -o size=1m,mode=711 virt-keep "$scratch" 2>/dev/null || skip_all "only root can mount a small file system"
cleanup_fn umount "$scratch"

# A guest as small as can be, since only a real one is paused: it writes 32 KiB after
# 32 KiB from 32 MiB on, over and over.
#   xor ax,ax; mov ds,ax; mov si,packet
#   again: mov ax,4300h; mov dl,80h; int 13h; add word [packet+8],40h; jmp again
#   packet: 64 sectors, from address 1000:0000, to sector 10000h
writing_sector ()
{
  perl -e 'print pack "H*a*", "31c08ed8be157cb80043b280cd1383061d7c40ebef" . "1000400000000010" . "0000010000000000",
             "\0" x (510 - 37) . "\x55\xaa"'
}

make_domain guest vda:qcow2:512M
guest_write guest vda 0x11 0 400M
virsh -q destroy guest
writing_sector >"$lab/sector"
qemu-io -f qcow2 -c "write -s $lab/sector 0 512" "${disk_file[guest:vda]}" >/dev/null || bail "no boot sector"
virsh -q start guest
own_nodes[guest]=$(block_nodes guest)

# shellcheck disable=SC2317  # called by wait_for
guest_writes ()
{
  virsh domblkstat guest vda | grep -q 'wr_req [1-9]'
}
wait_for 60 guest_writes || bail "the guest does not write"

# shellcheck disable=SC2317  # called by wait_for
is_paused ()
{
  [ "$(guest_state guest)" = paused ]
}

remember guest
catch_pull guest
keep_in_background --store "$store" --json backup guest --mode pull --level full --scratch-dir "$scratch" --progress json
caught || bail "no pull job was seen"
wait_for 60 is_paused || diag "the guest is not paused while the job is held"
let_go guest
keep_ends 60
exits 6 "a guest paused by an I/O error ends the backup with code 6"
is "$(json .ok) $(json .error.class)" "false guest" "which --json tells as well"
like "$(json .error.message)" "paused by an I/O error .*\\(enospc\\).*--scratch-dir" "with the reason, and what to do"
grep '"event":"io-error"' "$err" >"$lab/event"
is "$(json_get "$lab/event" .device) $(json_get "$lab/event" .reason) $(json_get "$lab/event" .action)" "null enospc pause" "the I/O error is an event"
like "$(virsh domstate guest --reason)" "paused .I/O error" "the guest is still paused"
is "$(find "$scratch" -mindepth 1)" "" "its scratch file is gone"
holds "so that it can be resumed" virsh -q resume guest
no_trace guest "after that"

keep --store "$store" --json backup guest
exits 0 "the next backup succeeds"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup whose scratch files use up their room ends before they stop the guest,
# also when virt-keep hangs; and a guest that they have stopped all the same is resumed.
. "$(dirname "$0")/lib.sh"

# QEMU sees only what was mounted before its domain started.
scratch=$lab/scratch
mkdir -m 0711 "$scratch"
mount -t tmpfs -o size=30m,mode=711 virt-keep "$scratch" 2>/dev/null || skip_all "only root can mount a small file system"
cleanup_fn umount -l "$scratch"

make_domain guest vda:qcow2:512M
virsh -q destroy guest
qemu-io -f qcow2 -c "write -P 0x11 1M 120M" "${disk_file[guest:vda]}" >/dev/null || bail "no data"
start_writer guest
# shellcheck disable=SC2317  # called by wait_for
guest_writes ()
{
  virsh domblkstat guest vda | grep -q 'wr_req [1-9]'
}
wait_for 60 guest_writes || bail "the guest does not write"

# slow ARGUMENT...: a backup that lasts until something ends it.
slow ()
{
  keep_in_background --store "$store" --json backup guest --mode pull --level full --scratch-dir "$scratch" --max-rate 64K --progress json "$@"
}

# never_paused WHAT: by the events, and now.
never_paused ()
{
  is "$(grep -c -e '"event":"io-error"' -e '"state":"suspended"' "$err")" 0 "$1: nothing has stopped the guest"
  is "$(guest_state guest)" running "$1: it runs"
}

remember guest
keep --store "$store" --json backup guest --mode pull --scratch-dir "$scratch" --scratch-reserve 1G
exits 15 "a reserve that is not there is a reason not to begin"
like "$(json .error.class) $(json .error.message)" "scratch .*too little room .*--scratch-dir" "which is said"
no_trace guest "then"

writes guest 4M
slow --scratch-reserve 24M
keep_ends 120
exits 15 "when the reserve is touched the backup ends"
like "$(json .error.class) $(json .error.message)" "scratch .*before it would have stopped the guest.*25165824 bytes .*its scratch files took [1-9].*make room" "with the reason, and what to do"
never_paused "the reserve is touched"
no_trace guest "after that"
is "$(find "$scratch" -mindepth 1)" "" "the scratch file is gone"

writes guest 1K
slow --scratch-reserve 24M
wait_for 30 grep -q '"phase":"copy"' "$err" || bail "no copy"
kill -STOP "$keeper"
writes guest 4M
holds "virt-keep hangs: the guard ends the job" wait_for 120 no_job guest
is "$(guest_state guest)" running "virt-keep hangs: the guest runs"
kill -CONT "$keeper"
keep_ends 60
exits 15 "when virt-keep goes on it has the same to say"
never_paused "virt-keep hangs"
no_trace guest "after that"

slow --scratch-reserve 0
wait_for 30 grep -q '"phase":"copy"' "$err" || bail "no copy"
writes guest 0
keep_ends 120
exits 15 "without a reserve the guest is paused, which ends the backup"
is "$(grep -c '"event":"io-error"' "$err" | sed 's/[1-9][0-9]*/some/')" some "it was, by the events"
like "$(json .error.message)" "QEMU paused the domain.*the domain resumed" "the error says that it is resumed"
like "$(json '.warnings[0]')" "THE GUEST WAS PAUSED" "so does a warning"
no_trace guest "after that"

writes guest 4M
keep --store "$store" --json backup guest --mode pull --scratch-dir "$scratch"
exits 0 "the next backup succeeds"

done_testing

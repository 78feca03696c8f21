#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: however a backup fails, the failure is told apart from the others,
# nothing is left of it, and the next backup succeeds.
. "$(dirname "$0")/lib.sh"

# QEMU sees only what was mounted before its domain started.
small=$lab/small
mkdir -m 0711 "$small"
can_mount=no
if mount -t tmpfs -o size=16m,mode=711 virt-keep "$small" 2>/dev/null; then
  can_mount=yes
  cleanup_fn umount "$small"
fi

# hold MODE: a backup of the guest, held while it runs.
hold ()
{
  remember guest
  held_backup "$1" guest
}

# release MODE: virt-keep goes on, the job of a push need not.
release ()
{
  [ "$1" = push ] || let_go guest
}

next_succeeds ()
{
  keep --store "$store" --json backup "$1"
  exits 0 "$2 the next backup succeeds"
  count=$((count + 1))
  is "$(points)" $count "$2 it is listed"
}

make_big_domain guest
count=0
next_succeeds guest "to begin with,"
for mode in push pull; do
  hold $mode
  virsh -q domjobabort guest
  release $mode
  keep_ends 30
  exits 7 "$mode: a job that virsh aborts ends with code 7"
  is "$(json .ok) $(json .exit_code) $(json .error.class)" "false 7 aborted" "$mode: and says so in JSON"
  no_trace guest "$mode: after virsh domjobabort"

  hold $mode
  keeper_out=$out
  out=$lab/abort.json
  "$VIRT_KEEP" --json abort guest >"$out" 2>&1
  is "$?" 0 "$mode: virt-keep abort succeeds"
  out=$keeper_out
  release $mode
  keep_ends 30
  exits 7 "$mode: a job that virt-keep aborts ends with code 7"
  no_trace guest "$mode: after virt-keep abort"

  hold $mode
  kill -INT "$keeper"
  release $mode
  keep_ends 30
  exits 130 "$mode: Ctrl-C ends it with code 130"
  no_trace guest "$mode: after Ctrl-C"

  hold $mode
  kill -TERM "$keeper"
  release $mode
  keep_ends 30
  exits 143 "$mode: SIGTERM ends it with code 143"
  no_trace guest "$mode: after SIGTERM"

  hold $mode
  keeper_out=$out
  out=$lab/second.json
  "$VIRT_KEEP" --store "$store" --json backup guest >"$out" 2>/dev/null </dev/null
  code=$?
  exits 4 "$mode: a second backup of a domain meanwhile is refused with code 4"
  is "$(json .error.class)" busy "$mode: as busy"
  out=$keeper_out
  let_go guest
  keep_ends 60
  exits 0 "$mode: the first is not harmed by it"
  count=$((count + 1))
  is "$(points)" $count "$mode: and is listed"

  hold $mode
  virsh -q destroy guest
  release $mode
  keep_ends 30
  exits 6 "$mode: a guest that goes away ends it with code 6"
  like "$(json .error.message)" guest "$mode: and the domain is named"
  is "$(points)" $count "$mode: no restore point comes of it"
  is "$(find "$store" -name '.partial-*')" "" "$mode: no unfinished one either"
  is "$(checkpoints guest)" "$had_checkpoints" "$mode: the checkpoints are those from before"
  virsh -q start guest >/dev/null
  own_nodes[guest]=$(block_nodes guest)
  next_succeeds guest "$mode: after a restart of the guest"
done

keep --store "$store" abort guest
exits 3 "aborting where no job runs is an error of its own"

# The store is full: as little as an error message may be written there.
if [ $can_mount = yes ]; then
  for mode in push pull; do
    big=$store
    store=$small/$mode
    remember guest
    keep --store "$store" --json backup guest --mode $mode
    exits 9 "$mode: a full store ends it with code 9"
    is "$(json .error.class)" store "$mode: as a failure of the store"
    no_trace guest "$mode: after a full store"
    rm -rf "$store"
    store=$big
    next_succeeds guest "$mode: after a full store, into another one"
  done
else
  skip "a full store ends a backup with code 9" "only root can mount a small file system"
fi

# Only as root is QEMU another user than virt-keep.
mkdir -m 0700 "$lab/locked"
if [ "$(id -u)" = 0 ]; then
  remember guest
  keep --store "$lab/locked/store" --json backup guest
  exits 9 "push: a store that QEMU cannot reach ends it with code 9"
  like "$(json .error.message)" "chmod o\+x" "push: and says what to do"
  no_trace guest "push: after that"
else
  skip "push: a store that QEMU cannot reach ends it with code 9" "QEMU is the same user"
fi

remember guest
holds "a block job of somebody else begins" virsh -q blockcopy guest vda "$lab/copy.qcow2" --transient-job --bandwidth 1
keep --store "$store" --json backup guest
exits 4 "a disk with a block job is busy"
like "$(json .error.message)" "virsh blockjob" "and the message says what to do"
virsh -q blockjob guest vda --abort
no_trace guest "after that"
next_succeeds guest "after the block job"

# A QEMU that hangs: found so, and while the backup prepares the begin of its job.
qemu=$(pgrep -f "guest=guest,")
mkdir -m 0755 "$lab/hooks"
cat >"$lab/hooks/hang" <<SCRIPT
#!/bin/sh
[ "\$1" != pre-freeze ] || kill -STOP $qemu
SCRIPT
chmod 0755 "$lab/hooks/hang"
for moment in before amid; do
  remember guest
  guest_write guest vda 0x52 2M 64k
  [ $moment = amid ] || kill -STOP "$qemu"
  VIRT_KEEP_COPY_STALL_SECONDS=3 keep --store "$store" --json backup guest --hook-dir "$lab/hooks"
  exits 6 "a QEMU that hangs ($moment) ends the backup with code 6"
  like "$(json .error.message)" "does not answer" "and is named as the reason"
  kill -CONT "$qemu"
  no_trace guest "hung QEMU, $moment:"
  next_succeeds guest "hung QEMU, $moment:"
done

mkdir "$lab/foreign"
echo mine >"$lab/foreign/file"
keep --store "$lab/foreign/file" --json backup guest
exits 9 "a store that is a file cannot be used"
is "$(cat "$lab/foreign/file")" mine "and is not touched"

keep -c test:///no/such/file --store "$store" --json backup guest
exits 8 "a libvirt that cannot be reached ends it with code 8"
keep --store "$lab/no-such-store" --json list
exits 3 "a store that does not exist is not found"
keep backup guest
exits 2 "no store named is wrong usage"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup is a success only when QEMU has let go of its files; a block
# node that is left behind is found and deleted, or the backup fails.
. "$(dirname "$0")/lib.sh"

# leave_node DOMAIN NAME: QEMU opens the image that is being written a second
# time, as a node that nothing removes at the job's end.
leave_node ()
{
  local image
  image=$(find "$store" -path '*/.partial-*' -name vda.qcow2)
  qmp "$1" "{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"file\",\"node-name\":\"$2\",\"filename\":\"$image\",\"read-only\":true,\"locking\":\"off\"}}" \
    | grep -q '"return":{}' || bail "QEMU does not open $image again"
}

# shellcheck disable=SC2317  # called by holds
has_node ()
{
  block_nodes "$1" | grep -q "\"$2\""
}

make_big_domain guest
shadow guest vda "$lab/then.raw"
held_backup push guest
leave_node guest left-behind
holds "QEMU has a block node that is not libvirt's" has_node guest left-behind
let_go guest
keep_ends 60
exits 0 "a backup with a block node left behind succeeds"
is "$(json .closed.proven) $(json .closed.method)" "true monitor" "QEMU was asked, and has let go"
like "$(json .closed.removed_nodes)" left-behind "the result names the node that was removed"
is "$(block_nodes guest)" "${own_nodes[guest]}" "the node is gone"
holds "the image is whole" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"

# A backup that does not come so far has its files closed, too.
remember guest
held_backup push guest
leave_node guest interrupted
kill -TERM "$keeper"
keep_ends 60
exits 143 "a backup with a block node left behind is interrupted"
no_trace guest "after an interrupted backup:"
held_backup push guest
leave_node guest killed
kill -KILL "$keeper"
keep_ends 60
wait_for 60 no_job guest || bail "the job goes on"
holds "a backup that is killed leaves the node in QEMU" has_node guest killed
keep --store "$store" --json doctor guest
like "$(cat "$out")" "QEMU still has .*vda.qcow2. of a backup that is gone open" "doctor finds it"
keep --store "$store" --json backup guest
exits 0 "the next backup succeeds"
like "$(json .warnings)" "QEMU still had .*vda.qcow2. of an earlier backup open" "says what it found"
is "$(block_nodes guest)" "${own_nodes[guest]}" "and has it closed"

# A node that is in use cannot be deleted: a USB stick made of it.
remember guest
held_backup push guest
leave_node guest in-use
qmp guest '{"execute":"device_add","arguments":{"driver":"usb-storage","id":"stick","drive":"in-use"}}' \
  | grep -q '"return":{}' || bail "QEMU makes no device of the node"
let_go guest
keep_ends 90
exits 10 "a node that QEMU does not give up ends the backup with code 10"
is "$(json .ok) $(json .error.class)" "false not-closed" "as not closed"
like "$(json .error.message)" in-use "and the node is named"
is "$(points)" "$had_points" "no restore point comes of it"
is "$(checkpoints guest)" "$had_checkpoints" "and no checkpoint"
qmp guest '{"execute":"device_del","arguments":{"id":"stick"}}' >/dev/null
virsh -q destroy guest

# A guest that stops when all of it has been copied: there is no QEMU left to be asked.
virsh -q start guest >/dev/null
own_nodes[guest]=$(block_nodes guest)
shadow guest vda "$lab/then.raw"
held_backup push guest
kill -STOP "$keeper"
let_go guest
wait_for 60 no_job guest || bail "the job does not end"
virsh -q destroy guest
kill -CONT "$keeper"
keep_ends 60
exits 0 "a guest that stops when its copy is whole does not fail the backup"
is "$(json .closed.proven) $(json .closed.method)" "true ended" "that its QEMU has ended is the proof"
holds "the image is whole" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"
virsh -q start guest >/dev/null
own_nodes[guest]=$(block_nodes guest)
keep --store "$store" --json backup guest
exits 0 "the next backup succeeds"
is "$(checkpoints guest | grep -c .)" 1 "and leaves one checkpoint"
virsh -q destroy guest

# A newer libvirt keeps a guest that shuts itself down until its backup has ended.
newer=${G_TEST_BUILDDIR:-$(dirname "$VIRT_KEEP")/../tests}/lab/newer-libvirt.so
[ -e "$newer" ] || bail "$newer is not built"
make_domain newer vda:qcow2:16M
for version in 11009000 11010000; do
  guest_write newer vda 0x11 0 $((version / 1000 % 1000))k
  env LD_PRELOAD="$newer" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" VIRT_KEEP_LIBVIRT_VERSION=$version VIRT_KEEP_LIBVIRT_FLAGS="$lab/flags" \
    "$VIRT_KEEP" --store "$store" --json backup newer >"$out" 2>"$err" </dev/null
  code=$?
  exits 0 "a backup with libvirt $version succeeds"
  is "$(cat "$lab/flags")" $((version < 11010000 ? 1 : 3)) "and asks for what that one has"
done
virsh -q destroy newer

# Nothing was written through the monitor here: that alone would taint the domain.
make_domain quiet vda:qcow2:16M
tainted ()
{
  virsh dominfo "$1" | grep -i taint
}
# make_domain itself asks the monitor for the block nodes: a fresh start is clean.
virsh -q destroy quiet
virsh -q start quiet >/dev/null
keep --store "$store" --json backup quiet --monitor never
exits 0 "a backup without the monitor succeeds"
is "$(json .closed.proven) $(json .closed.method)" "true image-lock" "the image lock is the proof then"
is "$(tainted quiet)" "" "and the domain is not marked as tainted"
keep --store "$store" --json backup quiet
exits 0 "a backup that asks QEMU succeeds"
like "$(tainted quiet)" "custom monitor" "which libvirt marks the domain for"

done_testing

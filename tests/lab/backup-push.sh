#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a push backup holds the disk of its instant, however the guest writes on.
. "$(dirname "$0")/lib.sh"

make_big_domain push
guest_discard push vda 100M 4M
shadow push vda "$lab/then.raw"

held_backup push push
guest_write push vda 0x33 1M 1M
guest_write push vda 0x44 61438M 4M
guest_write push vda 0x55 30G 2M
guest_discard push vda 180M 2M
writer_start push vda 256
wait_for 10 at_least 20 "$lab/writer.count" || bail "the writer hangs"
writer_stop
holds "the job still runs after the guest has written" has_job push
is "$(points)" 0 "a restore point being written is not listed"
let_go push
keep_ends 60
exits 0 "a push backup of a disk that is being written succeeds"

shadow push vda "$lab/now.raw"
holds "the guest has changed the disk meanwhile" eval "! same_bytes '$lab/then.raw' '$lab/now.raw'"
image=$(point_dir "$(json .point)")/vda.qcow2
holds "the image holds the bytes of the instant" same_bytes "$image" "$lab/then.raw"
holds "the image is a sound qcow2" qemu-img check -q "$image"
is "$(qemu-img info --output=json "$image" | grep -c backing-filename)" 0 "the image of a full backup needs no other file"
is "$(json '.disks[0].sha256')" "$(digest "$image")" "the result has the SHA-256 of the image"
is "$(json '.disks[0].size')" "$(stat -c %s "$image")" "the result has the size of the image"
is "$(json '.disks[0].virtual_size')" $((64 << 30)) "the result has the size of the disk"
is "$(json .ok) $(json .exit_code) $(json .mode) $(json .level)" "true 0 push full" "the result says what was done"
is "$(json .closed.proven) $(json .closed.method)" "true monitor" "QEMU was asked whether it has let go of the image"
is "$(checkpoints push)" "$(json .checkpoint)" "the checkpoint of the restore point, and no other, is there"
is "$(block_nodes push)" "${own_nodes[push]}" "QEMU has the block nodes of the disk and no other"
is "$(guest_state push)" running "the guest runs"
holds "libvirt has no job left" no_job push
point=$(json .point)
is "$(points)" 1 "the restore point is listed"
is "$(json_get "$lab/list.json" '.points[0].point') $(json_get "$lab/list.json" '.points[0].state')" "$point ok" "list gives its name and says it is sound"

make_domain sparse vda:qcow2:1G
guest_write sparse vda 0x66 512M 1M
keep --store "$store" --json backup sparse --mode push
exits 0 "a nearly empty disk is backed up"
image=$(point_dir "$(json .point)")/vda.qcow2
holds "holes stay holes" test "$(du -k "$image" | cut -f1)" -lt 4096

keep --store "$store" --json backup sparse --mode push --level copy
exits 0 "a copy right after a backup succeeds"
is "$(json .level) $(json .checkpoint)" "copy null" "a copy has no checkpoint"
is "$(checkpoints sparse | grep -c .)" 1 "a copy leaves the checkpoint of the chain alone"
is "$(points)" 3 "every backup is a restore point of its own"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a pull backup holds the disk of its instant, however the guest writes on.
. "$(dirname "$0")/lib.sh"

make_big_domain pull
guest_discard pull vda 100M 4M
shadow pull vda "$lab/then.raw"
mkdir -m 0711 "$lab/scratch"

held_backup pull pull --scratch-dir "$lab/scratch"
guest_write pull vda 0x33 1M 1M
guest_write pull vda 0x44 61438M 4M
guest_write pull vda 0x55 30G 2M
guest_discard pull vda 180M 2M
writer_start pull vda 256
wait_for 10 at_least 20 "$lab/writer.count" || bail "the writer hangs"
writer_stop
holds "the job still runs after the guest has written" has_job pull
holds "--scratch-dir chooses where the scratch file is" eval "find '$lab/scratch' -type f -size +0 | grep -q ."
is "$(points)" 0 "a restore point being written is not listed"
let_go pull
keep_ends 60
exits 0 "a pull backup of a disk that is being written succeeds"

shadow pull vda "$lab/now.raw"
holds "the guest has changed the disk meanwhile" eval "! same_bytes '$lab/then.raw' '$lab/now.raw'"
image=$(point_dir "$(json .point)")/vda.qcow2
holds "the image holds the bytes of the instant" same_bytes "$image" "$lab/then.raw"
holds "the image is a sound qcow2" qemu-img check -q "$image"
is "$(json '.disks[0].sha256')" "$(digest "$image")" "the result has the SHA-256 of the image"
is "$(json '.disks[0].size')" "$(stat -c %s "$image")" "the result has the size of the image"
is "$(json .ok) $(json .exit_code) $(json .mode) $(json .level)" "true 0 pull full" "the result says what was done"
is "$(json .closed.proven) $(json .closed.method)" "true monitor" "QEMU was asked whether it has let go of the disk"
is "$(checkpoints pull)" "$(json .checkpoint)" "the checkpoint of the restore point, and no other, is there"
is "$(find "$lab/scratch" -mindepth 1)" "" "nothing stays in the scratch directory"
is "$(block_nodes pull)" "${own_nodes[pull]}" "QEMU has the block nodes of the disk and no other"
is "$(guest_state pull)" running "the guest runs"
holds "libvirt has no job left" no_job pull
is "$(points)" 1 "the restore point is listed"

make_domain sparse vda:qcow2:1G
guest_write sparse vda 0x66 512M 1M
guest_write sparse vda 0 600M 64M
keep --store "$store" --json backup sparse --mode pull
exits 0 "a nearly empty disk is backed up"
image=$(point_dir "$(json .point)")/vda.qcow2
holds "holes stay holes" test "$(du -k "$image" | cut -f1)" -lt $((80 * 1024))
holds "only what is allocated is read" test "$(json '.disks[0].bytes_moved')" -le $((66 << 20))

keep --store "$store" --json backup sparse --mode pull --level copy
exits 0 "a copy right after a backup succeeds"
is "$(checkpoints sparse | grep -c .)" 1 "a copy leaves the checkpoint of the chain alone"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a domain that is shut off is backed up, too: read directly, from its
# stored bitmap where that is sound, or started paused.
. "$(dirname "$0")/lib.sh"

# shut_off DOMAIN: as a guest that has flushed and powered down.
shut_off ()
{
  guest_flush "$1" vda
  virsh -q destroy "$1"
}

# point_is CLAIM EXPECTED-LEVEL: the last backup succeeded and holds the disk,
# which is not in use now.
point_is ()
{
  exits 0 "$1: succeeds"
  is "$(json .level)" "$2" "$1: is $2"
  holds "$1: holds the bytes of the disk" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "${disk_file["off:vda"]}"
}

make_domain off vda:qcow2:256M vdb:raw:16M
guest_write off vda 0x11 0 20M
shut_off off

keep --store "$store" --json backup off --level copy
point_is "a copy" copy
is "$(json .domain_state) $(json .mode)" "shut-off direct" "the result says how it was read"
is "$(json .checkpoint)" null "there is no checkpoint"
is "$(guest_state off)" "shut off" "the domain stays shut off"
keep --store "$store" --json backup off
point_is "auto" full
is "$(find /var/tmp -maxdepth 1 -name "virt-keep-$(json_get "$store/virt-keep-store.json" .id)-*")" "" "no private directory stays"

virsh -q start off
keep --store "$store" --json backup off
exits 0 "a backup of the running domain"
is "$(json .level)" full "is a full: the shut off one left no checkpoint"
guest_write off vda 0x21 30M 1M
guest_discard off vda 1M 1M
shut_off off
keep --store "$store" --json backup off --level incremental
point_is "an incremental from the stored bitmap" incremental
holds "it reads what changed" test "$(json '.disks[0].bytes_moved')" -le $((1 << 20))
is "$(json '.disks[1].level')" full "a raw disk is full inside it"

virsh -q start off
guest_write off vda 0x22 40M 1M
shadow off vda "$lab/then.raw"
keep --store "$store" --json backup off --level incremental
exits 0 "an incremental of the running domain after it"
holds "holds the bytes of the instant" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"
guest_write off vda 0x23 41M 1M
shut_off off

for mode in push pull; do
  keep --store "$store" --json backup off --start-paused --mode $mode
  point_is "$mode: started paused" incremental
  is "$(json .domain_state) $(json .mode)" "started-paused $mode" "$mode: the result says so"
  is "$(guest_state off)" "shut off" "$mode: the domain is shut off again"
  is "$(checkpoints off)" "$(json .checkpoint)" "$mode: and has a checkpoint"
done

# A saved guest is not to lose its memory.
virsh -q start off
virsh -q managedsave off
keep --store "$store" --json backup off --start-paused
exits 5 "a domain with a saved state is not started paused"
like "$(virsh dominfo off)" "Managed save: *yes" "and keeps its saved state"
keep --store "$store" --json backup off
exits 0 "its disks are read without starting it"
like "$(virsh dominfo off)" "Managed save: *yes" "and that keeps the saved state, too"

virsh -q start off
guest_write off vda 0x24 42M 1M
guest_flush off vda
kill_qemu off
keep --store "$store" --json backup off
point_is "after QEMU was killed" full
like "$(json .reason)" "broken" "and says that the bitmap is"

keep --store "$store" verify --all --data
exits 0 "every restore point verifies"

# not_whole CLAIM WORDS CHILD: a disk whose <source> has this child is refused.
new_image "$lab/not-whole.raw" raw 8M
not_whole ()
{
  cat >"$lab/not-whole.xml" <<END
<domain type='qemu'><name>not-whole</name><memory unit='MiB'>64</memory>$domain_os<devices>
<disk type='file'><driver name='qemu' type='raw'/><target dev='vda' bus='virtio'/><source file='$lab/not-whole.raw'>$3</source></disk>
</devices></domain>
END
  virsh -q define "$lab/not-whole.xml"
  keep --store "$store" --json backup not-whole
  exits 5 "$1"
  like "$(json .error.message)" "vda.*$2.*--start-paused" "and the message says why, and what to do"
  virsh -q undefine not-whole
}

# Only QEMU has the key, and raw LUKS would even be read, as it lies there.
not_whole "an encrypted disk is not read without QEMU" encrypted \
  "<encryption format='luks'><secret type='passphrase' uuid='$(cat /proc/sys/kernel/random/uuid)'/></encryption>"
not_whole "nor is a part of an image" slices "<slices><slice type='storage' offset='1048576' size='1048576'/></slices>"

done_testing

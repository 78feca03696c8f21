#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: incrementals and differentials hold the exact disk of their instant and
# cost what changed; what they cannot build on makes a full, with a reason.
. "$(dirname "$0")/lib.sh"

# backup_is DOMAIN LEVEL CLAIM ARGUMENT...: backs up, and the point has that level
# and the bytes of vda's instant.
backup_is ()
{
  local domain=$1 level=$2 claim=$3
  shift 3
  shadow "$domain" vda "$lab/then.raw"
  keep --store "$store" --json backup "$domain" "$@"
  exits 0 "$claim: succeeds"
  is "$(json .level)" "$level" "$claim: is $level"
  image=$(point_dir "$(json .point)")/vda.qcow2
  holds "$claim: holds the bytes of the instant" same_bytes "$image" "$lab/then.raw"
}

make_domain guest vda:qcow2:1G vdb:raw:16M
guest_write guest vda 0x11 0 20M
guest_write guest vda 0x12 100M 5M

keep --store "$store" --json backup guest --level incremental
exits 5 "a first incremental is refused"
is "$(find "$store" -mindepth 1 -not -name virt-keep-store.json)" "" "and leaves nothing in the store"
is "$(checkpoints guest)" "" "nor in libvirt"
backup_is guest full "with --allow-full" --level incremental --allow-full
is "$(json .requested)" incremental "the result says what was asked for"
like "$(json .reason)" "first backup" "and why it is a full"

for mode in push pull; do
  guest_write guest vda 0x21 1M 64k
  guest_write guest vda 0 10M 1M
  guest_discard guest vda 12M 1M
  backup_is guest incremental "$mode: auto" --mode $mode
  base=$(json .base)
  is "$(json '.disks[0].level') $(json '.disks[1].level')" "incremental full" "$mode: the raw disk is full inside it"
  like "$(json '.disks[1].reason')" "raw" "$mode: and the result says why"
  holds "$mode: it costs what changed" test "$(json '.disks[0].size')" -lt $((3 << 20))
  is "$(qemu-img info --output=json "$image" | json_get /dev/stdin '.backing-filename')" "../$base/vda.qcow2" "$mode: its backing file is the base's image, by relative path"
  guest_write guest vda 0x31 2M 100k
  guest_write guest vda 0x32 $((RANDOM % 1000))M 1M
  backup_is guest incremental "$mode: an incremental on an incremental" --mode $mode --level incremental
  backup_is guest incremental "$mode: with nothing changed" --mode $mode --level incremental
  guest_discard guest vda 3M 1M
  backup_is guest differential "$mode: a differential after incrementals" --mode $mode --level differential
  is "$(json '.disks[0].base')" "$(json .base)" "$mode: its disk builds on the full"
  guest_write guest vda 0x41 700M 70000
  backup_is guest incremental "$mode: an incremental on a differential" --mode $mode --level incremental
  is "$(checkpoints guest)" "$(json .checkpoint)" "$mode: one checkpoint is alive, however many points there are"
done

mv "$store" "$lab/moved"
mv "$lab/moved" "$store.elsewhere"
store=$store.elsewhere
moved=$(point_dir "$(json .point)")/vda.qcow2
holds "a moved store still reads" same_bytes "$moved" "$lab/then.raw"

keep --store "$store" --json backup guest --estimate
exits 0 "--estimate succeeds"
is "$(json '.estimate[0].bytes') $(json '.estimate[0].level')" "0 incremental" "and says that nothing has changed"
# everything: what --estimate could touch.
everything ()
{
  (cd "$store" && find . -type f -exec sha256sum {} + | sort; find . -printf "%p %T@\n" | sort)
  checkpoints guest
  block_nodes guest
  job_of guest
}
guest_write guest vda 0x51 5M 64k
count=$(points)
before=$(everything)
keep --store "$store" --json backup guest --estimate
is "$(json '.estimate[0].bytes')" 65536 "and then what has"
is "$(points)" "$count" "and makes no restore point"
is "$(everything)" "$before" "nor anything else, in the store, in libvirt or in QEMU"
keep --store "$lab/nowhere" --json backup guest --estimate
exits 3 "--estimate makes no store"
holds "not even its directory" test ! -e "$lab/nowhere"
keep --store "$store" --json backup guest --exclude vdb --threshold 1000000
exits 11 "below --threshold nothing is done"
is "$(json .changed)" false "and the result says so"
is "$(points)" "$count" "and there is no new restore point"
backup_is guest incremental "above the threshold" --exclude vdb --threshold 65536

other=$lab/other
virsh -q checkpoint-create-as guest foreign --diskspec vda,checkpoint=bitmap --diskspec vdb,checkpoint=no
keep --store "$other" --json backup guest
is "$(json .level)" full "a second store starts with a full of its own"
guest_write guest vda 0x61 6M 64k
backup_is guest incremental "the first store goes on beside it"
is "$(checkpoints guest | grep -c virt-keep)" 2 "each store has one checkpoint"
holds "a foreign checkpoint is left alone" eval "virsh checkpoint-list guest --name | grep -qx foreign"

own=$(json .checkpoint)
virsh -q checkpoint-delete guest "$own" --metadata
guest_write guest vda 0x62 7M 64k
backup_is guest incremental "a checkpoint that libvirt forgot is defined again"
virsh -q checkpoint-delete guest "$(json .checkpoint)"
backup_is guest full "after its checkpoint was deleted auto"
like "$(json .reason)" "checkpoint" "and says why"

virsh -q blockresize guest vda 1100M
guest_write guest vda 0x71 1050M 1M
backup_is guest full "after the only bitmap disk was resized auto"
like "$(json .reason)" "size" "and says why, too"
guest_write guest vda 0x72 1060M 1M
backup_is guest incremental "and then incremental again"

guest_flush guest vda
virsh -q destroy guest
virsh -q start guest
guest_write guest vda 0x73 1061M 1M
backup_is guest incremental "after a restart of the domain"

# A disk comes, goes, and comes again.
qemu-img create -q -f qcow2 "$lab/extra.qcow2" 16M
chmod 0666 "$lab/extra.qcow2"
restart_with ()
{
  virsh -q "$@" --config >"$lab/said" 2>&1 || bail "$*: $(cat "$lab/said")"
  guest_flush guest vda
  virsh -q destroy guest
  virsh -q start guest
}
levels ()
{
  echo "$(json ".disks[0].level") $(json ".disks[1].level") $(json ".disks[2].level")"
}
restart_with attach-disk guest "$lab/extra.qcow2" vdc --driver qemu --subdriver qcow2
guest_write guest vda 0x74 1062M 1M
backup_is guest incremental "with a disk that is new"
is "$(levels)" "incremental full full" "only the new disk, and the raw one, are full"
like "$(json ".disks[2].reason")" "does not have this disk" "and the result says why"
guest_write guest vda 0x75 1062M 1M
backup_is guest incremental "with it once more"
is "$(levels)" "incremental full incremental" "it is incremental, too"
restart_with detach-disk guest vdc
guest_write guest vda 0x76 1063M 1M
backup_is guest incremental "after a disk was removed"
is "$(json .disks.length)" 2 "without it"
restart_with attach-disk guest "$lab/extra.qcow2" vdc --driver qemu --subdriver qcow2
guest_write guest vda 0x77 1064M 1M
backup_is guest incremental "after it came again"
is "$(levels)" "incremental full full" "it is full again"

guest_flush guest vda
kill_qemu guest
virsh -q start guest
dead=$(json .checkpoint)
backup_is guest full "after QEMU was killed auto"
like "$(json .reason)" "broken" "and says that the bitmap is"
holds "the dead checkpoint is gone" eval "! checkpoints guest | grep -qx '$dead'"

dead=$(json .checkpoint)
guest_flush guest vda
virsh -q destroy guest
qemu-img bitmap --remove -f qcow2 "${disk_file[guest:vda]}" "$dead"
virsh -q start guest
guest_write guest vda 0x78 1065M 1M
backup_is guest incremental "after the bitmap of one disk was removed"
is "$(levels)" "full full incremental" "that disk is full"
like "$(json ".disks[0].reason")" "missing" "and the result says that its bitmap is missing"
holds "the checkpoint that libvirt does not delete as usual is gone" eval "! checkpoints guest | grep -qx '$dead'"
is "$(checkpoints guest | grep -c "$(json_get "$store/virt-keep-store.json" .id)")" 1 "and one of this store is alive"

keep --store "$store" verify --all --data
exits 0 "every restore point verifies"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: from a restic store a disk comes back to every kind of place as well, and
# the next backup after a restore in place continues as it must.
. "$(dirname "$0")/lib.sh"
# shellcheck source=restic-lib.sh
. "$lab_sources/restic-lib.sh"

keep --store "$store" init
exits 0 "a repository is made"
make_domain guest vda:qcow2:64M vdb:raw:16M
guest_write guest vda 0x61 0 3M
guest_write guest vda 0x62 60M 4M
guest_write guest vdb 0x63 1M 1M
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
point=$(json .point)
vda=${disk_file[guest:vda]} vdb=${disk_file[guest:vdb]}

# spoil: the guest goes on from there, and is shut off.
spoil ()
{
  [ "$(guest_state guest)" = running ] || virsh -q start guest
  guest_write guest vda $((RANDOM % 99 + 1)) 1M 1M
  guest_discard guest vda 60M 1M
  guest_write guest vdb $((RANDOM % 99 + 1)) 1M 64k
  virsh -q destroy guest
  wait_for 60 guest_is_off guest
}

keep --store "$store" --json restore "$point" --to "$lab/zstd" --compress --cluster-size 128K
exits 0 "to a directory, compressed"
holds "vda has the bytes of the instant" same_bytes "$lab/zstd/vda.qcow2" "$lab/vda.raw"
holds "vdb has the bytes of the instant" same_bytes "$lab/zstd/vdb.qcow2" "$lab/vdb.raw"

tr '\0' '\377' </dev/zero | head -c 64M >"$lab/export"
qemu-nbd --fork --persistent --pid-file="$lab/nbd.pid" --format=raw --socket="$lab/nbd.sock" "$lab/export" || bail "no NBD server"
cleanup_fn kill "$(cat "$lab/nbd.pid")"
keep --store "$store" --json restore "$point" --target "vda=nbd+unix:///?socket=$lab/nbd.sock"
exits 0 "to an NBD server"
holds "which has the bytes of the instant" cmp "$lab/export" "$lab/vda.raw"

for delta in "" --delta; do
  spoil
  # shellcheck disable=SC2086
  keep --store "$store" --json restore "$point" --in-place $delta
  exits 0 "into place of the disks (${delta:-whole})"
  holds "vda has the bytes of the instant" same_bytes "$vda" "$lab/vda.raw"
  holds "vdb has the bytes of the instant" cmp "$vdb" "$lab/vdb.raw"
done
virsh -q start guest
guest_write guest vda 0x22 8M 1M
shadow guest vda "$lab/after.raw"
keep --store "$store" --json backup guest
exits 0 "the next backup"
is "$(json .level)" full "is a full one, as the bitmap went with the disk that was replaced"
holds "restic dumps the bytes of its instant" dumps_to "$(json .point)" vda "$lab/after.raw"
spoil
keep --store "$store" --json restore guest --in-place --delta
exits 0 "what differs is restored in place"
holds "with the bytes of that instant" same_bytes "$vda" "$lab/after.raw"
virsh -q start guest
guest_write guest vda 0x23 9M 1M
shadow guest vda "$lab/after.raw"
keep --store "$store" --json backup guest
is "$(json .level)" incremental "and the backup after that is incremental"
holds "restic dumps the bytes of its instant" dumps_to "$(json .point)" vda "$lab/after.raw"

done_testing

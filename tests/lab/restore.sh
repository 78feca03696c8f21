#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore gives back every byte, in the format asked for, beside what is
# there already, as a domain that starts.
. "$(dirname "$0")/lib.sh"

# Firmware with variables of its own.  Without an operating system any firmware
# does: a flash chip whose reset vector says "halt", and one of random bytes.
{
  head -c $((262144 - 16)) /dev/zero
  printf '\xfa\xf4\xeb\xfd'
  head -c 12 /dev/zero
} >"$lab/code.fd"
head -c 131072 /dev/urandom >"$lab/vars.fd"
chmod 0644 "$lab/code.fd"
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>$lab/code.fd</loader><nvram>$lab/vars.fd</nvram></os>"
vars=$(digest "$lab/vars.fd")

make_domain guest vda:qcow2:64M vdb:raw:32M
guest_write guest vda 0x61 1M 5M
guest_write guest vda 0x62 60M 4M
guest_write guest vdb 0x63 31M 1M
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain with firmware variables is backed up"
point=$(json .point)
cp -a "$(point_dir "$point")" "$lab/point-before"
guest_write guest vda 0x71 0 64M

# to NAME: a directory for a restore that QEMU can reach.
to ()
{
  mkdir -m 0711 "$lab/$1" && echo "$lab/$1"
}

dir=$(to as-qcow2)
keep --store "$store" --json restore "$point" --to "$dir"
exits 0 "a restore into qcow2, the default"
for dev in vda vdb; do
  holds "$dev has the bytes of the instant" same_bytes "$dir/$dev.qcow2" "$lab/$dev.raw"
  is "$(qemu-img info --output=json "$dir/$dev.qcow2" | json_get /dev/stdin .format)" qcow2 "$dev is a qcow2"
done
is "$(digest "$dir/nvram.fd")" "$vars" "the firmware variables are back"
holds "so is the domain's XML" grep -q "<name>guest</name>" "$dir/domain.xml"

before=$(find "$dir" -type f -exec sha256sum {} + | sort)
keep --store "$store" --json restore "$point" --to "$dir"
exits 5 "a restore over existing files is refused"
like "$(json .error.message)" "$dir" "and the file is named"
is "$(find "$dir" -type f -exec sha256sum {} + | sort)" "$before" "nothing of them is changed"

dir=$(to as-raw)
keep --store "$store" --json restore "$point" --to "$dir" --format raw
exits 0 "a restore into raw"
for dev in vda vdb; do
  is "$(digest "$dir/$dev.raw")" "$(digest "$lab/$dev.raw")" "$dev has the same SHA-256 as the disk at the instant"
done
holds "holes stay holes" test "$(du -k "$dir/vda.raw" | cut -f1)" -lt $((12 * 1024))

dir=$(to one-disk)
keep --store "$store" --json restore guest --to "$dir" --disk vdb
exits 0 "one disk of the newest point"
holds "it has the bytes of the instant" same_bytes "$dir/vdb.qcow2" "$lab/vdb.raw"
holds "and no other disk is there" test ! -e "$dir/vda.qcow2"

keep --store "$store" --json restore guest@20000101T000000Z --to "$(to nothing)"
exits 3 "a restore point that does not exist is not found"
keep --store "$store" --json restore guest --to "$lab/nothing" --disk vdz
exits 3 "a disk that is not in it is not found"
is "$(find "$lab/nothing" -mindepth 1)" "" "and nothing is written"

dir=$(to second)
keep --store "$store" --json restore guest@latest --to "$dir" --define --name "guest again"
exits 0 "a restore that defines a domain of another name"
is "$(json .defined)" "guest again" "the result has its name"
cleanup_fn remove_domain "guest again"
is "$(guest_state guest)" running "the first domain still runs"
holds "the two are different domains" test "$(virsh domuuid guest)" != "$(virsh domuuid "guest again")"
virsh -q destroy guest
holds "the restored domain starts" virsh -q start "guest again"
is "$(guest_state "guest again")" running "and runs"
holds "it uses the restored disks" eval "virsh domblklist 'guest again' | grep -q '$dir/vda.qcow2'"
holds "and the restored firmware variables" eval "virsh dumpxml 'guest again' | grep -q '$dir/nvram.fd'"
keep --store "$store" --json backup "guest again"
exits 0 "it can be backed up itself"
virsh -q destroy "guest again"

remove_domain guest >/dev/null 2>&1
dir=$(to again)
keep --store "$store" --json restore "$point" --to "$dir" --define
exits 0 "a restore that defines a domain that is gone"
is "$(json .defined)" guest "it has its old name"
holds "and starts" virsh -q start guest

holds "the restore point is as it was" diff -r "$lab/point-before" "$(point_dir "$point")"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a disk comes back in the form that was asked for, to the place that was
# named: a new file, a block device, what an NBD server exports; what is too small,
# in use or a file already is refused untouched, and what was not finished does not
# look like a disk.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:64M vdb:raw:32M
guest_write guest vda 0x61 0 3M
guest_write guest vda 0x62 60M 4M
guest_write guest vdb 0x63 0 1M
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
mkdir -m 0711 "$lab/to"

# info FILE WORD: what qemu-img info says about it.
info ()
{
  qemu-img info "$1" | sed -n "s/^ *$2: //p"
}

# ---- formats -------------------------------------------------------------------

keep --store "$store" restore guest --to "$lab/to/big" --cluster-size 256K --preallocation metadata
exits 0 "qcow2 with large clusters and metadata at once"
holds "it has the bytes of the instant" same_bytes "$lab/to/big/vda.qcow2" "$lab/vda.raw"
is "$(info "$lab/to/big/vda.qcow2" cluster_size)" 262144 "the clusters have the size"

keep --store "$store" restore guest --to "$lab/to/zstd" --compress
exits 0 "qcow2 with compressed clusters"
holds "it has the bytes of the instant" same_bytes "$lab/to/zstd/vda.qcow2" "$lab/vda.raw"
is "$(info "$lab/to/zstd/vda.qcow2" "compression type")" zstd "they are compressed by zstd"
holds "and take little" test "$(stat -c %s "$lab/to/zstd/vda.qcow2")" -lt $((2 * 1024 * 1024))

keep --store "$store" restore guest --to "$lab/to/full" --format raw --preallocation falloc --disk vdb
exits 0 "raw with its whole room at once"
holds "it has the bytes of the instant" cmp "$lab/to/full/vdb.raw" "$lab/vdb.raw"
holds "and all its room" test "$(du -k "$lab/to/full/vdb.raw" | cut -f1)" -ge $((32 * 1024))

# ---- one file ------------------------------------------------------------------

keep --store "$store" --json restore guest --to "$lab/to/file" --file domain.xml
exits 0 "one file of the point"
is "$(ls -A "$lab/to/file")" domain.xml "comes alone"
holds "as it is in the point" cmp "$lab/to/file/domain.xml" "$(point_dir "$(json .point)")/domain.xml"
keep --store "$store" --json restore guest --to "$lab/to/file" --file manifest.jason
exits 3 "one that the point does not have is not found"

# ---- new files -----------------------------------------------------------------

keep --store "$store" --json restore guest --target "vda=$lab/to/own name.img" --format raw
exits 0 "a disk goes to a file of any name"
is "$(json .files)" "[\"$lab/to/own name.img\"]" "and nothing else is restored"
holds "it has the bytes of the instant" cmp "$lab/to/own name.img" "$lab/vda.raw"
is "$(find "$lab/to" -maxdepth 1 -name '.*')" "$(find "$lab/to" -maxdepth 0 -name .)" "nothing hidden is left beside it"

before=$(digest "$lab/to/own name.img")
keep --store "$store" --json restore guest --target "vda=$lab/to/own name.img" --format raw
exits 5 "a file that exists is refused"
is "$(digest "$lab/to/own name.img")" "$before" "and untouched"
keep --store "$store" --json restore guest --target vda="$lab/to/same" --target vdb="$lab/to/../to/same"
exits 2 "two disks to one place are a mistake"
keep --store "$store" --json restore guest --target vdz="$lab/to/z"
exits 3 "a disk that is not in the point is not found"

# ---- what an NBD server exports ------------------------------------------------

# serve FILE SIZE [NAME]: $uri is its export.  It is full of other bytes before.
serve ()
{
  tr '\0' '\377' </dev/zero | head -c "$2" >"$1"
  qemu-nbd --fork --persistent --pid-file="$1.pid" --format=raw --export-name="${3:-}" --socket="$1.sock" "$1" || bail "qemu-nbd does not serve $1"
  cleanup_fn kill "$(cat "$1.pid")"
  uri="nbd+unix:///?socket=$1.sock"
}

serve "$lab/export" 64M
keep --store "$store" --json restore guest --target "vda=$uri"
exits 0 "a disk goes to an NBD export"
holds "which has the bytes of the instant, holes too" cmp "$lab/export" "$lab/vda.raw"
serve "$lab/small" 63M
before=$(digest "$lab/small")
keep --store "$store" --json restore guest --target "vda=$uri"
exits 5 "one that is too small is refused"
like "$(json .error.message)" "67108864" "with the size that is needed"
is "$(digest "$lab/small")" "$before" "and untouched"
keep --store "$store" --json restore guest --target "vda=nbd+unix:///?socket=$lab/nobody"
exits 9 "one that nobody serves cannot be written"
keep --store "$store" --json restore guest --target "vda=ssh://127.0.0.1/$lab/other" --define --name other
exits 5 "--define refuses a URI that libvirt has no words for"
like "$(json .error.message)" "^a domain cannot be defined with a disk at 'ssh://" "before anything is written"
serve "$lab/a b" 64M web
chmod 0777 "$lab/a b.sock"
keep --store "$store" --json restore guest --target "vda=nbd+unix:///web?socket=$lab/a%20b.sock" --to "$lab/to/networked" --define --name networked --start
exits 0 "a domain is defined with a disk on an NBD export, and started"
cleanup_fn remove_domain networked
is "$(guest_state networked)" running "it runs"
like "$(virsh dumpxml --inactive networked)" "<source protocol='nbd' name='web'>"$'\n'" *<host transport='unix' socket='$lab/a b.sock'/>" "from there"
guest_write networked vda 0x5a 63M 1M
cp "$lab/vda.raw" "$lab/written.raw"
qemu-io -f raw -c "write -P 0x5a 63M 1M" "$lab/written.raw" >/dev/null
holds "the export has what was restored, and what the guest writes" cmp "$lab/a b" "$lab/written.raw"

# ---- a block device ------------------------------------------------------------

loop_devices
tr '\0' '\377' </dev/zero | head -c 65M >"$lab/device"
device=$(losetup --find --show "$lab/device" 2>"$lab/said")
if [ -z "$device" ]; then
  skip "a disk goes to a block device" "no loop device: $(cat "$lab/said")"
else
  cleanup_fn losetup --detach "$device"
  keep --store "$store" --json restore guest --target "vda=$device" --to "$lab/to/rest"
  exits 0 "a disk goes to a block device, the rest to a directory"
  holds "the device has the bytes of the instant" cmp -n $((64 << 20)) "$device" "$lab/vda.raw"
  holds "the other disk is in the directory" same_bytes "$lab/to/rest/vdb.qcow2" "$lab/vdb.raw"
  holds "and the first one is not" test ! -e "$lab/to/rest/vda.qcow2"

  # Stopped in the middle, the device says what it is.
  tr '\0' '\377' </dev/zero | head -c 65M >"$device" 2>/dev/null
  chain=$(point_dir "guest@$(basename "$(find "$store" -mindepth 2 -maxdepth 2 -type d)")")
  printf '\1' | dd of="$chain/vda.qcow2" bs=1 seek=$(($(stat -c %s "$chain/vda.qcow2") - 4096)) conv=notrunc status=none
  keep --store "$store" --json restore guest --target "vda=$device"
  exits 9 "a restore of a damaged disk to a device fails"
  is "$(head -c 22 "$device")" "virt-keep: the restore" "and the device does not look like a disk"

  # The disk of a domain itself.
  cat >"$lab/on-device.xml" <<EOF
<domain type='qemu'><name>on-device</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='$device'/><target dev='vda' bus='virtio'/></disk></devices></domain>
EOF
  virsh -q define "$lab/on-device.xml" >/dev/null || bail "on-device is not defined"
  cleanup_fn remove_domain on-device
  { head -c 3M /dev/urandom; head -c 62M /dev/zero; } >"$device" 2>/dev/null
  dd if="$device" of="$lab/device.raw" bs=1M status=none
  keep --store "$lab/second" --json backup on-device
  exits 0 "a domain on a block device is backed up, shut off"
  for delta in --delta ""; do
    tr '\0' '\7' </dev/zero | dd of="$device" bs=1M seek=2 count=4 iflag=fullblock conv=notrunc status=none
    # shellcheck disable=SC2086
    keep --store "$lab/second" --json restore on-device --in-place $delta
    exits 0 "and restored in place (${delta:-whole})"
    holds "the device has the bytes of the instant" cmp "$device" "$lab/device.raw"
  done

  if virsh -q start on-device >/dev/null 2>"$lab/said"; then
    keep --store "$store" --json restore guest --target "vdb=$device"
    exits 5 "a device that a domain runs on is refused"
    like "$(json .error.message)" "qemu" "and who runs on it is named"
    virsh -q destroy on-device
    holds "and it is untouched" cmp "$device" "$lab/device.raw"
  else
    skip "a device that a domain runs on is refused" "$(tail -n 1 "$lab/said")"
  fi

  { mkfs.ext4 -q -F "$device" 2>/dev/null && mkdir "$lab/mnt" && mount "$device" "$lab/mnt"; } || bail "cannot mount $device"
  cleanup_fn umount "$lab/mnt"
  keep --store "$store" --json restore guest --target "vda=$device"
  exits 5 "a device that is mounted is refused"
  like "$(json .error.message)" "in use" "because it is in use"
fi


done_testing

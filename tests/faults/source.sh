#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a disk of the guest that cannot be read in one place, or whose NBD server is cut
# off, costs the backup, which says so; the guest runs on, nothing is left of the backup,
# and once the disk can be read again the next one succeeds with its exact bytes.
#
# The disk is served by nbdkit; its reads fail from 12 MiB on while a file exists.
. "$(dirname "$0")/../lab/lib.sh"

command -v nbdkit >/dev/null || skip_all "nbdkit is not installed"

disk=$lab/disk.raw
trigger=$lab/broken
door=$lab/door
mkdir -m 0777 "$door"
truncate -s 16M "$disk"

serve_disk ()
{
  # shellcheck disable=SC2016  # for nbdkit's shell
  nbdkit -f -U "$door/nbd" eval \
    open='echo '"$disk"' '"$trigger" \
    get_size='stat -c %s ${2% *}' \
    pread='if [ -e "${2#* }" ] && [ $4 -ge 12582912 ]; then echo EIO >&2; exit 1; fi
           dd if="${2% *}" bs=64k iflag=skip_bytes,count_bytes skip=$4 count=$3 status=none' \
    can_write='exit 0' \
    pwrite='dd of="${2% *}" bs=64k oflag=seek_bytes seek=$4 conv=notrunc status=none' \
    can_flush='exit 0' flush='exit 0' >"$lab/nbdkit.log" 2>&1 &
  server=$!
  wait_for 20 test -S "$door/nbd" || bail "nbdkit does not serve: $(cat "$lab/nbdkit.log")"
  chmod 0777 "$door/nbd"
}

serve_disk
cleanup_fn kill "$server"
cat >"$lab/domain.xml" <<XML
<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>$domain_os<devices>
<disk type='network' device='disk'><driver name='qemu' type='raw'/>
<source protocol='nbd' name=''><host transport='unix' socket='$door/nbd'/></source><target dev='vda' bus='virtio'/></disk>
<memballoon model='none'/></devices></domain>
XML
virsh -q define "$lab/domain.xml" >"$lab/said" 2>&1 || bail "define: $(cat "$lab/said")"
cleanup_fn remove_domain guest
virsh -q start guest >"$lab/said" 2>&1 || bail "start: $(cat "$lab/said")"
# shellcheck disable=SC2034  # no_trace compares with it
own_nodes[guest]=$(block_nodes guest)

# succeeds WHEN MODE: with the bytes of the disk.
succeeds ()
{
  keep --store "$store" --json backup guest --mode "$2"
  exits 0 "$2: $1 a backup succeeds"
  holds "$2: $1 it has the bytes of the disk" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$disk"
}

guest_write guest vda 0x41 0 2M
guest_write guest vda 0x42 13M 1M
for mode in push pull; do
  succeeds "before," $mode
  guest_write guest vda $((RANDOM % 255 + 1)) 13M 1M
  remember guest
  touch "$trigger"
  keep --store "$store" --json backup guest --mode $mode
  rm -f "$trigger"
  is "$([ "$code" != 0 ] && json .ok)" false "$mode: a disk that cannot be read in one place ends the backup"
  # QEMU 7.2 ends the connection over it.
  like "$(json .error.message)" "Input/output error|disk .vda.: the connection to its NBD server was lost" "$mode: which says why"
  [ $mode = pull ] || like "$(json .error.message)" "could not be read" "push: and that it may be the disk"
  no_trace guest "$mode: after that"
  succeeds "afterwards" $mode
done

for mode in push pull; do
  remember guest
  kill -KILL "$server"
  wait "$server" 2>/dev/null
  rm -f "$door/nbd"
  keep --store "$store" --json backup guest --mode $mode
  is "$([ "$code" != 0 ] && json .ok)" false "$mode: a disk whose server has gone ends the backup"
  like "$(json .error.message)" "[a-z]{4}" "$mode: which says why: $(json .error.message)"
  is "$(points)" "$had_points" "$mode: and lists nothing"
  # The guest's own disk has gone: it is started again.
  virsh -q destroy guest
  serve_disk
  virsh -q start guest >"$lab/said" 2>&1 || bail "start: $(cat "$lab/said")"
  own_nodes[guest]=$(block_nodes guest)
  succeeds "with a server again" $mode
done

done_testing

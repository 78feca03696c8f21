# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Domains of the lab, and the bytes on their disks.  Part of lib.sh.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

xml_text ()
{
  perl -e '$_ = shift; s/&/&amp;/g; s/</&lt;/g; s/>/&gt;/g; s/"/&quot;/g; s/\x27/&apos;/g; print' -- "$1"
}

# loop_devices: the lab's /dev has no block devices; false where these cannot be made.
loop_devices ()
{
  local n
  [ ! -e /dev/loop-control ] || return 0
  { mknod /dev/loop-control c 10 237 && for n in $(seq 0 31); do [ -e "/dev/loop$n" ] || mknod "/dev/loop$n" b 7 "$n"; done; } 2>/dev/null
}

# new_image FILE FORMAT SIZE: an empty disk; FORMAT is qcow2, qcow2v2 or raw.
new_image ()
{
  case $2 in
    qcow2) qemu-img create -q -f qcow2 "$1" "$3" ;;
    qcow2v2) qemu-img create -q -f qcow2 -o compat=0.10 "$1" "$3" ;;
    raw) qemu-img create -q -f raw "$1" "$3" ;;
    *) bail "new_image: no such format: $2" ;;
  esac || bail "cannot make $1"
}

declare -A disk_file=() disk_format=() own_nodes=()

# Where make_domain makes disks, and how libvirt calls a file there: a test with another
# host sets the one and defines the other anew.
disks_parent=$lab
as_libvirt_sees ()
{
  echo "$1"
}

# disk_xml DOMAIN SPECIFICATION: prints a <disk>, see make_domain.
disk_xml ()
{
  local dev format size extra bus device=disk
  IFS=: read -r dev format size extra <<<"$2"
  case $dev in
    vd*) bus=virtio ;;
    sd*) bus=sata ;;
    fd*) bus=fdc ;;
    *) bail "disk_xml: what bus has $dev?" ;;
  esac
  case $format in
    cdrom | floppy) device=$format format=raw ;;
  esac
  printf "<disk type='file' device='%s'><driver name='qemu' type='%s' discard='unmap'/>" "$device" "${format%v2}"
  if [ -n "${disk_file["$1:$dev"]}" ]; then
    printf "<source file='%s'/>" "$(xml_text "$(as_libvirt_sees "${disk_file["$1:$dev"]}")")"
  fi
  printf "<target dev='%s' bus='%s'/>%s</disk>\n" "$dev" "$bus" "${extra:+<$extra/>}"
}

# The <os> of make_domain's domains; a test may set another one first.
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type></os>"

# make_domain NAME DISK...: defines and starts a domain without an operating
# system.  DISK is DEV:FORMAT:SIZE[:ELEMENT], FORMAT qcow2, qcow2v2 or raw, for a
# new empty disk, ELEMENT such as "readonly" or "shareable"; or DEV:cdrom:FILE
# (no FILE: an empty drive).  disk_file[NAME:DEV] is the image.
make_domain ()
{
  local name=$1 disk dev format size dir
  shift
  dir=$(mktemp -d "$disks_parent/disks.XXXXXX")
  chmod 0711 "$dir"
  {
    printf "<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>%s<features><acpi/></features><devices>\n" \
      "$(xml_text "$name")" "$domain_os"
    for disk; do
      IFS=: read -r dev format size _ <<<"$disk"
      disk_format["$name:$dev"]=${format%v2}
      case $format in
        cdrom | floppy)
          disk_file["$name:$dev"]=$size ;;
        *)
          disk_file["$name:$dev"]=$dir/$dev.${format%v2}
          new_image "$dir/$dev.${format%v2}" "$format" "$size" ;;
      esac
      disk_xml "$name" "$disk"
    done
    echo "<memballoon model='none'/></devices></domain>"
  } >"$dir/domain.xml"
  virsh -q define "$dir/domain.xml" >"$lab/define" 2>&1 || bail "define: $(cat "$lab/define")"
  cleanup_fn remove_domain "$name"
  virsh -q start "$name" >"$lab/define" 2>&1 || bail "start: $(cat "$lab/define")"
  # shellcheck disable=SC2034  # no_trace compares with it
  own_nodes["$name"]=$(block_nodes "$name")
}

# give_tpm DOMAIN: starts it anew, with an emulated TPM.
give_tpm ()
{
  virsh -q destroy "$1"
  virsh dumpxml "$1" --inactive | sed "s#</devices>#<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>#" >"$lab/with-tpm.xml"
  virsh -q define "$lab/with-tpm.xml"
  virsh -q start "$1" >"$lab/define" 2>&1 || bail "a domain with a TPM does not start: $(cat "$lab/define")"
}

# make_big_domain NAME: one whose backup lasts long enough to be caught: 192 MiB at
# the beginning, which pull mode has to read, and 4 MiB near the end of 64 GiB,
# which push mode has to look through.  It takes no more room than its data.
make_big_domain ()
{
  make_domain "$1" vda:qcow2:64G
  guest_write "$1" vda 0x42 0 192M
  guest_write "$1" vda 0x43 60G 4M
}

# start_writer DOMAIN: starts it, which is shut off, anew as a guest as small as can be,
# whose disk is vda: it writes 32 KiB after 32 KiB, from 32 MiB to 64 MiB, over and over.
# Only the writes of a real guest pause it.
#   xor ax,ax; mov ds,ax; mov si,packet
#   again: mov ax,4300h; mov dl,80h; int 13h; add word [packet+8],40h; jmp again
#   packet: 64 sectors, from address 1000:0000, to sector 10000h
start_writer ()
{
  perl -e 'print pack "H*a*", "31c08ed8be157cb80043b280cd1383061d7c40ebef" . "1000400000000010" . "0000010000000000",
             "\0" x (510 - 37) . "\x55\xaa"' >"$lab/sector"
  qemu-io -f qcow2 -c "write -s $lab/sector 0 512" "${disk_file["$1:vda"]}" >/dev/null || bail "no boot sector"
  virsh -q start "$1"
  own_nodes["$1"]=$(block_nodes "$1")
}

# writes DOMAIN BYTES-PER-SECOND: so fast may the guest write to vda from now on; 0: as
# fast as it can.
writes ()
{
  virsh -q blkdeviotune "$1" vda --write-bytes-sec "$2" --live >/dev/null || bail "no iotune"
}

# shellcheck disable=SC2317  # a cleanup
remove_domain ()
{
  virsh -q destroy "$1"
  virsh -q undefine "$1" --nvram --checkpoints-metadata
}

# kill_qemu DOMAIN: kills its QEMU with SIGKILL, and waits for libvirt to notice.
# An ordinary user's own domain of that name is not ours: the QEMU has to know our
# private directory (root's lab sees no processes but its own).
kill_qemu ()
{
  local pid killed=no
  # shellcheck disable=SC2013  # words, not lines
  for pid in $(grep -lz -- "^guest=$1," /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
    [ -z "${VIRT_KEEP_LAB_PRIVATE:-}" ] || grep -qsaF "$VIRT_KEEP_LAB_PRIVATE/" "/proc/$pid/environ" || continue
    kill -KILL "$pid" 2>/dev/null && killed=yes
  done
  [ $killed = yes ] || bail "no QEMU of $1 runs"
  wait_for 60 guest_is_off "$1" || bail "the QEMU of $1 does not die: $(guest_state "$1"), $(virsh domjobinfo "$1" 2>&1 | xargs)"
}

guest_state ()
{
  virsh domstate "$1" 2>/dev/null | head -n 1
}

# shellcheck disable=SC2317  # called by wait_for
guest_is_off ()
{
  [ "$(guest_state "$1")" = "shut off" ]
}

# qmp DOMAIN JSON: QEMU's answer.
qmp ()
{
  virsh qemu-monitor-command "$1" "$2"
}

# block_nodes DOMAIN: the names of QEMU's block nodes.
block_nodes ()
{
  qmp "$1" '{"execute":"query-named-block-nodes"}' | grep -o '"node-name":"[^"]*"' | sort -u
}

# guest_io DOMAIN DEV COMMAND: a qemu-io command on a virtio disk as the guest
# would do it, through QEMU's block layer.  What qemu-io itself says, a failed
# write too, goes to QEMU's log.
guest_io ()
{
  local said
  said=$(qmp "$1" "$(qemu_io "$2" "$3")" 2>&1)
  [[ $said == *'"return":""'* ]] || bail "guest_io $1 $2 '$3': $said"
}

# qemu_io DEV COMMAND: the monitor command for it.
qemu_io ()
{
  local number=$(($(printf %d "'${1#vd}") - 97))
  echo '{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d /machine/peripheral/virtio-disk'$number'/virtio-backend \"'"$2"'\""}}'
}

# guest_write DOMAIN DEV PATTERN OFFSET LENGTH
guest_write ()
{
  guest_io "$1" "$2" "write -P $3 $4 $5"
}

guest_discard ()
{
  guest_io "$1" "$2" "discard $3 $4"
}

guest_flush ()
{
  guest_io "$1" "$2" flush
}

# writer_start DOMAIN DEV MIB: writes 64 KiB at random places of the disk's first
# MIB mebibytes until writer_stop; $lab/writer.count says how often it did.
writer_start ()
{
  rm -f "$lab/writer.stop" "$lab/writer.count"
  (
    trap - EXIT
    n=0
    monitor_open "$1"
    while [ ! -e "$lab/writer.stop" ]; do
      monitor_io "$2" "write -P $((RANDOM % 255 + 1)) $((RANDOM % ($3 * 16) * 64))k 64k"
      n=$((n + 1))
      echo $n >"$lab/writer.count"
      sleep 0.02
    done
    monitor_close
  ) &
  writer=$!
  wait_for 10 test -s "$lab/writer.count" || bail "the background writer does not write"
}

writer_stop ()
{
  touch "$lab/writer.stop"
  wait "$writer"
}

# shadow DOMAIN DEV FILE: FILE (raw) gets the exact bytes of the disk now.
# Nothing may be writing.
shadow ()
{
  guest_flush "$1" "$2"
  qemu-img convert -U -f "${disk_format["$1:$2"]}" -O raw "${disk_file["$1:$2"]}" "$3" \
    || bail "cannot copy $2 of $1"
}

# same_bytes IMAGE IMAGE: what a guest would read is the same; the format goes by
# the file's name.
same_bytes ()
{
  qemu-img compare -f "$(image_format "$1")" -F "$(image_format "$2")" "$1" "$2"
}

image_format ()
{
  case $1 in
    *.qcow2) echo qcow2 ;;
    *) echo raw ;;
  esac
}

# digest FILE: SHA-256.
digest ()
{
  sha256sum <"$1" | cut -d' ' -f1
}

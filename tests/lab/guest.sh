# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What lab tests with a real Linux in their domain start with, before lib.sh, since the
# guest is built where there still is a network:
#
#   . "$(dirname "$0")/guest.sh"
#   . "$(dirname "$0")/lib.sh"
#
# The comment at the top of make-guest says what the guest is, and what words make of it.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

if [ -z "${VIRT_KEEP_GUEST:-}" ]; then
  if VIRT_KEEP_GUEST=$("$(dirname "${BASH_SOURCE[0]}")/make-guest" 2>&1); then
    export VIRT_KEEP_GUEST
  elif [ "${VIRT_KEEP_LAB_MUST_WORK:-}" = 1 ]; then
    echo "Bail out! $VIRT_KEEP_GUEST"
    exit 99
  else
    echo "1..0 # SKIP ${VIRT_KEEP_GUEST##*$'\n'}"
    exit 0
  fi
fi

# guest_disk FILE [WORD...]: a qcow2 disk of a new guest with WORDs on its kernel's
# command line.
guest_disk ()
{
  local file=$1
  shift
  cp --sparse=always "$VIRT_KEEP_GUEST" "$file.raw" || bail "cannot copy the guest"
  guest_words "$file.raw" "$@"
  qemu-img convert -f raw -O qcow2 "$file.raw" "$file" || bail "cannot make $file"
  rm -f "$file.raw"
}

# guest_words RAW-FILE [WORD...]
guest_words ()
{
  local file=$1@@1M
  shift
  mcopy -n -i "$file" ::/syslinux.cfg - | sed "s/^ APPEND .*/& $*/" >"$lab/syslinux.cfg"
  mcopy -o -i "$file" "$lab/syslinux.cfg" ::/syslinux.cfg || bail "cannot configure the guest"
}

# make_guest NAME [WORD...]: defines and starts a domain with the guest on its only disk,
# vda.  Its serial console is written to $lab/NAME.console.
make_guest ()
{
  local name=$1
  shift
  guest_disk "$lab/$name.qcow2" "$@"
  # shellcheck disable=SC2034  # see domains.sh
  disk_file["$name:vda"]=$lab/$name.qcow2 disk_format["$name:vda"]=qcow2
  guest_xml "$name" >"$lab/$name.xml"
  virsh -q define "$lab/$name.xml" >"$lab/define" 2>&1 || bail "define: $(cat "$lab/define")"
  cleanup_fn remove_domain "$name"
  virsh -q start "$name" >"$lab/define" 2>&1 || bail "start: $(cat "$lab/define")"
}

# XML of devices that guests have besides; a test may set it first.
guest_devices=

guest_xml ()
{
  cat <<EOT
<domain type='qemu'><name>$(xml_text "$1")</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices>
$(disk_xml "$1" vda:qcow2)
$guest_devices
<serial type='file'><source path='$(xml_text "$lab/$1.console")'/></serial>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<video><model type='vga'/></video>
<memballoon model='none'/>
</devices></domain>
EOT
}

# guest_says NAME TEXT [SECONDS]: waits until the console has TEXT.
guest_says ()
{
  wait_for "${3:-120}" grep -qF "$2" "$lab/$1.console" || bail "the guest $1 does not say $2: $(tail -n 5 "$lab/$1.console")"
}

# guest_agent NAME: waits until the agent answers.
guest_agent ()
{
  wait_for "${2:-120}" virsh qemu-agent-command "$1" '{"execute":"guest-ping"}' || bail "the agent of $1 does not answer"
}

# last_record NAME: the number of the record that the console spoke of last: it was on
# stable storage by then.
last_record ()
{
  sed -n 's/^RECORD \([0-9]*\).*/\1/p' "$lab/$1.console" | tail -n 1
}

# records_of IMAGE: how many records its second partition holds, when they are numbered
# from 1 without a gap and each has its checksum; else nothing and false.  A last line
# without its end was being written and does not count.
records_of ()
{
  local work
  work=$(mktemp -d "$lab/records.XXXXXX")
  qemu-img dd -f "$(image_format "$1")" -O raw bs=1M skip=33 count=48 if="$1" of="$work/fs" 2>"$work/said" || bail "$1: $(cat "$work/said")"
  # What was in the journal only has to reach the file, as when it is mounted.
  e2fsck -fy "$work/fs" >"$work/said" 2>&1
  [ $? -le 1 ] || bail "e2fsck: $(cat "$work/said")"
  debugfs -R 'cat /records' "$work/fs" 2>/dev/null | perl -MDigest::SHA=sha256_hex -ne '
    last unless /\n\z/;
    my ($number, $data, $sum) = split;
    die "record $. is not what was written\n" unless $number == $. && $sum eq sha256_hex ("$number $data\n");
    our $last = $number;
    END { print $last, "\n" if !$? }'
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a booted domain is moved to permanent disks while its guest writes, and nothing
# that the guest wrote is lost, even if that is interrupted.
# shellcheck disable=SC2016,SC2031  # what eval expands
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/boot-lib.sh"

{
  head -c $((262144 - 16)) /dev/zero
  printf '\xfa\xf4\xeb\xfd'
  head -c 12 /dev/zero
} >"$lab/code.fd"
head -c 131072 /dev/urandom >"$lab/vars.fd"
head -c 300000 /dev/urandom >"$lab/seed.iso"
chmod 0644 "$lab/code.fd" "$lab/vars.fd" "$lab/seed.iso"
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>$lab/code.fd</loader><nvram>$lab/vars.fd</nvram></os>"
vars=$(digest "$lab/vars.fd")

make_domain guest vda:qcow2:512M vdb:raw:32M "sda:cdrom:$lab/seed.iso"
guest_write guest vda 0x61 1M 250M
guest_write guest vdb 0x63 31M 1M
shadow guest vda "$lab/vda.raw"
shadow guest vdb "$lab/vdb.raw"
keep --store "$store" --json backup guest --disk vda --disk vdb --disk sda
exits 0 "a domain with firmware variables and a medium is backed up"
before=$(find "$store" -type f ! -name '*lock*' -exec sha256sum {} + | sort)
remove_domain guest >/dev/null 2>&1
rm "$lab/seed.iso"

boots guest "the point takes the original's place"
is "$booted" guest "with its name"
nvram=$(virsh dumpxml guest | sed -n 's/.*<nvram[^>]*>\(.*\)<.*/\1/p')
is "$(digest "$nvram")" "$vars" "the firmware variables are a copy"
holds "the medium is there" eval "virsh domblklist guest | grep -q 'sda .*/qemu/'"

# record_start, record_stop: writes records one after the other, each with a pattern of its
# own; $lab/records says which have been written.
record_start ()
{
  rm -f "$lab/record.stop"
  (
    trap - EXIT
    n=$(wc -l <"$lab/records")
    monitor_open guest
    while [ ! -e "$lab/record.stop" ]; do
      monitor_io vda "write -P $((n % 255 + 1)) $((n * 64 % (400 * 1024)))k 64k"
      echo "write -P $((n % 255 + 1)) $((n * 64 % (400 * 1024)))k 64k" >>"$lab/records"
      n=$((n + 1))
    done
    monitor_close
  ) &
  recorder=$!
}

record_stop ()
{
  touch "$lab/record.stop"
  wait "$recorder"
}

# copying: QEMU copies a disk.
# shellcheck disable=SC2317  # called by wait_for
copying ()
{
  virsh dumpxml guest | grep -q '<mirror' || keeper_is_gone
}

: >"$lab/records"
record_start
wait_for 20 test -s "$lab/records" || bail "no record is written"
mkdir "$lab/to"
touch "$lab/to/vdb.qcow2"
keep --json boot --finish guest --to "$lab/to"
exits 5 "a file in the way is refused"
is "$(stat -c %s "$lab/to/vdb.qcow2")" 0 "and left as it was"
rm "$lab/to/vdb.qcow2"

for signal in KILL INT; do
  keep_in_background --json boot --finish guest --to "$lab/to"
  wait_for 30 copying || bail "nothing is copied"
  kill "-$signal" "$keeper" 2>/dev/null
  keep_ends 60
  is "$(guest_state guest)" running "the domain runs after SIG$signal amid the copy"
done
if [ -n "$(boot_of guest)" ]; then
  keep --json boot --finish guest --to "$lab/elsewhere"
  exits 5 "it is not moved to two places"
  keep --json boot --finish guest --to "$lab/to"
  exits 0 "the same command finishes what was interrupted"
fi
wait_for 30 eval '[ "$(wc -l <"$lab/records")" -ge 50 ]' || bail "too few records are written"
record_stop
diag "$(wc -l <"$lab/records") records"
is "$(virsh dominfo guest | sed -n 's/^Persistent: *//p')" yes "the domain is defined"
holds "no door is left, and nothing else of the boot" no_boot_left
mv "$store" "$store.moved"
is "$(guest_state guest)" running "it runs without the store"
unlike "$(virsh dumpxml guest; virsh dumpxml --inactive guest)" "urn:virt-keep|nbd" "nothing in it tells of the boot"
virsh -q destroy guest
mv "$store.moved" "$store"

qemu-io -f raw "$lab/vda.raw" <"$lab/records" >/dev/null
holds "every record that the guest wrote is there, and all that was there before" same_bytes "$lab/to/vda.qcow2" "$lab/vda.raw"
holds "so is the other disk" same_bytes "$lab/to/vdb.qcow2" "$lab/vdb.raw"
holds "the new disk stands alone" eval '! qemu-img info "$lab/to/vda.qcow2" | grep -q backing'
is "$(digest "$nvram")" "$vars" "so are the firmware variables"
holds "it starts from all that" virsh -q start guest
holds "with the medium" eval "virsh domblklist guest | grep -q 'sda .*$lab/to/'"
is "$(find "$store" -type f ! -name '*lock*' -exec sha256sum {} + | sort)" "$before" "the store is what it was"
keep --store "$store" --json backup guest
exits 0 "it can be backed up"
is "$(json .level)" full "as a full"
keep --json boot --discard guest
exits 5 "and is not thrown away as a boot any more"

done_testing

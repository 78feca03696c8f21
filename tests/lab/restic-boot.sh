#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore point of a restic store runs as a domain, and its repository is
# locked for as long as that does, whatever becomes of virt-keep.
# shellcheck disable=SC2016,SC2031  # what eval expands
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
. "$(dirname "$0")/boot-lib.sh"
[ -e "$VIRT_KEEP_NBDKIT_PLUGIN" ] || skip_all "the nbdkit plugin is not built"

make_domain guest vda:qcow2:64M vdb:raw:32M
guest_write guest vda 0x61 1M 5M
guest_write guest vdb 0x63 31M 1M
keep --store "$store" init
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
first=$(json .point)
guest_write guest vda 0x71 3M 64k
keep --store "$store" --json backup guest
exits 0 "and once more"
second=$(json .point)

# locks: how many the repository has.
locks ()
{
  find "$repository/locks" -type f | wc -l
}
content=$(find "$repository" -path "$repository/locks" -prune -o -type f -exec sha256sum {} + | sort)

boots "$second" "a point of a restic store is booted"
holds "it reads the bytes of its instant" guest_reads "$booted" vda 0x71 3M 64k
holds "and older ones" guest_reads "$booted" vda 0x61 4M 2M
holds "of each disk" guest_reads "$booted" vdb 0x63 31M 1M
second_boot=$booted
boots "$first" "so is an older one beside it"
holds "which reads older bytes" guest_reads "$booted" vda 0x61 1M 5M
guest_write "$booted" vda 0x11 1M 2M
holds "what it writes it reads" guest_reads "$booted" vda 0x11 1M 2M

is "$(doors | wc -l)" 4 "each disk has a door"
is "$(locks)" 4 "which holds a lock on the repository"
# Read before it is looked for: whoever looks has it among his own arguments.
cat /proc/[0-9]*/cmdline >"$lab/processes" 2>/dev/null
is "$(grep -c -a -F "$RESTIC_PASSWORD" "$lab/processes")" 0 "the password is in no list of processes"
unlike "$(for p in $(doors); do tr '\0' '\n' <"/proc/$p/environ"; done)" "$RESTIC_PASSWORD" "nor in the environment of a door"
holds "restic itself does not prune" eval '! restic -q -r "$repository" prune 2>"$lab/said"'
like "$(cat "$lab/said")" "locked" "because the repository is locked"
keep --store "$store" --json forget "$second"
exits 9 "nor does it forget the point for virt-keep"
keep --store "$store" --json backup guest
exits 0 "the original can be backed up meanwhile"
keep --store "$store" --json verify "$first"
exits 0 "and points be verified"

keep --json boot --discard "$booted"
exits 0 "a booted domain is thrown away"
virsh -q destroy "$second_boot"
holds "the doors of one that is ended by others end" wait_for 30 no_doors
is "$(locks)" 0 "and no lock is left"
keep --json boot --discard "$second_boot"
exits 0 "what is left of it can be thrown away"
holds "nothing is left" no_boot_left
is "$(find "$repository" -path "$repository/locks" -prune -o -type f -exec sha256sum {} + | sort | grep -cxF -f <(echo "$content"))" "$(wc -l <<<"$content")" \
   "what was in the repository is as it was"
keep --store "$store" --json forget "$second"
exits 0 "a point that is not booted any more can be forgotten"

keep_in_background --store "$store" --json boot "$first" --name killed
wait_for 30 eval '[ -n "$(doors)" ]' || bail "no door is seen"
kill -KILL "$keeper"
keep_ends 10
holds "no door is left of a boot that was killed" wait_for 30 no_doors
holds "nor a domain" eval '! virsh -q domstate killed'

done_testing

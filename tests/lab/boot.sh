#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore point of an image store runs as a domain, without being changed.
# shellcheck disable=SC2016,SC2031  # what eval expands
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/boot-lib.sh"

guest="a<b&c"
make_domain "$guest" vda:qcow2:64M vdb:raw:32M
# A network that is not there is no obstacle, as long as nobody asks for it.
cat >"$lab/interface.xml" <<'XML'
<interface type='bridge'><mac address='52:54:00:12:34:56'/><source bridge='nowhere0'/><model type='virtio'/></interface>
XML
virsh -q attach-device "$guest" "$lab/interface.xml" --config || bail "no interface"
guest_write "$guest" vda 0x61 1M 5M
guest_write "$guest" vdb 0x63 31M 1M
keep --store "$store" --json backup "$guest" --max-chain 10
exits 0 "a domain is backed up"
full=$(json .point)
for n in 1 2 3 4 5; do
  guest_write "$guest" vda "0x7$n" "${n}M" 64k
  keep --store "$store" --json backup "$guest" --max-chain 10
done
fifth=$(json .point)
is "$(json .disks[0].level)" incremental "five times more"

# digest_of_store: of every file in it, but for the lock, which is written anew.
digest_of_store ()
{
  find "$store" -type f ! -name '*lock*' -exec sha256sum {} + | sort
}
before=$(digest_of_store)

# ---- it runs -------------------------------------------------------------------

boots "$full" "the full point is booted"
old=$booted
is "$old" "$guest-boot" "beside the original, under a name of its own"
is "$(guest_state "$old") $(guest_state "$guest")" "running running" "both run"
holds "it reads the bytes of the instant" guest_reads "$old" vda 0x61 1M 5M
holds "of each disk" guest_reads "$old" vdb 0x63 31M 1M
holds "the two are different machines" test "$(virsh domuuid "$guest")" != "$(virsh domuuid "$old")"
like "$(virsh dumpxml "$old")" "<link state='down'/>" "its network card has no link"
unlike "$(virsh dumpxml "$old")" "nowhere0|52:54:00:12:34:56" "and neither the original's network nor its address"
is "$(doors | wc -l)" 2 "each disk has a door"
is "$(stat -c %a:%U "$(dirname "$(json .overlays.vda)")")" 700:libvirt-qemu "nobody but QEMU's user can look at what it writes"

boots "$fifth" "the fifth incremental point is booted beside it" --name "new one" --memory 96M
holds "it reads the bytes of its instant" guest_reads "$booted" vda 0x75 5M 64k
holds "and those that it builds on" guest_reads "$booted" vda 0x71 1M 64k
is "$(virsh dominfo "$booted" | sed -n 's/^Max memory: *//p')" "98304 KiB" "it has the memory that it is given"
boots "$fifth" "the same point is booted once more"
again=$booted

guest_write "new one" vda 0x11 1M 2M
guest_write "$again" vda 0x12 1M 2M
holds "what a booted guest writes it reads" guest_reads "new one" vda 0x11 1M 2M
holds "and no other guest does" guest_reads "$again" vda 0x12 1M 2M
holds "nor the original" guest_reads "$guest" vda 0x71 1M 64k

# ---- beside it -----------------------------------------------------------------

keep --store "$store" --json boot "$fifth" --name "new one"
exits 5 "a name that is taken is refused"
keep --store "$store" --json boot "$fifth" --network nosuch
exits 3 "so is a network that there is not"
keep --store "$store" --json forget "$fifth"
exits 4 "a point that is booted cannot be forgotten"
like "$(json .error.message)" "$fifth" "and is named"
keep --store "$store" --json prune "$guest" --keep-last 1
exits 4 "nor can one that it builds on"
is "$(digest_of_store)" "$before" "the store is what it was"
is "$(points)" 6 "with all of its points"
keep --store "$store" --json backup "$guest" --max-chain 10
exits 0 "the original can be backed up meanwhile"
is "$(json .disks[0].level)" incremental "incrementally"
keep --store "$store" --json forget "$(json .point)"
exits 0 "and a point that nobody has booted can be forgotten"

# ---- it goes -------------------------------------------------------------------

keep --json boot --discard "$guest"
exits 5 "a domain that was not booted from a point is not thrown away"
is "$(guest_state "$guest")" running "it runs"
keep --json boot --discard nobody
exits 3 "nor is one that there is not"
keep --json boot --discard "new one"
exits 0 "a booted domain is thrown away"
is "$(json .discarded)" "new one" "by its name"
is "$(guest_state "new one")" "" "it is gone"
is "$(doors | wc -l)" 4 "so are its doors, and no others"

virsh -q destroy "$again"
holds "the doors of a domain that is ended by others end" wait_for 30 eval '[ "$(doors | wc -l)" = 2 ]'
keep --json boot --discard "$again"
exits 0 "what is left of it can be thrown away"
keep --json boot --discard "$old"
exits 0 "the last one, too"
holds "nothing is left" no_boot_left
is "$(digest_of_store)" "$before" "the store is what it was"

# ---- several at once -----------------------------------------------------------

for n in 1 2 3; do
  "$VIRT_KEEP" --store "$store" --json boot "$full" >"$lab/at-once.$n" 2>&1 </dev/null &
  pids[n]=$!
done
"$VIRT_KEEP" doctor --fix >"$lab/doctor" 2>&1
wait "${pids[@]}"
is "$(virsh list --name | grep -c -- -boot)" 3 "three boots of one point at once get three names"
is "$(doors | wc -l)" 6 "and doors of their own, which no doctor takes away"
for name in "$guest-boot" "$guest-boot-2" "$guest-boot-3"; do
  "$VIRT_KEEP" boot --discard "$name" >"$lab/discard" 2>&1 || diag "$(cat "$lab/discard")"
done
holds "all of them can be thrown away" no_boot_left

# ---- in the place of the original ----------------------------------------------

uuid=$(virsh domuuid "$guest" | head -n 1)
remove_domain "$guest" >/dev/null 2>&1
boots "$full" "without the original the point takes its place" --overlay-dir "$lab"
is "$booted" "$guest" "with its name"
is "$(virsh domuuid "$guest" | head -n 1)" "$uuid" "and UUID"
like "$(json .overlays.vda)" "^$lab/virt-keep-boot-" "the overlay is where it was asked for"
keep --store "$store" --json boot "$full" --network same
exits 1 "the original's network is taken for the second one, and is not there"
is "$(doors | wc -l)" 2 "a boot that failed leaves no door"
is "$(find "$boots" -mindepth 1 -maxdepth 1 | wc -l)" 1 "and no directory"
keep --json boot --discard "$guest"
exits 0 "and is thrown away again"
is "$(find "$lab" -maxdepth 1 -name 'virt-keep-boot-*')" "" "with its overlays"
holds "nothing is left of any boot" no_boot_left

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restored domain gets the identity that was asked for, is in the networks
# that were named, and runs when that was wanted; after a restore with the original
# identity the next backup continues as it must.
. "$(dirname "$0")/lib.sh"

virsh net-list --all >/dev/null 2>"$lab/said" || skip_all "libvirt has no networks here: $(cat "$lab/said")"
for net in inside outside; do
  echo "<network><name>$net</name></network>" >"$lab/net.xml"
  virsh -q net-define "$lab/net.xml" >/dev/null || bail "no network $net"
  cleanup_fn virsh -q net-undefine $net
done

make_domain guest vda:qcow2:64M
virsh -q attach-interface guest network inside --mac 52:54:00:12:34:56 --config >/dev/null || bail "no interface"
guest_write guest vda 0x61 0 3M
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
point=$(json .point)
shadow guest vda "$lab/then.raw"
uuid=$(virsh domuuid guest)

# the NAME EXPRESSION: the first match of EXPRESSION in a domain's XML.
the ()
{
  virsh dumpxml --inactive "$1" | grep -oE "$2" | head -n 1
}

keep --store "$store" --json restore "$point" --to "$lab/none" --define --name other --network inside=nowhere
exits 3 "a network that libvirt does not have is not found"
keep --store "$store" --json restore "$point" --to "$lab/none" --define --name other --network outside=inside
exits 5 "a network that the domain is not in is refused"
holds "and nothing is restored" test ! -e "$lab/none"

mkdir -m 0711 "$lab/other"
keep --store "$store" --json restore "$point" --to "$lab/other" --define --name other --network inside=outside
exits 0 "a second domain in another network"
cleanup_fn remove_domain other
is "$(the other "network='[a-z]*'")" "network='outside'" "is in it"
holds "with a UUID of its own" test "$(virsh domuuid other)" != "$uuid"
holds "and another MAC address" test "$(the other '52:54:00:[0-9a-f:]*')" != 52:54:00:12:34:56

remove_domain guest >/dev/null 2>&1
mkdir -m 0711 "$lab/macs" "$lab/uuid"
keep --store "$store" --json restore "$point" --to "$lab/macs" --define --name macs --new-macs
exits 0 "new MAC addresses alone"
is "$(virsh domuuid macs)" "$uuid" "leave the UUID"
holds "and the addresses are new" test "$(the macs '52:54:00:[0-9a-f:]*')" != 52:54:00:12:34:56
remove_domain macs >/dev/null 2>&1
keep --store "$store" --json restore "$point" --to "$lab/uuid" --define --name uuid --new-uuid
exits 0 "a new UUID alone"
cleanup_fn remove_domain uuid
holds "is new" test "$(virsh domuuid uuid)" != "$uuid"
is "$(the uuid '52:54:00:[0-9a-f:]*')" 52:54:00:12:34:56 "and the MAC addresses stay"

# ---- the original identity, and the next backup ------------------------------------

make_domain second vda:qcow2:64M vdb:raw:16M
guest_write second vda 0x61 0 3M
restic=restic:$lab/restic
export RESTIC_PASSWORD="correct horse" RESTIC_CACHE_DIR=$lab/restic-cache XDG_CACHE_HOME=$lab/cache
stores=("$store")
if command -v restic >/dev/null && "$VIRT_KEEP" --store "$restic" init >"$lab/said" 2>&1; then
  stores+=("$restic")
else
  skip "the same from a restic store" "no restic store: $(cat "$lab/said")"
fi
n=0
for from in "${stores[@]}"; do
  for mode in push pull; do
    [ "$mode $from" != "push $restic" ] || continue
    n=$((n + 1))
    guest_write second vda $n 10M 1M
    keep --store "$from" --json backup second --mode $mode
    exits 0 "$mode into ${from%%:*}: a backup of a running domain"
    guest_write second vda $((n + 100)) 20M 1M
    keep --store "$from" --json backup second --mode $mode
    exits 0 "and an incremental one"
    is "$(json .level)" incremental "which it is"
    # What is restored is the point before.
    guest_write second vda $((n + 50)) 30M 1M
    remove_domain second >/dev/null 2>&1
    mkdir -m 0711 "$lab/back-$n"
    keep --store "$from" --json restore second --to "$lab/back-$n" --define --start
    exits 0 "the domain is lost, and restored, and started"
    is "$(guest_state second)" running "it runs"
    disk_file[second:vda]=$lab/back-$n/vda.qcow2
    guest_write second vda $((n + 200)) 40M 1M
    shadow second vda "$lab/now.raw"
    keep --store "$from" --json backup second --mode $mode
    exits 0 "the next backup of it"
    is "$(json .level)" full "is a full one"
    like "$(json .reason)" "." "with a reason: $(json .reason)"
    point=$(json .point)
    keep --store "$from" restore "$point" --to "$lab/check-$n" --disk vda
    holds "and has the bytes of the instant" same_bytes "$lab/check-$n/vda.qcow2" "$lab/now.raw"
    guest_write second vda $((n + 30)) 50M 1M
    shadow second vda "$lab/now.raw"
    keep --store "$from" --json backup second --mode $mode
    is "$(json .level)" incremental "the one after that is incremental again"
    keep --store "$from" restore "$(json .point)" --to "$lab/check-inc-$n" --disk vda
    holds "and has the bytes of the instant" same_bytes "$lab/check-inc-$n/vda.qcow2" "$lab/now.raw"
  done
done

done_testing

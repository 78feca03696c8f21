#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a disk is restored into a Ceph cluster, into an RBD image that is made for it or one
# that is there, with exactly the bytes of its instant, and a domain is defined with it.
. "$(dirname "$0")/lib.sh"

# Debian: 65 MB of packages, which setup.sh therefore leaves to those who want them.
for program in ceph ceph-mon ceph-osd monmaptool; do
  command -v $program >/dev/null || skip_all "$program is not installed (Debian: ceph-mon, ceph-osd, ceph-common, qemu-block-extra)"
done

# ---- a cluster of one monitor and one OSD, which keeps its objects in memory ----------------

ceph=$lab/ceph
mkdir "$ceph" "$ceph/mon" "$ceph/osd" "$ceph/run"
monitor="[v2:127.0.0.1:$((20000 + RANDOM % 10000))]"
cat >"$ceph/ceph.conf" <<END
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = $monitor
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
mon allow pool size one = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 536870912
run dir = $ceph/run
admin socket = $ceph/run/\$name.asok
pid file = $ceph/run/\$name.pid
log file = $ceph/run/\$name.log
mon data = $ceph/mon
osd data = $ceph/osd
keyring = $ceph/keyring
END
touch "$ceph/keyring"
export CEPH_CONF=$ceph/ceph.conf

# step COMMAND ARGUMENT...: of setting it up, which is no claim of ours.
step ()
{
  timeout 120 "$@" >"$ceph/said" 2>&1 || bail "$1 fails: $(tail -n 3 "$ceph/said")"
}

# start_daemon PROGRAM ID NAME
start_daemon ()
{
  step "$1" -i "$2" --setuser root --setgroup root
  cleanup_fn kill "$(cat "$ceph/run/$3.pid")"
}

osd=$(cat /proc/sys/kernel/random/uuid)
step monmaptool --create --addv a "$monitor" --fsid "$(sed -n 's/^fsid = //p' "$CEPH_CONF")" "$ceph/monmap"
step ceph-mon --mkfs -i a --monmap "$ceph/monmap" --setuser root --setgroup root
start_daemon ceph-mon a mon.a
step ceph osd new "$osd"
step ceph-osd -i 0 --mkfs --osd-uuid "$osd" --setuser root --setgroup root
start_daemon ceph-osd 0 osd.0
step ceph osd pool create pool 8
step qemu-img create -f raw "rbd:pool/there:conf=$CEPH_CONF" 40M

# ---- restores -------------------------------------------------------------------------------

make_domain guest vda:qcow2:32M vdb:raw:16M
guest_write guest vda 0x61 1M 9M
guest_write guest vdb 0x63 15M 1M
shadow guest vda "$lab/vda.raw"
shadow guest vdb "$lab/vdb.raw"
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"

# rbd_has IMAGE FILE: the image has the bytes of FILE, and zeroes behind them.
# shellcheck disable=SC2317  # called by holds
rbd_has ()
{
  qemu-img compare -f raw -F raw "rbd:pool/$1:conf=$CEPH_CONF" "$2"
}

keep --store "$store" --json restore guest --target "vda=rbd:pool/made:conf=$CEPH_CONF"
exits 0 "a disk goes to an RBD image that is not there"
holds "which is made, with the bytes of the instant" rbd_has made "$lab/vda.raw"
is "$(qemu-img info --output=json "rbd:pool/made:conf=$CEPH_CONF" | sed -n 's/.*"virtual-size": \([0-9]*\).*/\1/p' | head -n 1)" $((32 << 20)) "and the size of the disk"
keep --store "$store" --json restore guest --target "vda=rbd:pool/made:conf=$CEPH_CONF" --target "vdb=rbd:pool/there:conf=$CEPH_CONF" --define --name other
exits 0 "two disks go to images that are there, and a domain is defined with them"
cleanup_fn virsh -q undefine other
holds "the first has the bytes of the instant" rbd_has made "$lab/vda.raw"
holds "so has the second, which is larger" rbd_has there "$lab/vdb.raw"
like "$(virsh dumpxml other)" "<source protocol='rbd' name='pool/there'>"$'\n'" *<config file='$CEPH_CONF'/>" "libvirt knows where they are"
step qemu-img create -f raw "rbd:pool/small:conf=$CEPH_CONF" 8M
keep --store "$store" --json restore guest --target "vda=rbd:pool/small:conf=$CEPH_CONF"
exits 5 "an image that is too small is refused"

done_testing

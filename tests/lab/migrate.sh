#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: one store follows a domain from host to host. What was backed up before a live
# migration is what the next backup builds on where the bitmaps have travelled along, and
# every point has its exact bytes; a migration that meets a backup harms neither.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can have a second host: it needs namespaces"

# ---- the second host: a libvirtd in namespaces of its own, with a host's UUID and name

second=$lab/second
here=$LIBVIRT_DEFAULT_URI
there="qemu+unix:///system?socket=$second/libvirt-sock"
mkdir "$second"
cat >"$second/start" <<'SCRIPT'
set -e
hostname second
for dir in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  mount -t tmpfs -o mode=755 virt-keep $dir
done
sed -i "/^log_outputs/d" "$1/libvirtd.conf"
cat >>"$1/libvirtd.conf" <<CONF
unix_sock_dir = "$1"
host_uuid = "5a9e1c0e-0c7e-4f6e-9b0a-0d8c6b3b7f11"
log_outputs = "3:file:$1/log"
CONF
exec env -u TMPDIR "$2" --pid-file "$1/pid" --config "$1/libvirtd.conf"
SCRIPT
cp /etc/libvirt/libvirtd.conf "$second/"

# shellcheck disable=SC2317  # a cleanup
stop_second ()
{
  virsh -q -c "$there" destroy guest
  kill "$second_pid"
}

unshare --mount --uts bash "$second/start" "$second" "$(command -v libvirtd || command -v virtqemud)" </dev/null >"$second/said" 2>&1 &
second_pid=$!
cleanup_fn stop_second
answers ()
{
  [ "$(virsh -q -c "$1" hostname 2>"$second/said")" = second ]
}
wait_for 30 answers "$there" || bail "the second libvirtd does not answer: $(tail -n 1 "$second/said" "$second/log")"

# migrate FROM TO [OPTION...]: the running domain, alive, with its definition.
migrate ()
{
  # cache=none is a matter of hosts that do not share a page cache.
  virsh -q -c "$1" migrate --live --persistent --undefinesource --unsafe guest "$2" --migrateuri tcp://127.0.0.1 "${@:3}" >"$lab/migrate" 2>&1
}

# at URI: where commands go from now on.
at ()
{
  export LIBVIRT_DEFAULT_URI=$1
}

# has_its_bytes POINT FILE WHEN: restored, it is FILE.
has_its_bytes ()
{
  rm -rf "$lab/to"
  keep --store "$store" restore "$1" --to "$lab/to" --format raw
  holds "$3: the point has its exact bytes" cmp "$lab/to/vda.raw" "$2"
}

# back_up LEVEL WHEN: a backup, which is of that level and has the bytes of now.
back_up ()
{
  shadow guest vda "$lab/now.raw"
  keep --store "$store" --json backup guest
  exits 0 "$2: a backup"
  is "$(json .level)" "$1" "$2: it is of level $1"
  warnings=$(json .warnings)
  has_its_bytes "$(json .point)" "$lab/now.raw" "$2"
}

make_domain guest vda:qcow2:256M
guest_write guest vda 0x11 1M 40M
back_up full "on the first host"

# ---- shared storage

guest_write guest vda 0x21 3M 2M
holds "the domain goes to the second host" migrate "$here" "$there" || cat "$lab/migrate"
at "$there"
guest_write guest vda 0x31 50M 1M
back_up incremental "on the second host, on shared storage"
like "$warnings" "libvirt had forgotten the checkpoint" "and it says that the checkpoint was not known there"
guest_write guest vda 0x41 51M 1M
back_up incremental "on the second host again"

holds "the domain comes back" migrate "$there" "$here"
at "$here"
guest_write guest vda 0x51 4M 1M
back_up incremental "on the first host again"

# ---- a migration amid a backup: libvirt has it wait for the job, for half a minute

for mode in push pull; do
  guest_write guest vda 0x61 20M 1M
  shadow guest vda "$lab/now.raw"
  held_backup $mode guest
  migrate "$here" "$there" &
  mover=$!
  sleep 1
  let_go guest
  keep_ends 120
  wait $mover
  is $? 0 "$mode: a migration that was asked for amid a backup comes after it" || cat "$lab/migrate"
  exits 0 "$mode: the backup comes to its end"
  has_its_bytes "$(json .point)" "$lab/now.raw" "$mode, a migration was waiting"
  at "$there"
  is "$(guest_state guest)" running "$mode: the domain runs on the second host"
  guest_write guest vda 0x62 21M 1M
  back_up incremental "$mode, and on the second host"
  holds "$mode: it comes back" migrate "$there" "$here"
  at "$here"
done

# ---- storage that moves along: the disk is another file there

qemu-img create -q -f qcow2 "$second/vda.qcow2" 256M
chown --reference="${disk_file[guest:vda]}" "$second/vda.qcow2"
chmod 0666 "$second/vda.qcow2"
virsh dumpxml --migratable guest | sed "s|${disk_file[guest:vda]}|$second/vda.qcow2|" >"$lab/there.xml"
guest_write guest vda 0x71 60M 3M
holds "the domain and its storage go to the second host" migrate "$here" "$there" --copy-storage-all --xml "$lab/there.xml" --persistent-xml "$lab/there.xml" || cat "$lab/migrate"
at "$there"
disk_file[guest:vda]=$second/vda.qcow2
guest_write guest vda 0x72 70M 1M
shadow guest vda "$lab/now.raw"
keep --store "$store" --json backup guest
exits 0 "with its storage moved: a backup"
is "$(json .level)" full "with its storage moved: it is of level full"
like "$(json .reason)" "it is another image now" "with its storage moved: and says why"
has_its_bytes "$(json .point)" "$lab/now.raw" "with its storage moved"

keep --store "$store" verify guest
exits 0 "all that the store has of the domain is good"
done_testing

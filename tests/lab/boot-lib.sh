# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the lab tests of boot start with, after lib.sh: a place for what virt-keep writes
# down, and the functions below.
# shellcheck disable=SC2154,SC2034  # lab and its like are lib.sh's, which uses ours, too

boots=$VIRT_KEEP_STATE_DIR/boots
[ -e "${VIRT_KEEP_NBDKIT_PLUGIN:=$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}" ] && export VIRT_KEEP_NBDKIT_PLUGIN

# doors: the processes that serve booted points, one a line.
doors ()
{
  grep -lsaz "^VIRT_KEEP_DOOR=$boots/" /proc/[0-9]*/environ | cut -d/ -f3
}

# shellcheck disable=SC2317  # called by wait_for
no_doors ()
{
  [ -z "$(doors)" ]
}

# boot_of NAME: the directory of the boot.
boot_of ()
{
  local file
  for file in "$boots"/*/boot.json; do
    [ -e "$file" ] && [ "$(json_get "$file" .name)" = "$1" ] && dirname "$file"
  done
}

# boots POINT CLAIM ARGUMENT...: boots it; the name is in $booted then, and what reads and
# writes its disks takes it for a domain as any other.
boots ()
{
  local point=$1 claim=$2 dev
  shift 2
  keep --store "$store" --json boot "$point" "$@"
  exits 0 "$claim"
  booted=$(json .domain.name)
  cleanup_fn virsh -q destroy "$booted"
  for dev in vda vdb; do
    disk_file["$booted:$dev"]=$(json ".overlays.$dev")
    disk_format["$booted:$dev"]=qcow2
  done
}

# guest_log DOMAIN: where libvirt keeps what its QEMU says.
guest_log ()
{
  if [ "$(id -u)" = 0 ]; then
    echo "/var/log/libvirt/qemu/$1.log"
  else
    echo "$XDG_CACHE_HOME/libvirt/qemu/log/$1.log"
  fi
}

# guest_reads DOMAIN DEV PATTERN OFFSET LENGTH: the guest does read that.
guest_reads ()
{
  local log before said
  log=$(guest_log "$1")
  before=$(grep -c 'Pattern verification failed' "$log")
  said=$(qmp "$1" "$(qemu_io "$2" "read -P $3 $4 $5")" 2>&1)
  [[ $said == *'"return":""'* ]] && [ "$(grep -c 'Pattern verification failed' "$log")" = "$before" ] \
    && ! tail -n 3 "$log" | grep -q 'read failed'
}

# no_boot_left: neither a door nor a directory.
no_boot_left ()
{
  wait_for 30 no_doors && [ -z "$(ls -A "$boots" 2>/dev/null)" ]
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whenever virt-keep is stopped while it boots a point, either a domain runs,
# or no door is left; what is left is found.
# shellcheck disable=SC2016,SC2031  # what eval expands
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/boot-lib.sh"

make_domain guest vda:qcow2:64M vdb:qcow2:32M
guest_write guest vda 0x61 1M 5M
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"

# boot_settles: the domain runs with a door for each disk, or there is none of either.
# shellcheck disable=SC2317  # called by wait_for
boot_settles ()
{
  if [ "$(guest_state booted)" = running ]; then
    [ "$(doors | wc -l)" = 2 ]
  else
    no_doors && ! virsh -q list --all --name | grep -qx booted
  fi
}

# reached WHAT: the boot has come so far.
# shellcheck disable=SC2317  # called by wait_for
reached ()
{
  case $1 in
    directory) ls "$boots"/*/ >/dev/null 2>&1 ;;
    door) [ -n "$(doors)" ] ;;
    overlay) ls "$boots"/*/qemu/vdb.qcow2 >/dev/null 2>&1 ;;
    domain) [ -n "$(guest_state booted)" ] ;;
  esac
}

for signal in KILL INT; do
  for moment in directory door overlay domain; do
    keep_in_background --store "$store" --json boot guest --name booted
    wait_for 30 reached "$moment" || bail "no $moment is seen"
    kill "-$signal" "$keeper"
    keep_ends 60
    holds "SIG$signal at its $moment: a domain runs or no door is left" wait_for 30 boot_settles
    boot_settles || diag "$(guest_state booted) $(doors | xargs -r ps -o pid,ppid,stat,etime,args -p)"
    [ "$signal" = INT ] && [ "$code" != 0 ] && is "$code$(ls -A "$boots")" 130 "and nothing else, when it could clean up"
    if [ "$(guest_state booted)" = running ]; then
      keep --json boot --discard booted
      exits 0 "what runs can be thrown away"
    fi
    keep --json doctor --fix
    exits 0 "what is left can be removed"
    is "$(ls -A "$boots")" "" "and then nothing is"
  done
done
keep --json doctor
exits 0 "nothing is found where nothing is left"

# A reader of the door that is not QEMU keeps it from ending.
boots guest "a domain is booted" --name ended --overlay-dir "$lab"
uri="nbd+unix:///?socket=$(boot_of ended)/qemu/vda.nbd"
coproc READER { exec qemu-io -r -f raw "$uri" >/dev/null; }
reader_in=${READER[1]}
echo "read 0 64k" >&"$reader_in"
wait_for 30 eval "ls -l /proc/$READER_PID/fd | grep -q socket" || bail "the door has no other reader"
keep --json doctor
exits 0 "a domain that runs is none of the doctor's business"
virsh -q destroy ended
holds "the door that nobody reads ends with the domain" wait_for 30 eval '[ "$(doors | wc -l)" = 1 ]'
keep --json doctor
exits 12 "what a domain has left is found"
is "$(json .stray.length) $(json .stray[0].domain) $(json .stray[0].doors.length) $(json .stray[0].doors[0])" "1 ended 1 $(doors)" "with its door"
keep doctor --fix
exits 0 "and removed"
like "$(cat "$out")" "fixed .*ended" "as it says"
holds "nothing is left" no_boot_left
is "$(find "$lab" -maxdepth 1 -name 'virt-keep-boot-*')" "" "nor an overlay elsewhere"

is "$(points)" 1 "the point is there"
keep --store "$store" --json verify guest
exits 0 "and sound"

done_testing

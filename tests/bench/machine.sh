# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part boot of bench.sh: how soon a machine runs again.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# first_line DOMAIN: waits for the first that its guest says on its serial console.
first_line ()
{
  local terminal
  terminal=$(virsh ttyconsole "$1" | head -n 1)
  timeout 120 head -c 1 "$terminal" | grep -q . || bail "the guest says nothing on '$terminal': $(cat "$lab/said")"
}

own_start ()
{
  clock_start
  must virsh -q start machine
  first_line machine
  clock own-start
  must virsh -q destroy machine
}

keep_boot () # image|restic
{
  clock_start
  must "$VIRT_KEEP" --store "${machine_store[$1]}" boot machine --name booted --progress none
  first_line booted
  clock "keep-boot-$1"
  must "$VIRT_KEEP" boot --discard booted
}

# A small Linux that is backed up five times while it writes, into either store.
part_boot ()
{
  local kind n
  local -A machine_store=([image]=$lab/machines [restic]=restic:$lab/machines.restic)
  if [ -z "${VIRT_KEEP_GUEST:-}" ]; then
    printf '\nboot: left out, since the guest cannot be built: see tests/lab/make-guest\n'
    return
  fi
  note "backing up a small Linux"
  must "$VIRT_KEEP" --store "${machine_store[restic]}" init
  make_guest machine records
  for n in 1 2 3 4 5; do
    guest_says machine "RECORD $((n * 5))"
    for kind in image restic; do
      must "$VIRT_KEEP" --store "${machine_store[$kind]}" backup machine --progress none
    done
  done
  must virsh -q destroy machine
  # The same kind of console that the booted one has.
  virsh dumpxml --inactive machine | perl -0pe "s{<serial .*?</serial>}{<serial type='pty'/>}s; s{<console .*?</console>}{}s" >"$lab/machine.xml"
  must virsh -q define "$lab/machine.xml"
  rounds own_start "keep_boot image" "keep_boot restic"
  note
  compare "virt-keep boot to the first console line, fifth incremental of an image store" keep-boot-image <<'ROWS'
own-start|virsh start from its own disk, to the same line|boot
ROWS
  compare "virt-keep boot to the first console line, fifth incremental of a restic store" keep-boot-restic <<'ROWS'
own-start|virsh start from its own disk, to the same line|boot
ROWS
  must virsh -q undefine machine --checkpoints-metadata
}

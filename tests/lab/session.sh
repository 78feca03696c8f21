#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: an ordinary user backs up, keeps, restores and boots the domains of qemu:///session
# with nobody's help, and without the environment that an administrator has.
# shellcheck disable=SC2016,SC2031  # what eval expands

# Root goes on as an ordinary user, who can read neither the tree nor its build directory
# where these lie below somebody's home: so with a copy of what is needed.
if [ "$(id -u)" = 0 ]; then
  sources=$(cd "$(dirname "$0")" && pwd)
  copy=$(mktemp -d /var/tmp/virt-keep-session.XXXXXX) || exit 99
  trap 'rm -rf "$copy"' EXIT
  mkdir -p "$copy/tests/lab" "$copy/home"
  cp "$sources"/*.sh "$sources/private-libvirtd" "$copy/tests/lab"
  cp "$sources/../tap.sh" "$copy/tests"
  cp "${VIRT_KEEP:-$sources/../../build/tool/virt-keep}" "$copy/virt-keep"
  ordinary=(env -u TMPDIR -u XDG_RUNTIME_DIR -u VIRT_KEEP_NBDKIT_PLUGIN
            HOME="$copy/home" USER=nobody LOGNAME=nobody VIRT_KEEP="$copy/virt-keep"
            setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)
  chmod -R u=rwX,go=rX "$copy" && chown -R 65534:65534 "$copy"
  (cd "$copy" && "${ordinary[@]}" test -x "$copy/virt-keep") \
    || { echo "1..0 # SKIP root may not become another user here"; exit 0; }
  cd "$copy" && "${ordinary[@]}" "$BASH" "$copy/tests/lab/session.sh"
  exit
fi

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/boot-lib.sh"

# Its own place for what it has booted, and not that of the person who runs the test.
unset VIRT_KEEP_STATE_DIR XDG_STATE_HOME
export HOME=$lab
boots=$lab/.local/state/virt-keep/boots

isnt_root ()
{
  [ "$(id -u)" != 0 ] && [ "$(virsh uri)" = qemu:///session ]
}
holds "an ordinary user has domains of his own" isnt_root

make_domain guest vda:qcow2:64M vdb:raw:16M
guest_write guest vda 0x61 1M 3M
guest_write guest vdb 0x62 1M 1M
shadow guest vda "$lab/full.raw"
shadow guest vdb "$lab/full-b.raw"
keep --store "$store" --json backup guest --mode push
exits 0 "a backup in push mode"
full=$(json .point)
is "$(json .disks[0].level)" full "is full"

guest_write guest vda 0x63 5M 1M
shadow guest vda "$lab/push.raw"
keep --store "$store" --json backup guest --mode push
exits 0 "a second one"
push=$(json .point)
is "$(json .disks[0].level)" incremental "is incremental"

guest_write guest vda 0x64 9M 1M
shadow guest vda "$lab/pull.raw"
keep --store "$store" --json backup guest --mode pull
exits 0 "a third one in pull mode"
pull=$(json .point)
is "$(json .disks[0].level)" incremental "is incremental, too"

is "$(points)" 3 "list shows them"
keep --store "$store" --json verify --all
exits 0 "verify finds them whole"
keep --store "$store" --json doctor guest
exits 0 "doctor has nothing against it"

for what in full push pull; do
  keep --store "$store" restore "${!what}" --to "$lab/$what" --format raw
  exits 0 "the $what one is restored"
  is "$(digest "$lab/$what/vda.raw")" "$(digest "$lab/$what.raw")" "with every byte"
done
is "$(digest "$lab/full/vdb.raw")" "$(digest "$lab/full-b.raw")" "of each disk"
is "$(find "$store" "$lab/full" ! -uid "$(id -u)")" "" "everything belongs to the user"

keep --store "$store" --json restore "$pull" --to "$lab/new" --define --name new --start
exits 0 "a domain is restored and started"
cleanup_fn remove_domain new
is "$(guest_state new)" running "and runs"
holds "with the bytes of its instant" guest_reads new vda 0x64 9M 1M

boots "$push" "a restore point is booted"
holds "which is written down in the home directory" test -n "$(boot_of "$booted")"
is "$(guest_state "$booted")" running "and runs"
holds "with the bytes of its instant" guest_reads "$booted" vda 0x63 5M 1M
keep --json boot --discard "$booted"
exits 0 "it is discarded"
unlike "$(virsh list --all --name)" "$booted" "and gone"
holds "no door stays" wait_for 60 no_doors

virsh -q destroy guest
keep --store "$store" --json backup guest
exits 0 "a domain that is shut off is backed up"

done_testing

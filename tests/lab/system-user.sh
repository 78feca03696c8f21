#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: an ordinary user who may manage qemu:///system gets there what the permissions of
# files allow, and a sentence where they do not, with nothing left.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root has a qemu:///system of its own here"

make_domain guest vda:qcow2:16M
guest_write guest vda 0x61 1M 3M
shadow guest vda "$lab/then.raw"

home=$lab/home
install -d -o 65534 -g 65534 -m 0711 "$home"
install -m 0755 "$VIRT_KEEP" "$lab/virt-keep"
export HOME=$home
unset TMPDIR VIRT_KEEP_STATE_DIR XDG_STATE_HOME
# What lib.sh runs virt-keep with: as that user.
VG="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs ${VG:-}"
VIRT_KEEP=$lab/virt-keep
cd "$home" || bail "no home"
store=$home/store

# left_behind: what virt-keep has made for itself and not removed.
left_behind ()
{
  find /var/tmp -maxdepth 1 -name 'virt-keep-*' -user 65534
  find "$store" -name '.partial-*'
}

for level in full incremental; do
  keep --store "$store" --json backup guest --mode push
  exits 0 "push mode works"
  is "$(json .disks[0].level)" "$level" "and is $level"
done
is "$(find "$store" ! -uid 65534)" "" "everything belongs to the user"
keep --store "$store" verify --all
exits 0 "who can read it, too"
keep --store "$store" --json doctor guest
exits 0 "doctor looks at the domain and the store"

keep --store "$store" --json backup guest --mode pull
exits 5 "pull mode is refused"
like "$(json .error.message)" "QEMU runs as user [0-9]+ and cannot be given .*: run virt-keep as root, or back up in push mode" "with what to do"
mkdir -m 0700 "$home/closed"
chown 65534:65534 "$home/closed"
keep --store "$home/closed/store" --json backup guest --mode push
exits 9 "a store below a directory that QEMU's user cannot pass is refused"
like "$(json .error.message)" "QEMU runs as a user of its own, which has to be able to reach that directory \(chmod o\+x" "with what to do"
is "$(find "$home/closed" -name '.partial-*')" "" "and no half restore point stays"
is "$(virsh domjobinfo guest | sed -n 's/^Job type: *//p' | xargs)" None "nor a job"

keep --store "$store" restore guest --to "$home/raw" --format raw
exits 0 "a restore works"
is "$(digest "$home/raw/vda.raw")" "$(digest "$lab/then.raw")" "with every byte"
keep --store "$store" restore guest --to "$home/new" --define --name new --start
exits 0 "and one that defines and starts a domain"
cleanup_fn remove_domain new
is "$(guest_state new)" running "which runs"
keep --store "$store" --json boot guest
exits 5 "boot is refused"
like "$(json .error.message)" "cannot be given .*: run virt-keep as root" "with what to do"
is "$(virsh list --all --name | xargs)" "guest new" "and leaves no domain"
is "$(left_behind)" "" "nothing else is left either"

chmod 0600 /run/libvirt/libvirt-sock
keep --store "$store" --json backup guest
exits 8 "who may not manage it gets no connection"
like "$(json .error.message)" "may this user use it" "and the question why"
chmod 0777 /run/libvirt/libvirt-sock

done_testing

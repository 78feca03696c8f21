#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the commands of the tour and of the recipes in the manual do what is said of them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manual-lib.sh"
cleanup_fn remove_domain web3

make_web
guest_write web vda 0x11 1M 5M

# ---- the tour --------------------------------------------------------------------

manual=$lab_sources/../../docs/tour.pod
follow "IS THIS HOST READY?" "THE FIRST BACKUP" "THE NEXT ONES" "IS IT SOUND?"
exits 0 "the tour: from the first look to the second backup"
like "$(cat "$out")" "QEMU has closed the backup.*(QEMU has closed the backup|QEMU had nothing to close)" "both backups are closed"
is "$(points)" 2 "and listed"
# What is thrown away again is looked at before.
export VIRT_KEEP_STORE=$store
awk '/^=head1/ { inside = $0 == "=head1 A SECOND MACHINE FROM IT" } inside && /^ virsh destroy/ { exit } { print }' "$manual" >"$lab/half.pod"
manual=$lab/half.pod
follow "A SECOND MACHINE FROM IT"
exits 0 "the tour: a second machine"
is "$(guest_state web2)/$(guest_state web)" running/running "runs beside the first"
differs () { [ "$(virsh domuuid web | head -n 1)" != "$(virsh domuuid web2 | head -n 1)" ]; }
holds "with a UUID of its own" differs
remove_domain web2
rm -rf "$images/web2"
manual=$lab_sources/../../docs/tour.pod
follow "A SECOND MACHINE FROM IT"
exits 0 "it is thrown away again"
is "$(virsh -q list --all --name | xargs)/$(ls "$images")" web/web.qcow2 "and nothing of it is left"
follow "AT ONCE, FROM THE BACKUP ITSELF"
exits 0 "the tour: a machine from the backup itself comes and goes"
is "$(virsh -q list --all --name | xargs)" web "and nothing of it is left"

# ---- managed with virsh ------------------------------------------------------------

manual=$lab_sources/../../docs/virsh.pod
follow "BEFORE AN UPGRADE IN THE GUEST"
exits 0 "before an upgrade: backup, note, guard, and back again"
is "$(guest_state web)" running "the machine runs"
keep --store "$store" --json list
is "$(json '.points[2].note')/$(json '.points[2].protected')" "before the upgrade/true" "its point has the note and the guard"

# ---- on the hosts of clouds -----------------------------------------------------------

hooks=$lab/hooks
install -d -m 0755 "$hooks"
install -m 0755 "$lab_sources/../../examples/hooks/forget-checkpoints" "$hooks/"
keep --store "$store" --json backup web --hook-dir "$hooks"
exits 0 "a backup after which libvirt forgets the checkpoint"
is "$(json .warnings.length)" 0 "without a warning"
is "$(checkpoints web)" "" "libvirt knows of none"
virsh dumpxml web --inactive >"$lab/again.xml"
virsh -q shutdown web >/dev/null; virsh -q destroy web >/dev/null
holds "so that whoever does not know of checkpoints can undefine the domain" virsh -q undefine web
virsh -q define "$lab/again.xml" >/dev/null && virsh -q start web >/dev/null
guest_write web vda 0x77 8M 1M
shadow web vda "$lab/vda.raw"
keep --store "$store" --json backup web --hook-dir "$hooks"
is "$code/$(json .level)" 0/incremental "when the agent defines it again, the next backup is an incremental one"
keep --store "$store" restore "$(json .point)" --to "$lab/back"
holds "with the bytes of the instant" qemu-img compare -f qcow2 -F raw "$lab/back/vda.qcow2" "$lab/vda.raw"

done_testing

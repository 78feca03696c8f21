#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the state of an emulated TPM goes into the restore point, and the result
# says how consistent it is.
. "$(dirname "$0")/lib.sh"
command -v swtpm_setup >/dev/null || skip_all "swtpm is missing"
[ "$(id -u)" = 0 ] || skip_all "libvirt starts swtpm for an ordinary user only where it keeps its certificates"

make_domain guest vda:qcow2:64M
give_tpm guest
state=/var/lib/libvirt/swtpm/$(virsh domuuid guest | head -n 1)/tpm2/tpm2-00.permall

keep --store "$store" --json backup guest
exits 0 "a domain with an emulated TPM is backed up"
like "$(json '.warnings[0]')" "TPM.*newer" "the result says that the state may be newer than the disks"
is "$(digest "$(point_dir "$(json .point)")/swtpm-tpm2-00.permall")" "$(digest "$state")" "the state is in the restore point"
keep --store "$store" --json restore guest --to "$lab/out" --define --name again
exits 0 "it is restored"
is "$(digest "$lab/out/swtpm-tpm2-00.permall")" "$(digest "$state")" "with the state"
like "$(json '.warnings[0]')" "swtpm" "and with a word about where it has to go"

done_testing

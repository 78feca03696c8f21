#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what disturbs a freeze, a user's Ctrl-C, a begin that hangs, an agent that does not
# thaw, is said, and leaves a guest that writes; and a point tells what its guest was.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

freeze_status ()
{
  virsh qemu-agent-command "$1" '{"execute":"guest-fsfreeze-status"}' 2>/dev/null | sed 's/.*"return":"\([a-z]*\)".*/\1/'
}

# shellcheck disable=SC2317  # called by wait_for
is_thawed ()
{
  [ "$(freeze_status web)" = thawed ]
}

# while_frozen: what the hook does while the guest is frozen comes from standard input.
hooks=$lab/hooks
mkdir -m 0755 "$hooks"
while_frozen ()
{
  { printf '#!/bin/bash\n[ "$1" = frozen ] || exit 0\n'; cat; } >"$hooks/50-disturb"
  chmod 0755 "$hooks/50-disturb"
}

# notes: how many guests are noted as frozen.
notes ()
{
  find "$VIRT_KEEP_STATE_DIR/frozen" -type f | wc -l
}

make_guest web
guest_says web "GUEST: READY"
guest_agent web
# shellcheck disable=SC2034  # no_trace compares with it
own_nodes[web]=$(block_nodes web)

# ---- what the guest was ----------------------------------------------------------------

keep --store "$store" --json backup web --quiesce require
exits 0 "a backup of a guest that is frozen"
manifest=$(point_dir "$(json .point)")/manifest.json
like "$(json_get "$manifest" .guest)" '"filesystems"' "the manifest has what the agent tells of the guest"
is "$(json_get "$manifest" '.guest.filesystems[0].mountpoint') $(json_get "$manifest" '.guest.filesystems[0].type')" "/mnt ext4" "its file system"
is "$(json_get "$manifest" '.guest.filesystems[0].disks[0]')" vda "with the disk that it lies on"

# ---- interrupted -------------------------------------------------------------------------

remember web
while_frozen <<END
touch "$lab/holding"
exec sleep 600
END
keep_in_background --store "$store" --json backup web --hook-dir "$hooks" --freeze-limit 10m --hook-timeout 10m
wait_for 60 test -e "$lab/holding" || bail "the hook does not run: $(cat "$err")"
is "$(freeze_status web)" frozen "the guest is frozen"
kill -INT "$keeper"
keep_ends 60
exits 130 "SIGINT amid the freeze ends the backup"
is "$(freeze_status web)" thawed "which has thawed the guest"
is "$(notes)" 0 "and notes nothing of it any more"
no_trace web "interrupted:"

# ---- a begin that hangs --------------------------------------------------------------------

# As long as somebody else's order to QEMU lasts, libvirt begins nothing; the agent is free.
while_frozen <<END
virsh qemu-monitor-command web --hmp 'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "sleep 8000"' >/dev/null 2>&1 &
sleep 0.5
END
keep --store "$store" --json backup web --hook-dir "$hooks" --freeze-limit 2s
exits 0 "a backup whose begin hangs for longer than --freeze-limit"
is "$(json .quiesce.frozen)" false "does not count as frozen"
like "$(json .quiesce.reason)" "limit" "and says why"
holds "the guest was thawed at the limit" test "$(json .quiesce.milliseconds)" -lt 7000
is "$(freeze_status web)" thawed "and is thawed now"
remember web
keep --store "$store" --json backup web --hook-dir "$hooks" --freeze-limit 2s --quiesce require
exits 6 "one that has to be of a frozen guest is not kept"
no_trace web "hanging:"

# ---- a thaw that fails ----------------------------------------------------------------------

# The agent of a guest that is paused does not hear of it.
while_frozen <<<'virsh -q suspend web'
keep --store "$store" --json backup web --hook-dir "$hooks"
exits 14 "a guest that cannot be thawed has an exit status of its own"
like "$(json .error.message)" "'web' may still be frozen.*virsh domfsthaw" "and a sentence that says what to do"
is "$(notes)" 1 "it is noted as frozen"
virsh -q resume web
rm "$hooks/50-disturb"
keep --store "$store" --json backup web --quiesce require
exits 0 "the next backup succeeds without a person"
holds "the guest is thawed" wait_for 10 is_thawed
is "$(notes)" 0 "and noted no more"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: an incremental of a guest that has written nothing needs no job, and its restore point
# is like any other; what the guest writes until the instant is in it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

hooks=$lab/hooks
mkdir -m 0755 "$hooks"

# holds_disks CLAIM [POINT]: the newest point, or that one, has the bytes of the last shadows.
holds_disks ()
{
  local dir dev
  dir=$(point_dir "${2:-$(json .point)}")
  for dev in vda vdb; do
    holds "$1: $dev has the bytes of the instant" same_bytes "$dir/$dev.qcow2" "$lab/$dev.raw"
  done
}

shadows ()
{
  shadow guest vda "$lab/vda.raw"
  shadow guest vdb "$lab/vdb.raw"
}

make_domain guest vda:qcow2:64M vdb:qcow2:8M
guest_write guest vda 0x11 1M 3M
guest_write guest vdb 0x12 0 1M
keep --store "$store" --json backup guest
exits 0 "a full backup begins"
full=$(json .point)
had=$(checkpoints guest)
shadows

# The job of the full backup is the last one that libvirt knows of, and stays it.
job=$(virsh domjobinfo guest --completed --keep-completed)
keep --store "$store" --json backup guest --progress json
exits 0 "a guest that has written nothing is backed up"
is "$(json .level) $(json .base) $(json .checkpoint)" "incremental ${full#*@} $had" "as an incremental of the full one, with its checkpoint"
is "$(json .closed.proven) $(json .closed.method)" "true no-job" "there was nothing to close"
is "$(grep -c job-completed "$err")" 0 "no job has ended"
is "$(virsh domjobinfo guest --completed --keep-completed)" "$job" "nor does libvirt know of another one"
is "$(checkpoints guest)" "$had" "the checkpoint is the one from before"
is "$(block_nodes guest)" "${own_nodes[guest]}" "QEMU has its own block nodes"
holds_disks "nothing written"
unchanged=$(json .point)
keep --store "$store" backup guest
like "$(cat "$out")" "Nothing had changed since ${unchanged#*@}: no backup job was needed" "a person is told"
keep --store "$store" --json verify --data "$unchanged"
exits 0 "the point verifies"

guest_write guest vdb 0x13 2M 64k
shadows
keep --store "$store" --json backup guest
exits 0 "one disk of two has changed"
is "$(json .level) $(json .closed.method)" "incremental monitor" "a job counts from the same checkpoint"
is "$(checkpoints guest)" "$(json .checkpoint)" "and leaves one of its own"
holds_disks "one disk written"
written=$(json .point)

# The disks are compared at the instant, not when the backup begins.
cat >"$hooks/write" <<SCRIPT
#!/bin/bash
[ "\$1" = pre-freeze ] || exit 0
exec virsh -q qemu-monitor-command guest '$(qemu_io vda "write -P 0x77 40M 64k")' >/dev/null
SCRIPT
chmod 0755 "$hooks/write"
keep --store "$store" --json backup guest --hook-dir "$hooks"
exits 0 "a guest that writes at the last moment is backed up"
is "$(json .base) $(json .closed.method)" "${written#*@} monitor" "with a job"
shadows
holds_disks "written at the last moment"

keep --store "$store" --json backup guest --level differential
exits 0 "a differential succeeds"
is "$(json .level) $(json .closed.method)" "differential monitor" "with a job"
keep --store "$store" --json backup guest --level full
is "$(json .level) $(json .closed.method)" "full monitor" "and so does a full backup"
full=$(json .point)

# What only the base knows stays when that is forgotten, and so does the checkpoint.
keep --store "$store" --json backup guest
exits 0 "another one of which nothing has changed succeeds"
unchanged=$(json .point)
keep --store "$store" --json prune guest --keep-last 1
exits 0 "all but that are removed"
holds_disks "without its base" "$unchanged"
guest_write guest vda 0x14 0 8M
keep --store "$store" --json backup guest
exits 0 "the guest has changed since"
is "$(json .level) $(json .base)" "incremental ${unchanged#*@}" "which needs no full backup"
shadows
holds_disks "based on it"

# It fails, and the checkpoint is not its own.
had=$(checkpoints guest)
cat >"$hooks/write" <<SCRIPT
#!/bin/bash
[ "\$1" != thawed ] || mkdir "\$(echo "$store"/*/.partial-*)/manifest.json"
SCRIPT
keep --store "$store" --json backup guest --hook-dir "$hooks"
exits 9 "one that cannot be stored fails"
is "$(checkpoints guest)" "$had" "and the checkpoint stays"
is "$(find "$store" -name '.partial-*')" "" "nothing is left over"

# A domain beside it that has changed.
make_domain other vda:qcow2:16M
keep --store "$store" backup other
guest_write other vda 0x15 0 1M
keep --store "$store" --json backup guest other --together
exits 0 "two domains are backed up together, of which one has changed"
is "$(json '.results[0].closed.method') $(json '.results[1].closed.method')" "no-job monitor" "and only that one has a job"

done_testing

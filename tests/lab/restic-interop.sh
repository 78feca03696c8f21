#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what restic does to the repository leaves our points whole and the next
# incremental one possible, and virt-keep removes, copies and marks points with it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

OLDPATH=$PATH
make_domain guest vda:qcow2:300M vdb:raw:16M
guest_write guest vda 0x11 0 12M
guest_write guest vdb 0x12 1M 64k
restic -q init -r "$repository"
echo "somebody else's" >"$lab/file"
restic -q -r "$repository" backup "$lab/file"
restic -q -r "$repository" backup --stdin --tag other <"$lab/file"
backup_is guest full "the first backup into a repository of restic's"
like "$(json '.disks[1].level')" full "a raw disk is read whole"
first=$(json .point)

# step NUMBER CLAIM: something is written, and an incremental backup of it works.
step ()
{
  guest_write guest vda "$1" $((RANDOM % 290))M 64k
  guest_write guest vdb "$1" 2M 64k
  shadow guest vdb "$lab/vdb.raw"
  backup_is guest incremental "$2"
  like "$(json '.disks[1].level') $(json '.disks[1].reason')" "full.*raw" "$2: the raw disk is read whole, with the reason"
  holds "$2: of which only new chunks are stored" test "$(json '.disks[1].bytes_added')" -le $((512 << 10))
  holds "$2: it is the raw disk's bytes" dumps_to "$(json .point)" vdb "$lab/vdb.raw"
}

step 33 "beside the snapshots of others"
second=$(json .point)
restic -q -r "$repository" tag --add mine "$(snapshot_of "$second")" >/dev/null
step 34 "after restic tag"
echo "second horse" >"$lab/second"
holds "restic adds a key" restic -q -r "$repository" key add --new-password-file "$lab/second"
holds "which virt-keep takes" env -u RESTIC_PASSWORD "$VIRT_KEEP" --store "$store" --password-file "$lab/second" list
holds "restic changes the password" restic -q -r "$repository" key passwd --new-password-file "$lab/file"
keep --store "$store" list
exits 5 "the old password is refused"
RESTIC_PASSWORD=$(cat "$lab/file")
step 35 "after key add and passwd"

keep --store "$store" protect "$first"
exits 0 "a point can be protected"
keep --store "$store" note "$first" "keep it, please"
exits 0 "and have a note"
keep --store "$store" --json list
is "$(json '.points[0].protected') $(json '.points[0].note')" "true keep it, please" "list shows both"
keep --store "$store" forget "$first"
exits 5 "a protected point is not forgotten"
keep --store "$store" unprotect "$first"
keep --store "$store" forget "$second"
exits 0 "another one is"
step 36 "after virt-keep forget"
keep --store "$store" --json prune guest --keep-last 2
exits 0 "virt-keep prune removes more"
is "$(json .removed.length)" 2 "namely two"
like "$(cat "$err")" "repack|unused|done" "restic's words are on standard error"
repository_is_sound "after it"
step 37 "after virt-keep prune"
restic -q -r "$repository" forget --tag virt-keep --keep-last 1 --group-by host,paths --prune >/dev/null
repository_is_sound "after restic forget --prune"
is "$(points)" 1 "which has grouped by domain and kept one"
step 38 "after restic forget --prune"

export RESTIC_PASSWORD
restic -q init -r "$lab/elsewhere"
keep --store "$store" copy --to "restic:$lab/elsewhere"
exits 0 "virt-keep copy copies"
holds "the copy is sound" restic -q -r "$lab/elsewhere" check --read-data

store=restic:$lab/elsewhere
is "$(points)" 2 "all points are there, and others' snapshots are not"
holds "the last one as it was" cmp <(restic -q -r "$lab/elsewhere" dump latest /vdb.raw) "$lab/vdb.raw"
store=restic:$repository

PATH=/nonexistent
keep --store "$store" forget guest@latest
PATH=$OLDPATH
exits 5 "without restic forget is refused"
like "$(cat "$err")" "restic.*not installed" "and says what to install"

done_testing

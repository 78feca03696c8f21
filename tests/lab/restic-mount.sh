#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: mount shows the disks of restore points as files until it is interrupted, and
# nothing stays mounted.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

if ! [ -w /dev/fuse ] || ! { command -v fusermount || command -v fusermount3; } >/dev/null; then
  skip_all "there is no FUSE here"
fi

make_domain guest vda:qcow2:64M
guest_write guest vda 0x31 1M 2M
shadow guest vda "$lab/then.raw"
restic -q init -r "$repository"
keep --store "$store" --json backup guest
exits 0 "a backup is made"
echo theirs >"$lab/theirs"
restic -q -r "$repository" backup "$lab/theirs"

is_mounted ()
{
  [ -e "$lab/mounted/snapshots/latest/vda.raw" ]
}

mkdir "$lab/mounted"
keep_in_background --store "$store" mount "$lab/mounted"
wait_for 60 is_mounted || bail "nothing is mounted: $(cat "$err")"
holds "the disk is a file with the bytes of its instant" cmp "$lab/mounted/snapshots/latest/vda.raw" "$lab/then.raw"
is "$(find "$lab/mounted/snapshots" -mindepth 1 -maxdepth 1 -type d | wc -l)" 1 "other people's snapshots are not shown"
kill -INT "$keeper"
keep_ends 30
exits 0 "Ctrl-C ends it"
is "$(find "$lab/mounted" -mindepth 1; grep -F "$lab/mounted" /proc/self/mounts)" "" "and nothing is mounted any more"
holds "nor locked" test -z "$(find "$repository/locks" -type f)"

keep --store "$store" mount "$lab/not there"
is "$code" 9 "a directory that is not there is restic's failure"
like "$(cat "$err")" "not there" "which is named"

done_testing

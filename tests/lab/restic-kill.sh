#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup into a restic repository that was killed with SIGKILL leaves
# nothing but data that nothing refers to; the next one works, and prune clears up.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

# packs: how many there are.
packs ()
{
  find "$repository/data" -type f | wc -l
}

# more_packs N
# shellcheck disable=SC2317  # called by wait_for
more_packs ()
{
  [ "$(packs)" -gt "$1" ]
}

make_domain guest vda:qcow2:2G
restic -q init -r "$repository"
keep --store "$store" --json backup guest
exits 0 "a backup before"
for level in full incremental; do
  head -c 320M /dev/urandom >"$lab/random"
  guest_io guest vda "write -s $lab/random $((RANDOM % 1000))M 320M"
  shadow guest vda "$lab/then.raw"
  count=$(points)
  before=$(packs)
  keep_in_background --store "$store" --json backup guest --level $level
  wait_for 60 more_packs "$before" || bail "the backup stores nothing"
  kill -KILL "$keeper"
  wait "$keeper" 2>/dev/null
  is "$(points)" "$count" "$level: nothing of the killed backup is listed"
  is "$(guest_state guest)" running "$level: the guest runs"
  if has_job guest; then
    virsh -q domjobabort guest
    wait_for 10 no_job guest
  fi
  holds "$level: restic removes the lock of the dead" restic -q -r "$repository" unlock
  repository_is_sound "$level: meanwhile"

  backup_is guest incremental "$level: the next backup"
  is "$(points)" $((count + 1)) "$level: and is listed"
  is "$(checkpoints guest)" "$(json .checkpoint)" "$level: the checkpoint of the killed one is gone"
  is "$(find /var/tmp -maxdepth 1 -name "virt-keep-$(restic_json cat config | json_get /dev/stdin .id | cut -c 1-8)-*")" "" "$level: and its private directory"
done

head -c 320M /dev/urandom >"$lab/random"
guest_io guest vda "write -s $lab/random 100M 320M"
remember guest
before=$(packs)
keep_in_background --store "$store" --json backup guest
wait_for 60 more_packs "$before"
kill -INT "$keeper"
keep_ends 30
exits 130 "an interrupted backup says so"
is "$(points)" "$had_points" "and is not listed"
is "$(restic_json list locks)" "" "its lock is gone"
is "$(checkpoints guest)" "$had_checkpoints" "the checkpoints are those from before"
holds "libvirt has no job left" no_job guest

keep --store "$store" prune guest --keep-last 10
exits 0 "prune succeeds"
like "$(cat "$err")" "unreferenced|to delete" "by what restic does"
is "$(restic -r "$repository" prune --dry-run | sed -n 's/^to delete: *\([0-9]*\) blobs.*/\1/p')" 0 "and no data is left that nothing refers to"
repository_is_sound "in the end"
holds "the last point is what it was" dumps_to "$(json_get "$lab/list.json" '.points[2].point')" vda "$lab/then.raw"

done_testing

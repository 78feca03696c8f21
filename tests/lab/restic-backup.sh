#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup into a restic repository is one that restic itself reads, byte for
# byte; an incremental costs what changed, and each point is whole.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

make_domain guest vda:qcow2:1025M
guest_write guest vda 0x11 0 20M
guest_write guest vda 0x12 100M 5M
guest_write guest vda 0x13 1024M 64k

keep --store "$store" --json init
exits 0 "init makes a repository"
keep --store "$store" --json init
exits 5 "a second time it is refused"
keep --store "$store" --json backup guest --mode push
exits 2 "push mode is refused"
like "$(cat "$err")" "pull" "with a hint at pull mode"

backup_is guest full "the first backup"
is "$(json .mode)" pull "pull is the default mode"
is "$(json '.disks[0].image') $(json '.disks[0].size')" "vda.raw $((1025 << 20))" "the disk is a file of its own size"
repository_is_sound "after the first backup"
like "$(restic_json snapshots | json_get /dev/stdin '[0].tags')" 'virt-keep","guest' "the snapshot has the tags"

guest_write guest vda 0x21 1M 64k
guest_write guest vda 0 10M 2M
guest_discard guest vda 12M 1M
guest_write guest vda 0x22 900M 100k
backup_is guest incremental "an incremental"
holds "it reads what changed, in whole chunks" test "$(json '.disks[0].bytes_moved')" -le $((5 << 20))
holds "and adds only what is new" test "$(json '.disks[0].bytes_added')" -le $((2 << 20))
backup_is guest incremental "with nothing changed"
is "$(json '.disks[0].bytes_added') $(json '.disks[0].bytes_moved')" "0 0" "nothing is read or added"
backup_is guest incremental "a differential" --level differential
like "$(json .reason)" "whole" "which is an incremental, and says why"
backup_is guest full "a full" --level full
is "$(json '.disks[0].bytes_added')" 0 "which adds nothing that is there"
is "$(checkpoints guest)" "$(json .checkpoint)" "one checkpoint is alive"
repository_is_sound "in the end"
is "$(restic_json snapshots | json_get /dev/stdin .length)" 5 "restic sees a snapshot a point"
holds "restic knows how a point differs from the one before" eval "restic -r '$repository' diff \$(restic -r '$repository' snapshots --json | perl -MJSON::PP -e 'print join q{ }, map { \$_->{short_id} } @{JSON::PP->new->decode (join q{}, <STDIN>)}[0, 1]') | grep 'vda.raw' >/dev/null"

# ---- a base with a hole in it ------------------------------------------------------

head -c 8M /dev/urandom >"$lab/random"
chmod 0644 "$lab/random"
guest_io guest vda "write -s $lab/random 200M 8M"
touch "$lab/before"
backup_is guest incremental "with something new" --pack-size 4
find "$repository/data" -type f -size +3M -newer "$lab/before" -delete
restic -q -r "$repository" rebuild-index >/dev/null 2>&1
keep --store "$store" --json backup guest --level incremental
exits 5 "an incremental on a point that has lost a chunk is refused"
like "$(cat "$err")" 'chunk at offset 2[01][0-9]{7} is missing' "with the place"
backup_is guest full "a full instead" --level auto
like "$(json .reason)" 'chunk at offset 2[01][0-9]{7} is missing' "says why"
repository_is_sound "since what was lost has been stored again"

# ---- several domains at one instant ---------------------------------------------------

make_domain other vda:qcow2:64M
guest_write other vda 0x31 1M 3M
for domain in guest other; do
  shadow $domain vda "$lab/$domain.raw"
done
keep --store "$store" --json backup guest other --together
exits 0 "two domains are backed up together"
is "$(json '.results[0].mode') $(json '.results[0].level') $(json '.results[1].level')" "pull incremental full" "each in its own way"
n=0
for domain in guest other; do
  holds "$domain: restic dumps the bytes of the instant" dumps_to "$(json ".results[$n].point")" vda "$lab/$domain.raw"
  n=$((n + 1))
done
virsh -q destroy other
repository_is_sound "with both"
had=$(points)
keep --store "$store" --json backup guest nobody --together
exits 3 "when one of them does not exist nothing is stored"
is "$(points)" "$had" "of the other either"

done_testing

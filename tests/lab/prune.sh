#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: forget and prune remove restore points wherever they are in a chain, and
# what stays keeps its exact bytes, for virt-keep and for qemu-img alone.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/shadows.sh
. "$lab_sources/shadows.sh"

make_domain guest vda:qcow2:64M vdb:qcow2:32M

# take LEVEL: a restore point whose shadows are $lab/ID.vda.raw and $lab/ID.vdb.raw.
points_made=()
take ()
{
  local dev id
  guest_write guest vda $((RANDOM % 255 + 1)) $((RANDOM % 60))M 3M
  guest_write guest vda 0 $((RANDOM % 60))M 1M
  guest_discard guest vda $((RANDOM % 60))M 1M
  guest_write guest vdb $((RANDOM % 255 + 1)) $((RANDOM % 400 * 64))k 100k
  for dev in vda vdb; do shadow guest $dev "$lab/now.$dev.raw"; done
  keep --store "$store" --json backup guest --level "$1"
  exits 0 "a $1 restore point"
  id=$(json .point)
  points_made+=("$id")
  remember_shadow "$id"
}

# left CLAIM POINT...: exactly these are listed, each reads as its shadows through
# qemu-img and through virt-keep's own door, and nothing is left over.
left ()
{
  local claim=$1
  shift
  look
  is "$listed" "$*" "$claim: what is to stay is listed"
  compare_points "$@"
  is "$differs" "" "$claim: with its exact bytes"
  keep --store "$store" verify --all --data
  exits 0 "$claim: and verifies"
  is "$(find "$store" -name '.?*' -o -name 'manifest-*')" "" "$claim: nothing is left over"
}

# names NUMBER...: sets $chosen to the points that were made, by number.
names ()
{
  local n
  chosen=()
  for n; do chosen+=("${points_made[n]}"); done
}

# trial: each begins with the store as it was made.
trial ()
{
  rm -rf "$store"
  cp -a --sparse=always "$lab/made" "$store"
}

#   0 full <- 1 <- 2 <- 5 <- 6     3 and 4 are differentials on 0, 5 an incremental on 4
take full
take incremental
take incremental
take differential
take differential
take incremental
take incremental
mv "$store" "$lab/made"
trial

for removed in 1 2 0 5 6 3 4 "1 2" "0 1" "0 1 2 3" "0 1 2 3 4 5" "1 3 5" "6 5 4 3 2 1" "0 1 2 3 4 5 6"; do
  trial
  stays=()
  for n in "${!points_made[@]}"; do
    [[ " $removed " == *" $n "* ]] || stays+=("${points_made[n]}")
  done
  # shellcheck disable=SC2086  # a list
  names $removed
  keep --store "$store" --json forget "${chosen[@]}"
  exits 0 "forget $removed"
  is "$(json .removed.length)" ${#chosen[@]} "forget $removed: the result names them"
  left "forget $removed" "${stays[@]}"
done
is "$(find "$store" -mindepth 1 -not -name virt-keep-store.json)" "" "when every restore point is gone, so is the domain's directory"

trial
for n in 3 0 2 5 1 4; do
  keep --store "$store" --json forget "${points_made[n]}"
  exits 0 "forget one after the other: $n"
done
left "one after the other" "${points_made[6]}"
keep --store "$store" --json show guest
is "$(json .manifest.level) $(json .manifest.base)" "full null" "the last one is a full, now"
like "$(json .manifest.merged)" "^20" "and it says that others were merged into it"

# In place: a full image is not copied, where nothing but its successor builds on it.
trial
names 1 2 3
keep --store "$store" forget "${chosen[@]}"
if ! cp --reflink=always "$out" "$lab/clone" 2>/dev/null; then
  full=$(stat -c %i "$(point_dir "${points_made[0]}")/vda.qcow2")
  keep --store "$store" --json forget "${points_made[0]}"
  is "$(json '.merged[0].method')" in-place "an only successor is merged into the full image in place"
  is "$(stat -c %i "$(point_dir "${points_made[4]}")/vda.qcow2")" "$full" "whose file it takes"
  names 4 5 6
  left "in place" "${chosen[@]}"
  # A reader who has the image open is not disturbed, and does not disturb.
  qemu-io -r -c 'sleep 60000' "$(point_dir "${points_made[6]}")/vda.qcow2" >/dev/null 2>&1 &
  reader=$!
  sleep 1
  keep --store "$store" --json forget "${points_made[4]}"
  exits 0 "a reader does not keep a restore point from being merged"
  is "$(json '.merged[0].method')" copy "by copying what it reads"
  kill $reader
  wait $reader 2>/dev/null
  names 5 6
  left "beside a reader" "${chosen[@]}"
fi

# Protection, notes, dry run.
trial
keep --store "$store" --json protect "${points_made[1]}"
exits 0 "protect"
keep --store "$store" --json note "${points_made[1]}" "before the upgrade"
is "$code $(json .protected) $(json .note)" "0 true before the upgrade" "note keeps the protection"
keep --store "$store" --json note "${points_made[2]}" $'two\nlines'
exits 2 "a note is one line"
keep --store "$store" --json list
is "$(json '.points[1].protected') $(json '.points[1].note') $(json '.points[2].protected') $(json '.points[2].note')" "true before the upgrade false null" "list tells"
names 0 1
before=$(cd "$store" && find . -type f -not -name lock -exec sha256sum {} + | sort)
keep --store "$store" forget "${chosen[@]}"
exits 5 "forget refuses a protected one"
keep --store "$store" forget guest
exits 2 "forget wants a time"
keep --store "$store" forget guest@20000101T000000Z
exits 3 "forget finds no unknown one"
keep --store "$store" prune guest
exits 2 "prune without a rule refuses"
keep --store "$store" prune --all --keep-last 0
exits 2 "also with one that keeps nothing"
keep --store "$store" prune --keep-last 1
exits 2 "prune wants to know of what"
keep --store "$store" --json prune guest --keep-last 2 --dry-run
exits 0 "a dry run"
is "$(json .dry_run) $(json .keep.length) $(json .remove.length) $(json .removed)" "true 3 4 []" "says what would be done"
is "$(json '.keep[0].reasons') $(json '.keep[2].reasons')" '["last"] ["protected"]' "and why"
is "$(cd "$store" && find . -type f -not -name lock -exec sha256sum {} + | sort)" "$before" "nothing of all that has touched the store"
keep --store "$store" --json prune guest --keep-last 2
exits 0 "prune"
names 1 5 6
left "prune" "${chosen[@]}"
keep --store "$store" unprotect "${points_made[1]}"
keep --store "$store" --json prune --all --keep-within 1h --keep-last 1
exits 0 "prune --keep-within"
is "$(json .removed)" "[]" "keeps what is within"
sleep 1
keep --store "$store" --json prune --all --keep-yearly 1
names 6
left "prune --keep-yearly 1" "${chosen[@]}"

# What is not sound is not touched.
trial
printf '{"format":"virt-keep annotations","version":1,"protected":"no"}' >"$(point_dir "${points_made[1]}")/annotations.json"
keep --store "$store" forget "${points_made[1]}"
exits 5 "what may be protected is not removed"
keep --store "$store" verify --all
exits 12 "and verify says that this cannot be read"
trial
printf '\x5a' | dd of="$(point_dir "${points_made[2]}")/vda.qcow2" bs=1 seek=400000 conv=notrunc 2>/dev/null
keep --store "$store" forget "${points_made[1]}"
exits 9 "a damaged image is not merged"
is "$(points)" 7 "and nothing is removed"
names 1 2
keep --store "$store" forget "${chosen[@]}"
exits 0 "it may be removed with what it builds on"
names 0 3 4 5 6
left "after that" "${chosen[@]}"
trial
rm "$(point_dir "${points_made[1]}")/manifest.json"
keep --store "$store" --json prune guest --keep-last 1 --dry-run
is "$(json .keep.length)" 3 "prune leaves what is damaged"
keep --store "$store" forget "${points_made[0]}"
exits 5 "nothing goes under a restore point that cannot be read"
names 1 2
keep --store "$store" forget "${chosen[@]}"
exits 0 "forget removes damaged ones"
names 0 3 4 5 6
left "and then" "${chosen[@]}"

# A backup meanwhile, and after.
trial
exec 9>"$(dirname "$(point_dir "${points_made[0]}")")/lock"
flock 9
keep --store "$store" forget "${points_made[1]}"
exits 4 "forget while a backup runs is refused"
keep --store "$store" prune --all --keep-last 1
exits 4 "prune, too"
exec 9>&-
keep --store "$store" prune guest --keep-last 1
exits 0 "prune before a backup"
take incremental
is "$(json .base)" "${points_made[6]#*@}" "the next incremental builds on what is left"
names 6 7
left "then" "${chosen[@]}"
keep --store "$store" forget guest@latest
exits 0 "the newest may go, too"
take auto
is "$(json .level)" full "and then auto makes a full"
names 6 8
left "at the end" "${chosen[@]}"

done_testing

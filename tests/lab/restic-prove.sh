#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a point of a restic store is proven like any other; the verdict is in its
# snapshot's tags, restic finds nothing else changed, and nothing is left.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=restic-lib.sh
. "$lab_sources/restic-lib.sh"
# shellcheck source=prove-lib.sh
. "$lab_sources/prove-lib.sh"

# tree_of POINT: the id of what its snapshot holds.
tree_of ()
{
  restic_json cat snapshot "$(snapshot_of "$1")" >"$lab/snapshot.json"
  json_get "$lab/snapshot.json" .tree
}

keep --store "$store" init
make_guest web records
guest_says web "RECORD 3"
keep --store "$store" --json backup web
first=$(json .point)
guest_says web "RECORD 20"
keep --store "$store" --json backup web
second=$(json .point)
keep --store "$store" note "$second" "keep it, please"
trees="$(tree_of "$first") $(tree_of "$second")"

keep --store "$store" --json prove "$first" "$second" --expect console:READY --evidence "$lab/evidence" --script <(echo 'tail -n 1 /mnt/records | cut -d" " -f1')
exits 0 "a full and an incremental are proven"
is "$(json .points[0].recorded) $(json .points[1].recorded)" "true true" "the verdicts are recorded"
holds "each has the records of its instant" test "$(json .points[0].script.output)" -lt "$(json .points[1].script.output)"
holds "the evidence has a screenshot of each" eval 'is_png "$lab/evidence/$first.png" && is_png "$lab/evidence/$second.png"'
nothing_left "after the proof"
is "$(tree_of "$first") $(tree_of "$second")" "$trees" "the snapshots hold what they held"
keep --store "$store" --json list web
is "$(json '.points[0].verdict.proven') $(json '.points[1].verdict.proven') $(json '.points[1].note')" "true true keep it, please" "list says so, and the note is still there"
like "$(restic_json snapshots "$(snapshot_of "$second")")" '"virt-keep:proven:20[^"]* [0-9]+ [0-9.]+"' "restic shows the verdict as a tag"

keep --store "$store" --json prove web --expect console:never --timeout 3
exits 13 "what does not come up in time is not proven"
keep --store "$store" --json protect "$second"
keep --store "$store" show "$second"
like "$(grep ^Proven "$out")" "^Proven +no, at 20.*: no line on the serial console has matched 'never' within 3 s$" "show tells why"
like "$(grep ^Protected "$out")" "yes" "and protect has kept the verdict"

# ---- side by side with a machine that runs from the same repository ------------------

boots "$second" "the second point is booted"
keep --store "$store" --json prove "$first" --expect console:READY
exits 4 "beside it the repository cannot be locked, so that a verdict is not recorded"
is "$(json .points[0].verdict.proven) $(json .points[0].recorded)" "true false" "and the result has it, and says so"
like "$(json .points[0].error.message)" "^$first is proven, but this cannot be recorded: .*--retry-lock" "in words, too"
holds "the machine that was booted still runs" test "$(guest_state "$booted")" = running
keep boot --discard "$booted"
exits 0 "it is thrown away"
keep --store "$store" --json list
is "$(json '.points[0].verdict.milliseconds')" "$(json_get "$lab/evidence/$first.json" .verdict.milliseconds)" "the earlier verdict is what the store has"
nothing_left "in the end"
repository_is_sound "in the end"

done_testing

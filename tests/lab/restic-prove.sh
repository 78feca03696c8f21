#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a point of a restic store is proven like any other; the verdict is a snapshot of its
# own, recorded while others work in the repository; restic finds the points unchanged and does
# not count it among them; it goes when its point does, and nothing is left.
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

# verdicts: the ids of the snapshots that are verdicts, oldest first.
verdicts ()
{
  restic_json snapshots --tag virt-keep-verdict | perl -MJSON::PP -e '
    print "$_->{id}\n" for sort { $a->{time} cmp $b->{time} } @{JSON::PP->new->utf8->decode (join "", <STDIN>) || []}'
}

# dumped SNAPSHOT FILE
dumped ()
{
  restic -q -r "$repository" dump "$1" "/$2"
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
is "$(verdicts | wc -l)" 2 "restic has a snapshot for each verdict"
newest=$(verdicts | tail -n 1)
like "$(restic_json snapshots "$newest")" '"virt-keep:proven:20[^"]* [0-9]+ [0-9.]+"' "whose tag tells it"
dumped "$newest" verdict.json >"$lab/verdict.json"
is "$(json_get "$lab/verdict.json" .point) $(json_get "$lab/verdict.json" .verdict.milliseconds)" "$second $(json '.points[1].verdict.milliseconds')" "so does the file in it"
dumped "$newest" screenshot.png >"$lab/screenshot.png"
holds "the screenshot lies beside it" cmp "$lab/screenshot.png" "$lab/evidence/$second.png"

keep --store "$store" --json prove web --expect console:never --timeout 3
exits 13 "what does not come up in time is not proven"
keep --store "$store" --json protect "$second"
keep --store "$store" show "$second"
like "$(grep ^Proven "$out")" "^Proven +no, at 20.*: no line on the serial console has matched 'never' within 3 s$" "show tells why"
like "$(grep ^Protected "$out")" "yes" "and protect has kept the verdict"

# ---- side by side with a machine that runs from the same repository ------------------

boots "$second" "the second point is booted"
lock=$(restic_json list locks | wc -l)
keep --store "$store" --json prove "$first" --expect console:READY
exits 0 "beside it, which has the repository locked, another one is proven"
is "$(json .points[0].verdict.proven) $(json .points[0].recorded) $((lock > 0))" "true true 1" "and the verdict is recorded"
milliseconds=$(json .points[0].verdict.milliseconds)
holds "the machine that was booted still runs" test "$(guest_state "$booted")" = running
keep boot --discard "$booted"
exits 0 "it is thrown away"
keep --store "$store" --json list
is "$(json '.points[0].verdict.milliseconds') $(json .points.length)" "$milliseconds 2" "the later verdict is what the store has, and a verdict is no point"
nothing_left "after that"
repository_is_sound "with verdicts"

# ---- copies and removal ----------------------------------------------------------------

keep --store "restic:$lab/copy" init
keep --store "$store" copy "$first" --to "restic:$lab/copy"
exits 0 "a point is copied"
keep --store "restic:$lab/copy" --json list
is "$(json '.points[0].verdict.milliseconds') $(json .points.length)" "$milliseconds 1" "with its verdict"
is "$(verdicts | wc -l)" 4 "there have been four verdicts"
keep --store "$store" unprotect "$second"
keep --store "$store" --json forget "$first"
exits 0 "a point that has a verdict is forgotten"
is "$(verdicts | wc -l)" 1 "its verdicts go with it, and so does an outdated one"
keep --store "$store" --json list
is "$(json '.points[0].verdict.proven') $(json .points.length)" "false 1" "that of the other stays"
restic -q -r "$repository" forget --group-by host,paths --keep-last 1 >"$lab/said" 2>&1
is "$(points) $(verdicts | wc -l)" "1 1" "restic does not count it among the points of the domain"
restic -q -r "$repository" forget "$(snapshot_of "$second")" >"$lab/said" 2>&1
keep --store "$store" --json prune --all --keep-last 5
exits 0 "what is left of a point that restic has forgotten is found"
is "$(points) $(verdicts | wc -l)" "0 0" "and goes"
repository_is_sound "in the end"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: prove says yes for a full and for the fifth incremental of a guest that writes,
# whether agent, console, port or script tell; it changes nothing in the points, records what
# it found, and leaves nothing behind.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=prove-lib.sh
. "$lab_sources/prove-lib.sh"

make_guest web records listen
points_made=()
for number in 1 2 3 4 5; do
  guest_says web "RECORD $((number * 5))"
  keep --store "$store" --json backup web
  points_made+=("$(json .point)")
done
is "$code $(json .level)" "0 incremental" "a guest that writes is backed up five times, the last time incrementally"
full=${points_made[0]} fifth=${points_made[4]}
digests=$(digests_of "$full" "$fifth")

# ---- the agent -----------------------------------------------------------------------

keep --store "$store" --json prove "$full"
exits 0 "a full is proven"
is "$(json .points[0].point) $(json .points[0].verdict.proven) $(json .points[0].recorded) $(json .points[0].expectations[0].expect)" \
  "$full true true agent" "and the result says so, and that the agent has answered"
holds "the verdict says how long it took" test "$(json .points[0].verdict.milliseconds)" -ge "$(json .points[0].expectations[0].milliseconds)"
holds "a screenshot lies beside it" is_png "$(point_dir "$full")/screenshot.png"
nothing_left "after a proof"

# ---- console, port, script -----------------------------------------------------------

cat >"$lab/script" <<'END'
#!/bin/busybox sh
echo "the last record is $(tail -n 1 /mnt/records | cut -d' ' -f1)"
END
keep --store "$store" --json prove "$fifth" --expect 'console:^GUEST: RE.DY$' --expect port:2222 --script "$lab/script" --evidence "$lab/evidence"
exits 0 "the fifth incremental is proven: console, port and script"
is "$(json .points[0].script.exit_code) $(json .points[0].expectations[2].expect) $(json .points[0].expectations[2].met)" "0 agent true" "the agent, which a script needs, is expected, too"
like "$(json .points[0].script.output)" '^the last record is [0-9]+' "the script has seen the records"
holds "those of the instant of that backup" test "$(json .points[0].script.output | tr -dc 0-9)" -ge 25
holds "the evidence has a screenshot" is_png "$lab/evidence/$fifth.png"
holds "and the console" grep -q '^GUEST: READY' "$lab/evidence/$fifth.log"
is "$(json_get "$lab/evidence/$fifth.json" .verdict.proven)" true "and the verdict"
nothing_left "after a proof with a script"

# ---- what is told, and what stays ----------------------------------------------------

is "$(digests_of "$full" "$fifth")" "$digests" "the points are what they were"
keep --store "$store" --json list web
is "$(json '.points[0].verdict.proven') $(json '.points[1].verdict') $(json '.points[4].verdict.proven')" "true (none) true" "list says which are proven"
keep --store "$store" list web
is "$(grep -c ' ok, proven$' "$out")" 2 "for people, too"
keep --store "$store" show "$fifth"
like "$(grep ^Proven "$out")" '^Proven +yes, at 20.*Z, by virt-keep [0-9.]+, in [0-9.]+ s$' "and show tells how"
keep --store "$store" --json protect "$fifth"
keep --store "$store" --json show "$fifth"
is "$(json .protected) $(json .verdict.proven)" "true true" "protect keeps the verdict"
keep --store "$store" verify --all
exits 0 "verify finds nothing wrong with points that have a verdict"
is "$(guest_state web)" running "the domain itself runs on"
next=$(($(last_record web) + 3))
holds "and writes on" wait_for 60 grep -q "RECORD $next" "$lab/web.console"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: prove says no, with the reason, for a machine that does not come up, whatever
# keeps it; one that is stopped says nothing.  Either way nothing is left of it.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=prove-lib.sh
. "$lab_sources/prove-lib.sh"

# ---- it comes up, but does not do what is expected -----------------------------------

make_guest web
guest_agent web
keep --store "$store" --json backup web
good=$(json .point)
keep --store "$store" --json prove "$good" --script <(echo 'echo so; echo not; exit 7')
exits 13 "a script that ends with 7: not proven"
is "$(json .error.class) $(json .points[0].script.exit_code) $(json .points[0].script.output)" "not-proven 7 so"$'\nnot' "its exit code and output are in the result"
like "$(json .points[0].verdict.reason)" 'exit code 7' "and in the reason"
holds "the console's last lines are, too" grep -q '"GUEST: READY"' "$out"
seconds=$(($(json .points[0].expectations[0].milliseconds) / 1000 + 1))
keep --store "$store" prove "$good" --expect port:2222 --timeout 3
exits 13 "a port on which nothing listens: not proven"
like "$(head -n 1 "$out")" "^$good: NOT proven in [0-9.]+ s: the guest agent has found nothing that listens on TCP port 2222 within 3 s" "the reason names it"
keep --store "$store" show "$good"
like "$(grep ^Proven "$out")" '^Proven +no, at .*: the guest agent has found nothing' "show has the later verdict"

# ---- it does not come up -------------------------------------------------------------

# The guest has damaged its disk, as the backup faithfully shows.
zero_boot_sector web
keep --store "$store" --json backup web
zeroed=$(json .point)
# Twice as long as the good one took.
keep --store "$store" --json prove "$zeroed" --timeout $((seconds * 2))
exits 13 "a boot sector of zeroes: not proven"
like "$(json .points[0].verdict.reason)" "agent has not answered within $((seconds * 2)) s" "the reason says what was missing"
holds "a screenshot shows what it came to" is_png "$(point_dir "$zeroed")/screenshot.png"
keep --store "$store" list web
holds "list shows it" grep -q "$zeroed .* ok, not proven$" "$out"
nothing_left "after no"

change_guest web mute
keep --store "$store" --json backup web
mute=$(json .point)
start=$SECONDS
keep --store "$store" --json prove "$mute" --expect console:READY --timeout 5
exits 13 "one that hangs: not proven"
like "$(json .points[0].verdict.reason)" "no line on the serial console has matched 'READY' within 5 s" "within the time-out"
holds "and not long after it" test $((SECONDS - start)) -le 60
nothing_left "after one that hangs"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: prove tries restore points one after the other, whatever becomes of each; when it is
# stopped it says nothing, and nothing is left of the machine.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=prove-lib.sh
. "$lab_sources/prove-lib.sh"

make_guest web
guest_says web "GUEST: READY"
keep --store "$store" --json backup web
good=$(json .point)

# ---- several -------------------------------------------------------------------------

change_guest web halt
wait_for 120 guest_is_off web || bail "the guest does not halt"
keep --store "$store" --json backup web
halted=$(json .point)
keep --store "$store" --json prove "$halted" web@20000101T000000Z "$good"
exits 13 "of several, those that are not proven do not keep the others from being tried"
is "$(json .points[0].verdict.reason) $(json .points[1].error.class) $(json .points[2].verdict.proven)" "the machine has ended by itself not-found true" "each has its result, and what ends is not waited for"
keep --store "$store" --json prove --all
exits 13 "--all takes the newest point of the domain"
is "$(json .points.length) $(json .points[0].point)" "1 $halted" "and no other"

# ---- stopped -------------------------------------------------------------------------

before=$(json_get "$(point_dir "$good")/annotations.json" .verdict.time)
for signal in INT TERM; do
  keep_in_background --store "$store" --json prove "$good" --expect console:never --timeout 5m
  wait_for 60 other_domain_runs web || bail "no machine is started"
  kill -$signal "$keeper"
  keep_ends 60
  case $signal in INT) exits 130 "SIGINT stops it" ;; *) exits 143 "SIGTERM stops it" ;; esac
  nothing_left "after SIG$signal"
done
is "$(json_get "$(point_dir "$good")/annotations.json" .verdict.time)" "$before" "and no verdict is recorded then"

# Killed, it takes its machine along; the next run clears away its directory.
keep_in_background --store "$store" prove "$good" --expect console:never --timeout 5m
wait_for 60 grep -q 'waiting for the guest' "$err" || bail "no machine is started"
kill -KILL "$keeper"
wait "$keeper" 2>/dev/null
holds "killed, it takes its machine along" wait_for 60 no_other_domain web
holds "and the doors" wait_for 30 no_doors
keep --store "$store" --json prove "$good"
exits 0 "the next run works"
is "$(find "$VIRT_KEEP_STATE_DIR/proofs" -mindepth 1)" "" "and clears away the directory for the console"

done_testing

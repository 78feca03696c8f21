#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: several domains are backed up at one instant: all are frozen before the first begin
# and thawed after the last, and when one cannot begin, none is kept.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"


freeze_status ()
{
  virsh qemu-agent-command "$1" '{"execute":"guest-fsfreeze-status"}' 2>/dev/null | sed 's/.*"return":"\([a-z]*\)".*/\1/'
}

make_guest web
make_guest db
make_domain bare vda:qcow2:16M vdb:raw:8M
make_domain off vda:qcow2:16M
virsh -q destroy off
for name in web db; do
  guest_says $name "GUEST: READY"
  guest_agent $name
done

for mode in push pull; do
  guest_write bare vda 0x42 1M 1M
  shadow bare vda "$lab/then.raw"
  keep --store "$store" --json backup web db bare off --together --mode $mode
  exits 0 "$mode: four domains are backed up together"
  is "$(json .results.length)/$(json .together.domains)" 4/4 "with a result for each"
  is "$(json '.results[0].domain.name') $(json '.results[1].domain.name') $(json '.results[2].domain.name') $(json '.results[3].domain.name')" "web db bare off" "in the order in which they were named"
  is "$(json '.results[0].quiesce.frozen') $(json '.results[1].quiesce.frozen') $(json '.results[2].quiesce.frozen') $(json '.results[3].quiesce.frozen')" "true true false false" "those with an agent were frozen"
  spread=$(json .together.begin_milliseconds)
  holds "the begins of all lie within the time in which the guests were frozen" test "$spread" -gt 0 -a "$spread" -le "$(json .together.frozen_milliseconds)"
  holds "and the first guest was frozen until the last had begun" test "$(json '.results[0].quiesce.milliseconds')" -ge "$spread"
  is "$(freeze_status web)/$(freeze_status db)" thawed/thawed "all are thawed"
  keep --store "$store" restore "$(json '.results[2].point')" --to "$lab/restored-$mode"
  holds "the image of one has the bytes of the instant" same_bytes "$lab/restored-$mode/vda.qcow2" "$lab/then.raw"
done
keep --store "$store" backup web db --together
exits 0 "once more, for people"
like "$(cat "$out")" '[0-9]+ ms lie between the first and the last of 2 begins' "the result says how far apart they are"

# ---- all or none -----------------------------------------------------------------------

# One that cannot begin: something holds a job on it.
for name in web bare; do
  guest_write bare vdb 0x11 0 8M
done
virsh -q domblklist bare >"$lab/said"
had=$(points)
had_web=$(checkpoints web) had_db=$(checkpoints db)
virsh -q blockcopy bare vdb --dest "$lab/copy.raw" --format raw --wait --transient-job >"$lab/said" 2>&1 \
  || virsh -q blockcopy bare vdb "$lab/copy.raw" --format raw --wait --transient-job >>"$lab/said" 2>&1
keep --store "$store" --json backup web db bare --together
holds "when one of them cannot begin, the backup fails" test "$code" -ne 0
like "$(json .error.message)" bare "and its sentence names that one"
is "$(points)" "$had" "none is kept"
is "$(checkpoints web)/$(checkpoints db)" "$had_web/$had_db" "the checkpoints are those from before"
is "$(json '.results[0].changed')/$(json '.results[0].point')" false/null "and the result says so of each"
is "$(freeze_status web)/$(freeze_status db)" thawed/thawed "all are thawed"
holds "no job is left" no_job web
virsh -q blockjob bare vdb --abort

# ---- what is no use of it -------------------------------------------------------------------

keep --store "$store" --json backup web "$(virsh domuuid web | head -n 1)" --together
exits 2 "a domain that is named twice is a wrong command line"
keep --store "$store" --json backup web nobody --together
exits 3 "one that does not exist is not found"
is "$(points)" "$had" "and nothing is stored"

done_testing

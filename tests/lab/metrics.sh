#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: --metrics writes what Prometheus's own parser reads, of many domains in one file,
# in which counters go on and several processes lose nothing.
# shellcheck disable=SC2031  # $code is that of the last keep
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Debian's, which has Debian's modules.
python=/usr/bin/python3
"$python" -c 'import prometheus_client' 2>/dev/null || skip_all "there is no prometheus_client for $python"
metrics=$lab/virt-keep.prom

# take: has Prometheus's parser read the file, once; "NAME|DOMAIN|STORE|REST VALUE" in $lab/samples.
take ()
{
  "$python" - "$metrics" >"$lab/samples" 2>"$lab/said" <<'PYTHON'
import sys
from prometheus_client.parser import text_string_to_metric_families
with open(sys.argv[1], encoding="utf-8") as file:
    for family in text_string_to_metric_families(file.read()):
        assert family.documentation and family.type in ("gauge", "counter"), family
        for name, labels, value, *_ in family.samples:
            print("|".join((name, labels.pop("domain"), labels.pop("store"), *labels.values(), repr(value))))
PYTHON
}

# of DOMAIN METRIC [REST]: its value in $store, as a whole number where it is one.
of ()
{
  awk -F'|' -v name="virt_keep_$2" -v domain="$1" -v store="$store" -v rest="${3:-}" \
    'BEGIN { OFS = "|" } $1 == name && $2 == domain && $3 == store && (rest == "" ? NF == 4 : $4 == rest) { printf "%.15g\n", $NF }' "$lab/samples"
}

# recent SECONDS-SINCE-1970: of two points in one second the later one has the next second.
# shellcheck disable=SC2317  # called by holds
recent ()
{
  awk -v now="$(date +%s)" -v then="$1" 'BEGIN { exit !(then > now - 600 && then <= now + 5) }'
}

hostile='a<b&c"}'
for name in web-1 web-2 "$hostile"; do
  make_domain "$name" vda:qcow2:16M
  guest_write "$name" vda 0x42 1M 1M
done

# ---- backups ---------------------------------------------------------------------------

started=$(date +%s)
keep --store "$store" --json backup --all --jobs 3 --metrics "$metrics"
exits 0 "three domains are backed up at once"
is "$(json .metrics)" "$metrics" "the result names the file"
holds "Prometheus reads it" take
is "$(of web-1 points) $(of web-2 points) $(of "$hostile" points)" "1 1 1" "it has every domain, whatever its name"
holds "and when each was backed up" test "$(of "$hostile" backup_last_success_timestamp_seconds)" -ge "$started"
is "$(of web-1 backup_level full) $(of web-1 backup_level incremental)" "1 0" "the level"
is "$(of web-1 backup_added_bytes) $(of web-1 backup_moved_bytes)" "$(json '.results[1].disks[0].size') $(json '.results[1].disks[0].bytes_moved')" "the bytes"
is "$(of web-1 stored_bytes)" "$(of web-1 backup_added_bytes)" "which are all that there are"
holds "the duration" awk -v took="$(of web-1 backup_duration_seconds)" 'BEGIN { exit !(took > 0 && took < 600) }'
is "$(stat -c %a "$metrics")" 644 "others may read it"
is "$(find "$lab" -maxdepth 1 -name '*.prom*' -printf '%f\n' | sort | xargs)" ".virt-keep.prom.lock virt-keep.prom" "and there is nothing beside it but the lock"

succeeded=$(of web-2 backup_last_success_timestamp_seconds)
cat >"$lab/config" <<CONF
[backup]
metrics=$metrics
[backup web-2]
quiesce=require
[prune]
metrics=$metrics
CONF
for times in 1 2; do
  guest_write web-1 vda 0x4$times 2M 1M
  keep --config "$lab/config" --store "$store" --json backup 'web-*'
  is "$code" 17 "web-2 fails, for the $times. time"
done
take
is "$(of web-2 backup_failures_total refused) $(of web-2 backup_last_attempt_success)" "2 0" "which is counted, with the reason"
is "$(of web-2 backup_last_success_timestamp_seconds)" "$succeeded" "its last success stays"
is "$(of web-1 chain_points) $(of web-1 points) $(of web-1 backup_level incremental)" "3 3 1" "the chain of the other grows"
holds "to a newest point of now" recent "$(of web-1 newest_point_timestamp_seconds)"
is "$(of "$hostile" points)" 1 "and what there is of a third one stays"
keep --config "$lab/config" --store "$store" --json backup web-1 --threshold 1000000000
is "$code $(take; of web-1 backup_last_attempt_success) $(of web-1 backup_failures_total unchanged)" "11 1 " "too little to do is no failure"
keep --config "$lab/config" --store "$store" backup nosuch
is "$code $(take; of nosuch backup_failures_total not-found)" "3 1" "a domain that is not there is one"
keep --config "$lab/config" --store "$lab/other" --json backup web-1 --level copy
is "$code $(take; of web-1 points) $(grep -c "^virt_keep_points|web-1|$lab/other|1.0" "$lab/samples")" "0 3 1" "another store has numbers of its own"

# ---- a process that is killed, and several that are not one's own ---------------------

make_big_domain big
catch_push big
keep_in_background --config "$lab/config" --store "$store" --json backup big web-1
caught || bail "no job was seen"
# Its child is the server that makes processes for it, of which there is one: one domain at a
# time is the default.
server=$(tr -d ' ' <"/proc/$keeper/task/$keeper/children")
kill -KILL "$(tr -d ' ' <"/proc/$server/task/$server/children")"
keep_ends 60
is "$code $(take; of big backup_failures_total failed) $(of web-1 points)" "17 1 4" "the failure of a process that was killed is counted by the one that began it"
wait_for 60 no_job big

# ---- prune and prove ------------------------------------------------------------------

keep --config "$lab/config" --store "$store" --json prune --all --keep-last 1
is "$code $(take; of web-1 points) $(of web-1 chain_points)" "0 1 1" "prune writes what is left"
keep --store "$store" --json prove web-2 --expect console:never --timeout 2 --metrics "$metrics"
is "$code $(take; of web-2 last_proof_success) $(of web-2 last_proven_timestamp_seconds)" "13 0 " "prove writes that a domain does not come up"

# ---- what cannot be -------------------------------------------------------------------

echo 'node_load1 1' >"$lab/node.prom"
had=$(points)
keep --store "$store" --json backup web-1 --metrics "$lab/node.prom"
exits 5 "a file of others is refused"
is "$(cat "$lab/node.prom") $(points)" "node_load1 1 $had" "before anything is begun, and stays"
keep --store "$store" --json backup web-1 --metrics "$lab/nowhere/virt-keep.prom"
exits 3 "so is a directory that is not there"
keep --store "$store" --json backup web-1 --estimate --metrics "$lab/estimate.prom"
is "$code $(find "$lab" -name '*estimate.prom*')" "0 " "an estimate writes nothing"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: status shows the backup job that runs, whoever started it.
. "$(dirname "$0")/lib.sh"

# status ARGUMENT...: its exit code in $code, its output in $lab/status.
status ()
{
  "$VIRT_KEEP" "$@" >"$lab/status" 2>&1 </dev/null
  code=$?
}

# events FILE: the names of the events in JSON lines, one a line.
events ()
{
  sed -n 's/.*"event" *: *"\([^"]*\)".*/\1/p' "$1"
}

# shellcheck disable=SC2317  # called by wait_for
has_progressed ()
{
  status --json status guest
  [ "$(json_get "$lab/status" '.jobs[0].processed')" -gt 0 ]
}

make_big_domain guest
status --json status guest
is "$code $(json_get "$lab/status" .jobs.length)" "0 0" "without a job there is none to show"

catch_push guest
keep_in_background --store "$store" backup guest --progress json
caught || bail "no push job was seen"
wait_for 10 has_progressed
status --json status guest
is "$code $(json_get "$lab/status" .jobs.length)" "0 1" "a running backup is shown"
is "$(json_get "$lab/status" '.jobs[0].domain.name') $(json_get "$lab/status" '.jobs[0].operation') $(json_get "$lab/status" '.jobs[0].mode')" \
   "guest backup push" "with its domain, what it is, and its mode"
is "$(json_get "$lab/status" '.jobs[0].total')" $((64 << 30)) "with its size"
holds "with how far it is" test "$(json_get "$lab/status" '.jobs[0].processed')" -gt 0
status --json status
is "$(json_get "$lab/status" '.jobs[0].domain.name')" guest "it is found without naming the domain"
status status guest
like "$code $(cat "$lab/status")" "^0 .*guest" "as text too"

"$VIRT_KEEP" status --follow --json guest >"$lab/follow" 2>/dev/null </dev/null &
follower=$!
wait_for 10 test -s "$lab/follow"
let_go guest
keep_ends 60
exits 0 "the backup that is watched succeeds"
if wait_for 15 eval "! kill -0 $follower"; then
  ok "following ends with the job"
else
  not_ok "following ends with the job"
  kill "$follower"
fi
wait "$follower"
is "$?" 0 "with code 0"
like "$(events "$lab/follow" | paste -sd' ')" "progress.*job-completed" "it has seen progress and the job's end"
is "$(grep -vc '^{.*}$' "$lab/follow")" 0 "every line of it is a JSON object"
is "$(while read -r line; do json_get /dev/stdin .domain <<<"$line"; done <"$lab/follow" | sort -u)" guest "which names the domain"
like "$(events "$err" | paste -sd' ')" "^start .*job-completed.*done$" "the backup itself tells of the same on stderr"

mkdir -m 0711 "$lab/other"
cat >"$lab/backup.xml" <<XML
<domainbackup mode='push'><disks><disk name='vda' backup='yes' type='file'><driver type='qcow2'/><target file='$lab/other/vda.qcow2'/></disk></disks></domainbackup>
XML
catch_push guest
virsh -q backup-begin guest "$lab/backup.xml" >/dev/null &
caught || bail "no push job was seen"
status --json status guest
is "$(json_get "$lab/status" '.jobs[0].operation') $(json_get "$lab/status" '.jobs[0].mode')" "backup push" "a job that virsh started is shown as well"
status --store "$store" --json backup guest
is "$code" 4 "a backup beside it is refused as busy"
status --json abort guest
is "$code" 0 "and virt-keep can abort it"
wait_for 10 no_job guest

status --json status no-such-domain
is "$code" 3 "a domain that does not exist is not found"
status --json status
is "$code $(json_get "$lab/status" .jobs.length)" "0 0" "at the end there is no job again"

done_testing

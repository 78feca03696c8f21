#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: where standard error leads to systemd's journal, messages get there with domain, point,
# phase, class of error and exit status in fields of their own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/journal-lib.sh"

start_journal || skip_all "no journal can be put into place"

# records FIELD=VALUE...: how many have all of these.
records ()
{
  local file=$lab/journal field
  cp "$file" "$lab/found"
  for field; do
    awk -F'\t' -v field="$field" '{ for (i = 1; i <= NF; i++) if ($i == field) { print; next } }' "$lab/found" >"$lab/some"
    mv "$lab/some" "$lab/found"
  done
  grep -c '' "$lab/found"
}

# field NAME: of the first record that the last records found.
field ()
{
  head -n 1 "$lab/found" | tr '\t' '\n' | sed -n "s/^$1=//p"
}

make_domain web vda:qcow2:16M
make_domain 'd&b' vda:qcow2:16M
uuid=$(virsh domuuid web | head -n 1)

logged --store "$store" backup web
is "$code" 0 "a backup under systemd"
is "$(records VIRT_KEEP_EVENT=phase VIRT_KEEP_DOMAIN=web VIRT_KEEP_PHASE=commit PRIORITY=6 SYSLOG_IDENTIFIER=virt-keep)" 1 "each phase is a record"
is "$(records VIRT_KEEP_EVENT=done VIRT_KEEP_EXIT_STATUS=0 VIRT_KEEP_COMMAND=backup VIRT_KEEP_DOMAIN=web "VIRT_KEEP_DOMAIN_UUID=$uuid")" 1 "and so is the result"
point=$(field VIRT_KEEP_POINT)
like "$(field MESSAGE)" "^Backed up web \(push, full\) as $point\\\\n +vda" "with all that it says, and the restore point"
is "$(points) $(grep -c BROKEN "$lab/journal")" "1 0" "which is there"

logged --store "$store" backup web --quiet --quiesce require
is "$(records PRIORITY=3 VIRT_KEEP_EVENT=failed VIRT_KEEP_ERROR=refused "VIRT_KEEP_EXIT_STATUS=$code" VIRT_KEEP_DOMAIN=web)" 1 "a failure is an error with its class and exit status"
is "$(wc -l <"$lab/journal")" 1 "and with --quiet it is all that there is"
logged --store "$store" backup
is "$code $(records PRIORITY=3 VIRT_KEEP_ERROR=usage VIRT_KEEP_EXIT_STATUS=2)" "2 1" "so is a command line that is wrong"

cat >"$lab/config" <<CONF
[backup d&b]
quiesce=require
CONF
logged --config "$lab/config" --store "$store" backup --all
wait_for 20 grep -q '	VIRT_KEEP_POINT=' "$lab/journal"
is "$code $(records VIRT_KEEP_ERROR=some-failed VIRT_KEEP_EXIT_STATUS=17)" "17 1" "of several domains some fail"
is "$(records VIRT_KEEP_EVENT=failed 'VIRT_KEEP_DOMAIN=d&b' VIRT_KEEP_ERROR=refused VIRT_KEEP_EXIT_STATUS=5)" 1 "the one that did has its record"
is "$(records VIRT_KEEP_EVENT=done VIRT_KEEP_DOMAIN=web "VIRT_KEEP_DOMAIN_UUID=$uuid" VIRT_KEEP_EXIT_STATUS=0)" 1 "and so has the one that did not"
like "$(field VIRT_KEEP_POINT)" '^web@20' "with its restore point"
holds "and what was told of them meanwhile has their names" test "$(records VIRT_KEEP_DOMAIN=web "MESSAGE=storing the restore point")" = 1

keep --store "$store" backup web
is "$code $(grep -c 'storing the restore point' "$err")" "0 1" "elsewhere messages are lines, as ever"

done_testing

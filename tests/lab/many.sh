#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: many domains are backed up with one command, each by itself: one that fails does not
# stop the others, and the exit status tells all from some and none.
. "$(dirname "$0")/lib.sh"

for name in web-1 web-2 'a<b&c' 'web-[x]'; do
  make_domain "$name" vda:qcow2:16M
  guest_write "$name" vda 0x42 1M 1M
done
cat >"$lab/bare.xml" <<XML
<domain type='qemu'><name>bare</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>$domain_os<devices/></domain>
XML
virsh -q define "$lab/bare.xml" >/dev/null || bail "no domain without a disk"
cleanup_fn remove_domain bare

# outcome: name and status of each, in the order of the result.
outcome ()
{
  local i
  for ((i = 0; i < $(json .results.length); i++)); do
    echo "$(json ".results[$i].name")=$(json ".results[$i].exit_code")"
  done | xargs -d '\n'
}

# ---- all of them

keep --store "$store" --json backup --all --jobs 3
exits 0 "all domains are backed up"
is "$(outcome)" "a<b&c=0 web-1=0 web-2=0 web-[x]=0" "by name, each with its result"
is "$(json .succeeded)/$(json .failed)" 4/0 "which are counted"
is "$(json '.left_out[0].name') $(json '.left_out[0].reason') $(json .left_out.length)" "bare no-disk 1" "what has no disk is left out, with the reason"
is "$(points)" 4 "there is a point of each"
point=$(json '.results[0].point')
shadow 'a<b&c' vda "$lab/now.raw"
keep --store "$store" restore "$point" --to "$lab/to"
holds "and one of them has the bytes of its disk" same_bytes "$lab/to/vda.qcow2" "$lab/now.raw"

# ---- some of them

keep --store "$store" --json backup 'web-*' --exclude-domain 'web-2'
exits 0 "those that a pattern stands for are backed up"
is "$(outcome)" "web-1=0 web-[x]=0" "but for those that are excluded"
is "$(json '.left_out[0].name') $(json '.left_out[0].reason')" "web-2 excluded" "which the result names"
is "$(json '.results[0].level')" incremental "and each as it would be by itself"
keep --store "$store" --json backup 'web-[x]'
exits 0 "a domain whose name looks like a pattern is backed up"
is "$(json .domain.name)" "web-[x]" "and is not taken for one"
keep --store "$store" --json backup web-2 "$(virsh domuuid web-1 | head -n 1)" 'a?b*'
is "$code $(outcome)" "0 web-2=0 web-1=0 a<b&c=0" "names, UUIDs and patterns go together, in the order in which they were given"
keep --store "$store" --json backup --all --order oldest --level copy
is "$code $(outcome)" "0 web-[x]=0 web-2=0 web-1=0 a<b&c=0" "those whose newest point is oldest come first"
keep --store "$store" backup web-1 'db-*'
exits 3 "a pattern that matches nothing is an error"
like "$(cat "$err")" "db-\*" "whose sentence names it"
keep --store "$store" backup web-1 "$(virsh domuuid web-1 | head -n 1)"
exits 2 "a domain that is named twice, in two ways, is an error, too"

# ---- with one that cannot be backed up

cat >"$lab/config" <<CONF
[backup web-2]
quiesce=require
CONF
had=$(points)
keep --config "$lab/config" --store "$store" --json backup --all
exits 17 "when one fails, the status says that some did"
is "$(json .error.class) $(json .succeeded)/$(json .failed)" "some-failed 3/1" "and so does the result"
like "$(json .error.message)" "'web-2'" "whose sentence names that one"
is "$(json '.results[2].name') $(json '.results[2].ok')" "web-2 false" "which has its own error"
is "$(points)" $((had + 3)) "and the others have their points"
keep --config "$lab/config" --store "$store" backup --all --progress lines
exits 17 "the same for people"
like "$(cat "$out")" "Backed up 3 of 4 domains:" "with a summary"
like "$(cat "$out")" "web-2: not backed up \(status [0-9]+\): .*agent" "of each domain"
like "$(cat "$err")" "web-1: storing the restore point" "and with the name before each line of progress"
unlike "$(cat "$err")" "web-2: virt-keep:" "but no error twice"
keep --store "$store" --json backup web-1 web-2 --quiesce require
exits 18 "when none is backed up, the status says so"
is "$(json .error.class) $(json .succeeded)" "all-failed 0" "and the result"

keep --store "$store" --json backup web-1 web-2 --threshold 1000000000
is "$code $(outcome)" "0 web-1=11 web-2=11" "too little to do is no failure"

# ---- a signal

make_big_domain big
remember big
catch_push big
keep_in_background --store "$store" --json backup web-1 big web-2 --level full
caught || bail "no job was seen"
kill -INT "$keeper"
keep_ends 60
exits 130 "Ctrl-C ends it"
is "$(outcome)" "web-1=0 big=130 web-2=130" "what was done is done, and no more is begun"
wait_for 30 no_job big
had_points=$((had_points + 1)) # web-1's
no_trace big "after Ctrl-C"
done_testing

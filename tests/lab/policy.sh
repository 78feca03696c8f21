#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a domain says with a policy in its own metadata how it is backed up and what prune
# keeps of it; what is given counts before it, and the configuration behind it; and one that
# cannot be meant fails that domain alone.
. "$(dirname "$0")/lib.sh"

make_domain 'a<b&c' vda:qcow2:16M vdb:qcow2:16M
make_domain web vda:qcow2:16M vdb:qcow2:16M
make_domain db vda:qcow2:16M
namespace=urn:virt-keep:policy:1
export VIRT_KEEP_CONFIG=''

# of LIVE|CONFIG DOMAIN: the policy's XML on one line.
of ()
{
  local option=--live
  [ "$1" = LIVE ] || option=--config
  virsh -q metadata "$2" "$namespace" "$option" 2>/dev/null | tr -d '\n' | sed 's/> *</></g'
}

# outcome: name and status of each, in the order of the result.
outcome ()
{
  local i
  for ((i = 0; i < $(json .results.length); i++)); do
    echo "$(json ".results[$i].name")=$(json ".results[$i].exit_code")"
  done | xargs -d '\n'
}

# count STORE [DOMAIN]: how many points there are of it.
count ()
{
  local list=$lab/list.json
  "$VIRT_KEEP" --config /dev/null --store "$1" --json list "${@:2}" >"$list" 2>/dev/null </dev/null
  json_get "$list" .points.length
}

# ---- set, get, unset

keep --json policy set 'a<b&c' level=copy exclude=vdb 'label.who=R&D <x>'
exits 0 "a policy is set"
is "$(json .changed) $(json .policy.level) $(json '.policy.exclude[0]') $(json .policy.label.who)" "true copy vdb R&D <x>" "which the result shows"
xml='<policy><level>copy</level><exclude>vdb</exclude><label name="who">R&amp;D &lt;x&gt;</label></policy>'
is "$(of LIVE 'a<b&c')" "$xml" "the running domain has it in its metadata"
is "$(of CONFIG 'a<b&c')" "$xml" "and its definition, too"
keep policy get 'a<b&c'
is "$(cat "$out")" "$(printf '%s\n' level=copy exclude=vdb 'label.who=R&D <x>')" "policy get shows it, a key a line"
keep policy get 'a<b&c' label.who
is "$code $(cat "$out")" "0 R&D <x>" "or the value of one key"
keep --json policy set 'a<b&c' level=copy
is "$code $(json .changed)" "0 false" "what is so already is not changed"
virsh -q metadata 'a<b&c' "$namespace" --config --remove >/dev/null
keep --json policy set 'a<b&c' level=copy
is "$code $(json .changed) $(of CONFIG 'a<b&c')" "0 true $xml" "but for where it is missing"
keep --json policy set 'a<b&c' exclude=vda exclude=vdc quiesce=never
is "$(json .policy.exclude.length) $(json .policy.quiesce) $(json .policy.level)" "2 never copy" "a key with several values replaces what it had, and no other key"
keep policy set 'a<b&c' exclude=vdb
keep --json policy unset 'a<b&c' quiesce label.who
is "$code $(json .changed) $(json .policy.quiesce)" "0 true (none)" "a key is taken away"
keep policy get 'a<b&c' quiesce
exits 3 "and not found any more"
keep policy get nobody
exits 3 "nor is a domain that there is not"
had=$(of LIVE 'a<b&c')
while read -r words; do
  # shellcheck disable=SC2086  # words
  keep policy set 'a<b&c' $words
  is "$code $(wc -l <"$err")" "2 1" "refused in one sentence: $words"
done <<'WORDS'
levle=full
level=sometimes
level
=full
level=
level=full level=copy
mode=sideways
max-chain=0
keep-daily=many
keep-within=soon
max-age=9999999y
quiesce=never freeze-limit=5s
synthetic-full=perhaps
hook-dir=/tmp
templates=/tmp
password-file=/etc/shadow
connect=qemu:///system
scratch-dir=/tmp
start-paused=true
label.=x
store=relative
WORDS
keep policy set 'a<b&c' levle=full
like "$(cat "$err")" "'levle'" "which names the key"
is "$(of LIVE 'a<b&c')" "$had" "and nothing is changed"
keep policy set 'a<b&c' "label.x=$(printf 'a\001b')"
exits 5 "what no XML can hold is refused"
keep policy unset 'a<b&c' exlude
exits 2 "and so is a wrong key that is to be taken away"
virsh -q destroy db >/dev/null
keep --json policy set db level=copy
is "$code $(of CONFIG db)" "0 <policy><level>copy</level></policy>" "a domain that is shut off has a policy"
virsh -q start db >/dev/null
is "$(of LIVE db)" "<policy><level>copy</level></policy>" "with which it starts"
keep policy unset db
is "$code $(of LIVE db)$(of CONFIG db)" "0 " "without a key all of it is taken away"
keep policy get db
is "$code $(cat "$out")" "0 The domain db has no policy." "which is said"

# ---- backup

keep --store "$store" --json backup 'a<b&c'
is "$code $(json .level) $(json .disks.length)" "0 copy 1" "backup obeys the policy"
is "$(json '.left_out[0].target')" vdb "and leaves a disk out"
cat >"$lab/config" <<CONF
[store one]
url=$lab/one
[store two]
url=$lab/two
[virt-keep]
store=one
[backup]
level=full
[prune]
keep-last=3
CONF
keep --config "$lab/config" --json backup 'a<b&c'
is "$code $(json .level)" "0 copy" "the policy counts before the configuration"
keep --config "$lab/config" --json backup 'a<b&c' --level full
is "$code $(json .level) $(json .disks.length)" "0 full 1" "and what is given before both, each option by itself"
keep --config "$lab/config" --json backup 'a<b&c' --no-policy
is "$code $(json .level) $(json .disks.length)" "0 full 2" "it is not obeyed where it is not to be"
keep --config "$lab/config" policy set web store=two level=incremental allow-full=true
keep --config "$lab/config" --json backup web
exits 0 "a policy names a store of the configuration"
is "$(count "$lab/two")/$(count "$lab/one")" 1/3 "in which the point is then"
keep --config "$lab/config" policy set web store=three
exits 2 "a store that the configuration does not name is refused"
keep --config "$lab/config" policy set web store="$lab/anywhere"
exits 2 "and so is a place, where it names any"
keep policy set db store="$lab/anywhere"
exits 0 "where it names none, a place will do"
keep --json backup db
is "$code $(count "$lab/anywhere")" "0 1" "and is gone to, without a store of one's own"
keep --config "$lab/config" --json backup db
is "$code $(json .error.class)" "2 usage" "but not where there is a choice of stores"
like "$(json .error.message)" "the policy of the domain 'db': 'store'" "which is said with the domain and the key"
keep policy unset db

# ---- together

keep policy unset web
keep policy set web level=copy exclude=vdb
keep --store "$lab/together" --json backup web 'a<b&c' db --together
is "$code $(json '.results[0].disks.length')$(json '.results[1].disks.length')$(json '.results[2].disks.length') $(json '.results[2].level')" "0 111 full" "at one instant, each by its own policy"

# ---- selectors

keep --config "$lab/config" policy set web store=two label.tier=gold label.site=north
keep policy set db label.tier=gold
keep --config "$lab/config" --json backup --selector label.tier=gold --order name
is "$code $(outcome)" "0 db=0 web=0" "domains are chosen by their labels"
is "$(json .left_out.length)" 0 "and the others are not asked for"
is "$(json '.results[0].store') $(json '.results[1].store')" "$lab/one $lab/two" "each goes to its own store"
keep --store "$store" --json backup --all --selector label.tier=gold --selector label.site=north
is "$code $(outcome)" "0 web=0" "all selectors have to match"
keep --store "$store" --json backup '*b*' --selector level=copy --exclude-domain 'a*'
is "$code $(outcome) $(json '.left_out[0].name')" "0 web=0 a<b&c" "and go with patterns and exclusions; any key can be one"
keep --store "$store" backup --selector label.tier=silver
exits 3 "none that matches is an error"
like "$(cat "$err")" "label.tier=silver" "which names it"
for wrong in "--selector tier=gold" "--selector label.tier" "web --selector label.tier=gold"; do
  # shellcheck disable=SC2086  # words
  keep --store "$store" backup $wrong
  exits 2 "refused: $wrong"
done

# ---- all, each in its own store

for domain in web db 'a<b&c'; do
  keep policy set "$domain" store="$lab/of-$(tr -dc a-z <<<"$domain")"
done
keep --json backup --all --order oldest
is "$code $(outcome)" "0 a<b&c=0 db=0 web=0" "no general store is wanted where every domain has its own"
keep policy unset web store
keep --json backup --all --level copy
is "$code $(outcome)" "17 a<b&c=0 db=0 web=2" "one that has none fails alone"
keep policy set web store="$lab/of-web"
for domain in 'a<b&c' web; do
  keep --json backup "$domain" --level copy
done
keep --json backup --all --order oldest --level copy
is "$code $(outcome)" "0 db=0 a<b&c=0 web=0" "the oldest comes first, looked for in each one's store"

# ---- what others have written

for domain in web db 'a<b&c'; do
  keep policy unset "$domain"
done
bad_policy ()
{
  virsh -q metadata web "$namespace" --key x --set "$1" --live --config >/dev/null || bail "no metadata"
  keep --store "$store" --json backup web
  is "$code $(json .error.class)" "2 usage" "backup refuses $1"
  like "$(json .error.message)" "the policy of the domain 'web': $2" "and names what is wrong"
}
bad_policy "<policy><level>often</level></policy>" "'level'"
bad_policy "<policy><level>full</level><level>copy</level></policy>" "'level'"
bad_policy "<policy><level/></policy>" "'level'"
bad_policy "<policy><hook-dir>/tmp</hook-dir></policy>" "'hook-dir'"
bad_policy "<policy><max-rate>fast</max-rate></policy>" "'max-rate'"
bad_policy "<policy><keep-daily>-1</keep-daily></policy>" "'keep-daily'"
bad_policy "<policy xmlns:o='urn:other'><o:level>full</o:level></policy>" "'urn:other:level'"
bad_policy "<policy><label>x</label></policy>" "'label\\.'"
bad_policy "<other/>" ".*no <policy>"
bad_policy "<policy><levle>full</levle></policy>" "'levle'"
keep --json policy get web
is "$code $(json .policy.levle)" "2 full" "policy get shows even that, and says that it is wrong"
keep policy set web level=copy
exits 2 "policy set builds on nothing that is wrong"
keep --store "$store" --json backup --all --level copy
is "$code $(outcome)" "17 a<b&c=0 db=0 web=2" "of several domains that one fails alone"
keep --store "$store" backup web --no-policy
exits 0 "which is backed up without its policy"
keep --store "$store" --json report
like "$(json '.domains[0].problems[0]')" "its policy cannot be obeyed: 'levle'" "report says that it is not safe"
keep policy unset web levle
exits 0 "a key that nobody knows can be taken away"

# ---- prune

for _ in 1 2 3; do
  keep --store "$store" backup --all --level copy
done
keep policy set web keep-last=2
keep policy set db keep-last=1 keep-yearly=1
had=$(count "$store" 'a<b&c')
keep --store "$store" --json prune 'a<b&c'
exits 2 "where neither says what to keep, prune does nothing"
keep --store "$store" --json prune --all
is "$code $(count "$store" web) $(count "$store" db) $(count "$store" 'a<b&c')" "0 2 1 $had" "prune keeps what each policy says, and all where there is none"
keep --config "$lab/config" --store "$store" --json prune --all
is "$code $(count "$store" web) $(count "$store" db) $(count "$store" 'a<b&c')" "0 2 1 3" "the rules of a policy replace those of the configuration, which are for the others"
keep --store "$store" backup --all --level copy
keep --config "$lab/config" --store "$store" --json prune web --no-policy
is "$code $(count "$store" web)" "0 3" "which count where policies do not"
keep --config "$lab/config" --store "$store" --json -c qemu+unix:///system?socket=/nonexistent prune --all
is "$code $(json .error.class)" "8 connection" "where libvirt cannot be asked, nothing else is obeyed instead"
like "$(json .error.message)" "--no-policy" "and what can be done is said"
is "$(count "$store" web)" 3 "and nothing is removed"
keep --config "$lab/config" --store "$store" -c qemu+unix:///system?socket=/nonexistent prune --all --no-policy
exits 0 "it can be done without"
keep --store "$store" -c qemu+unix:///system?socket=/nonexistent prune web --keep-last 1
is "$code $(count "$store" web)" "0 1" "and rules that are given need no policy"
for _ in 1 2; do
  keep --store "$store" backup --all --level copy --no-policy
done
virsh -q metadata web "$namespace" --key x --set "<policy><keep-last>some</keep-last></policy>" --live --config >/dev/null
had=$(count "$store" web)
keep --store "$store" --json prune --all
is "$code $(count "$store" web) $(count "$store" db)" "2 $had 1" "of a domain with a wrong policy nothing is removed, and of others it is"
like "$(json .error.message)" "the policy of the domain 'web': 'keep-last'" "which is said"
keep policy unset web

# ---- a domain that has gone

make_domain gone vda:qcow2:8M
keep policy set gone keep-last=2
for _ in 1 2 3; do
  keep --store "$store" backup gone --level copy
done
remove_domain gone >/dev/null
keep --config "$lab/config" --store "$store" --json prune gone
is "$code $(count "$store" gone)" "0 2" "of a domain that libvirt does not know, what its newest point says is kept"

# ---- report

keep policy set db max-age=0h
keep --store "$store" --json report
is "$(json '.domains[0].domain.name') $(json '.domains[0].problems[0]') $(json .unsafe)" "db the newest restore point is too old 1" "what is too old is for the policy to say"
keep --store "$store" --json report --max-age 2d
is "$(json .unsafe)" 0 "unless it is given"
keep --store "$lab/together" forget db@latest
keep --store "$lab/together" --json report
is "$(json .domains.length)" 3 "a domain without a point is shown"
keep policy set db store="$store"
keep --store "$lab/together" --json report
is "$(json .domains.length)" 2 "but for one that is kept elsewhere"
done_testing

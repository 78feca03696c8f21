#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a domain may have any name that libvirt allows.
. "$(dirname "$0")/lib.sh"

# name MODE CLAIM: one domain through backup, list, show, restore and define.
one_name ()
{
  local name=$1 mode=$2 claim=$3 point to
  make_domain "$name" vda:qcow2:16M
  guest_write "$name" vda 0x5a 3M 1M
  shadow "$name" vda "$lab/then.raw"
  keep --store "$store" --json backup --mode "$mode" -- "$name"
  exits 0 "$claim: $mode backup"
  is "$(json .domain.name)" "$name" "$claim: the result has the name"
  point=$(json .point)
  keep --store "$store" --json list -- "$name"
  is "$(json .points.length) $(json '.points[0].domain.name')" "1 $name" "$claim: list finds it by name"
  keep --store "$store" --json show -- "$point"
  exits 0 "$claim: show finds the point"
  to=$(mktemp -d "$lab/to.XXXXXX")
  chmod 0711 "$to"
  keep --store "$store" --json restore --to "$to" --define --name "$name (2)" -- "$name@latest"
  exits 0 "$claim: restore finds the newest point"
  cleanup_fn remove_domain "$name (2)"
  holds "$claim: the restored disk is the same" same_bytes "$to/vda.qcow2" "$lab/then.raw"
  is "$(virsh domname "$(virsh domuuid "$name (2)" | head -n 1)" | head -n 1)" "$name (2)" "$claim: it is defined under the new name"
  virsh -q destroy "$name"
}

one_name "<&' \"é" push "markup, quotes, a space, UTF-8"
one_name "]]>&amp;%2f" pull "what looks encoded"
one_name "web@20261123T181400Z" push "what looks like a restore point"
one_name ".hidden" push "a leading dot"
one_name "-h" pull "what looks like an option"

make_domain plain vda:qcow2:16M
keep --store "$store" --json backup "$(virsh domuuid plain | head -n 1)"
exits 0 "a domain is found by its UUID"
is "$(json .domain.name)" plain "and called by its name"
keep --store "$store" --json backup "$(virsh domid plain | head -n 1)"
exits 0 "a domain is found by its id"
keep --store "$store" --json backup no-such-domain
exits 3 "a domain that does not exist is not found"
is "$(json .ok) $(json .exit_code)" "false 3" "which --json tells as well"

make_domain where vda:qcow2:16M
store="$lab/a <store> & 'more' \"é"
guest_write where vda 0x77 1M 1M
shadow where vda "$lab/then.raw"
for mode in push pull; do
  keep --store "$store" --json backup where --mode $mode
  exits 0 "the store may have such a name too: $mode"
  holds "and holds the same bytes: $mode" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: verify names every damage, and the points that it makes unusable.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:64M vdb:qcow2:64M
ids=()
for n in 1 2 3; do
  guest_write guest vda 0x1$n ${n}M 1M
  guest_write guest vdb 0x2$n ${n}M 1M
  keep --store "$store" --json backup guest
  exits 0 "backup $n"
  ids+=("$(json .point)")
done

keep --store "$store" verify --all --data
exits 0 "an intact store verifies"
keep --store "$store" verify guest
exits 0 "a domain verifies"
keep --store "$store" verify "${ids[1]}"
exits 0 "a restore point verifies"
keep --store "$store" verify
exits 2 "verify needs to know what"
keep --store "$store" verify nobody
exits 3 "an unknown domain is not found"

# damage FILE COMMAND...: damages the file, sees what verify says, mends it.
damaged_is ()
{
  local claim=$1 file=$2 affected=$3 expected
  shift 3
  cp "$file" "$lab/good"
  "$@"
  keep --store "$store" --json verify --all
  exits 12 "$claim: found"
  # shellcheck disable=SC2086  # a list
  expected=$(printf '"%s",' $affected)
  is "$(json '.damages[0].affects')" "[${expected%,}]" "$claim: the points it makes unusable are named"
  cp "$lab/good" "$file"
}

first=$(point_dir "${ids[0]}") second=$(point_dir "${ids[1]}") third=$(point_dir "${ids[2]}")
flip () { printf '\x5a' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

damaged_is "a flipped byte in the full" "$first/vda.qcow2" "${ids[*]}" flip "$first/vda.qcow2" 400000
damaged_is "a flipped byte in the newest" "$third/vdb.qcow2" "${ids[2]}" flip "$third/vdb.qcow2" 330000
damaged_is "a truncated image" "$second/vda.qcow2" "${ids[1]} ${ids[2]}" truncate -s -512 "$second/vda.qcow2"
damaged_is "a missing image" "$second/vdb.qcow2" "${ids[1]} ${ids[2]}" rm "$second/vdb.qcow2"
damaged_is "a changed domain XML" "$second/domain.xml" "${ids[1]}" sed -i s/guest/tseug/ "$second/domain.xml"
damaged_is "a missing file" "$first/domain.xml" "${ids[0]}" rm "$first/domain.xml"

cp "$third/vda.qcow2" "$lab/good"
flip "$third/vda.qcow2" 400000
keep --store "$store" verify "${ids[1]}"
exits 0 "damage to a later point does not concern an earlier one"
keep --store "$store" restore "${ids[2]}" --to "$lab/out"
exits 9 "a damaged point is not restored"
is "$(find "$lab/out" -mindepth 1 2>/dev/null)" "" "and nothing stays of the attempt"
cp "$lab/good" "$third/vda.qcow2"

# An image that names another backing file than the manifest does is refused, by
# every reader, whatever the other file is.
cp "$third/vda.qcow2" "$lab/good"
qemu-img rebase -u -f qcow2 -F raw -b /etc/passwd "$third/vda.qcow2"
keep --store "$store" restore "${ids[2]}" --to "$lab/out"
exits 9 "an image that points out of the store is refused"
cp "$lab/good" "$third/vda.qcow2"

flip "$first/vda.qcow2" 400000
guest_write guest vda 0x77 9M 64k
keep --store "$store" --json backup guest --paranoid
is "$(json .level)" full "--paranoid does not build on a damaged image"
like "$(json .reason)" "SHA-256" "and says why"

done_testing

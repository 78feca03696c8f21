#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the whole way there and back, for a small disk: backup, list, show,
# restore.  Short enough to be run under valgrind.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:8M
guest_write guest vda 0x5a 1M 1M
shadow guest vda "$lab/then.raw"
for mode in push pull; do
  keep --store "$store" --json backup guest --mode $mode --level full
  exits 0 "$mode: a backup"
  point=$(json .point)
  holds "$mode: the image holds the bytes of the disk" same_bytes "$(point_dir "$point")/vda.qcow2" "$lab/then.raw"
  keep --store "$store" show "$point"
  exits 0 "$mode: it is shown"
  mkdir -m 0711 "$lab/$mode"
  keep --store "$store" restore "$point" --to "$lab/$mode" --format raw
  exits 0 "$mode: it is restored"
  is "$(digest "$lab/$mode/vda.raw")" "$(digest "$lab/then.raw")" "$mode: with every byte"
done
keep --store "$store" list
exits 0 "both are listed"
is "$(grep -c 'guest@' "$out")" 2 "in a line each"
keep --store "$store" backup no-such-domain
exits 3 "a failure has its exit code"

done_testing

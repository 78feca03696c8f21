#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore that is killed, stopped or finds no room leaves nothing that looks
# finished; the same command goes on from what was complete, another one is refused;
# where there is too little room nothing is begun.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:64M vdb:qcow2:1G
guest_write guest vda 0x61 0 3M
for mib in $(seq 0 16 144); do
  guest_write guest vdb $((mib + 1)) "${mib}M" 16M
done
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
uuid=$(virsh domuuid guest)
dir=$lab/to
hidden=$dir/.virt-keep-restore-$uuid

# vda_is_complete, killed_in_vdb: a restore is stopped when the first disk is complete
# and the second one is being written.
# shellcheck disable=SC2317  # called by wait_for
in_vdb ()
{
  [ -e "$hidden/vda.qcow2" ] && [ -s "$hidden/.vdb.qcow2.partial" ]
}

# interrupt SIGNAL: a restore that gets it then.
interrupt ()
{
  keep_in_background --store "$store" --json restore guest --to "$dir"
  wait_for 60 in_vdb || bail "the restore does not get to vdb: $(cat "$err")"
  kill "-$1" "$keeper"
  keep_ends 60
}

interrupt INT
exits 130 "a restore that is interrupted"
is "$(ls "$dir")" "" "leaves nothing to see"
is "$(ls -A "$hidden")" ".request
vda.qcow2" "but what was complete, hidden"
like "$(cat "$err")" "same command" "and says so"

interrupt KILL
is "$(ls "$dir")" "" "so does one that is killed"
before=$(stat -c %i "$hidden/vda.qcow2")

keep --store "$store" --json restore guest --to "$dir" --format raw
exits 5 "another restore to the same place is refused"
like "$(json .error.message)" "$hidden" "and names what is in its way"

chmod 0777 "$hidden"
keep --store "$store" --json restore guest --to "$dir"
exits 5 "a hidden directory that others can write to is not trusted"
chmod 0700 "$hidden"

flock -o "$hidden" sleep 60 &
holder=$!
cleanup_fn kill "$holder"
wait_for 10 sh -c "! flock -n '$hidden' true"
keep --store "$store" --json restore guest --to "$dir"
exits 4 "while another restore is at work there, this one is refused"
kill "$holder"
wait_for 10 flock -n "$hidden" true

keep --store "$store" --json restore guest --to "$dir"
exits 0 "the same command finishes it"
is "$(stat -c %i "$dir/vda.qcow2")" "$before" "without copying again what was complete"
for dev in vda vdb; do
  holds "$dev has the bytes of the instant" same_bytes "$dir/$dev.qcow2" "$lab/$dev.raw"
done
holds "nothing hidden is left" test ! -e "$hidden"

# ---- killed while the files get their places -------------------------------------

rm -r "$dir"
n=0
while :; do
  n=$((n + 1))
  traced -f -qq -o /dev/null -e trace=renameat2,rename -e inject=renameat2:signal=KILL:when=$n "$VIRT_KEEP" --store "$store" restore guest --to "$dir" --disk vda >"$out" 2>"$err"
  code=$?
  [ $code != 0 ] || break
  if [ -e "$dir/vda.qcow2" ]; then
    same_bytes "$dir/vda.qcow2" "$lab/vda.raw" >/dev/null || not_ok "killed at rename $n, vda.qcow2 is not the disk"
  fi
  keep --store "$store" restore guest --to "$dir" --disk vda
  if [ $code != 0 ] || ! same_bytes "$dir/vda.qcow2" "$lab/vda.raw" >/dev/null || [ -e "$hidden" ]; then
    not_ok "killed at rename $n, the same command finishes"
    diag "$(cat "$err")"
  fi
  rm -rf "$dir"
  [ $n -lt 20 ] || break
done
holds "killed at each rename in turn ($((n - 1)) of them), the same command finishes" test $n -gt 2 -a $n -lt 20

# ---- no room ---------------------------------------------------------------------

if mkdir "$lab/small" && mount -t tmpfs -o size=64m,mode=711 small "$lab/small" 2>"$lab/said"; then
  cleanup_fn umount "$lab/small"
  keep --store "$store" --json restore guest --to "$lab/small/to"
  exits 9 "where there is too little room, nothing is begun"
  like "$(json .error.message)" "not enough room in '$lab/small/to'.*bytes\) are needed" "and the message has the figures"
  is "$(ls -A "$lab/small")" "" "nothing is left"
  keep --store "$store" --json restore guest --to "$lab/small/to" --disk vda
  exits 0 "what fits is restored"
  keep --store "$store" --json restore guest --to "$lab/small/compressed" --disk vdb --compress
  exits 0 "a compressed disk may fit, so it is tried"
  head -c 40M /dev/urandom >"$lab/noise"
  chmod 0644 "$lab/noise"
  guest_io guest vdb "write -s $lab/noise 200M 40M"
  keep --store "$store" --json backup guest
  keep --store "$store" --json restore guest --to "$lab/small/more" --disk vdb --compress
  exits 0 "and it does, with noise in it"
  keep --store "$store" --json restore guest --to "$lab/small/still-more" --disk vdb --compress
  exits 9 "and where it does not, it fails"
  holds "with nothing left" test ! -e "$lab/small/still-more"
else
  skip "where there is too little room, nothing is begun" "no tmpfs: $(cat "$lab/said")"
fi


done_testing

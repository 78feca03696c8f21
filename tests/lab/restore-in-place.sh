#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore in place gives a domain that is shut off the disks of the point,
# all or none of them, whenever it is killed, and never a mixture that starts; with
# --delta it writes what differs and nothing else; the next backup continues as it
# must.
# shellcheck disable=SC2031  # code is set by keep, here
. "$(dirname "$0")/lib.sh"

{
  head -c $((262144 - 16)) /dev/zero
  printf '\xfa\xf4\xeb\xfd'
  head -c 12 /dev/zero
} >"$lab/code.fd"
head -c 131072 /dev/urandom >"$lab/vars.fd"
chmod 0644 "$lab/code.fd"
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>$lab/code.fd</loader><nvram>$lab/vars.fd</nvram></os>"

make_domain guest vda:qcow2:64M vdb:raw:32M
guest_write guest vda 0x61 0 8M
guest_write guest vda 0x62 60M 4M
guest_write guest vdb 0x63 0 4M
for dev in vda vdb; do
  shadow guest $dev "$lab/then-$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
point=$(json .point)
vars=$(digest "$lab/vars.fd")
vda=${disk_file[guest:vda]} vdb=${disk_file[guest:vdb]}
dir=$(dirname "$vda")

# shut_off: ends the domain, so that its disks can be restored.
shut_off ()
{
  virsh -q destroy guest && wait_for 60 guest_is_off guest
}

spoiled=0x80

# spoil: the guest goes on from the instant of the point.
spoil ()
{
  [ "$(guest_state guest)" = running ] || virsh -q start guest || bail "guest does not start"
  spoiled=$((spoiled + 1))
  guest_write guest vda $spoiled 1M 1M
  guest_write guest vda $((spoiled + 1)) 30M 2M
  guest_discard guest vda 60M 4M
  guest_write guest vdb $((spoiled + 2)) 10M 1M
  guest_flush guest vda
  guest_flush guest vdb
  shut_off
  tr '\0' '\1' </dev/zero | head -c 131072 >"$lab/vars.fd"
  qemu-img convert -f qcow2 -O raw "$vda" "$lab/now-vda.raw"
  cp --sparse=always "$vdb" "$lab/now-vdb.raw"
}

# disks_are WHEN: "then" or "now" as the bytes of both disks say, "mixed" otherwise.
disks_are ()
{
  local when
  for when in "then" "now"; do
    if same_bytes "$vda" "$lab/$when-vda.raw" >/dev/null 2>&1 && cmp -s "$vdb" "$lab/$when-vdb.raw"; then
      echo $when
      return
    fi
  done
  echo mixed
}

hidden ()
{
  find "$dir" "$lab" -maxdepth 1 -name '.*' ! -name . -printf '%f\n'
}

keep --store "$store" --json restore "$point" --in-place
exits 5 "a domain that runs is refused"
like "$(json .error.message)" "runs" "because it runs"

# ---- whole disks -------------------------------------------------------------------

spoil
owner=$(stat -c %u:%g:%a "$vda")
keep --store "$store" --json restore "$point" --in-place
exits 0 "a restore into place of the disks"
is "$(disks_are)" "then" "both have the bytes of the instant"
is "$(stat -c %u:%g:%a "$vda")" "$owner" "owner and mode are as they were"
is "$(qemu-img info "$vda" | sed -n 's/^file format: //p') $(qemu-img info -f raw "$vdb" | sed -n 's/^file format: //p')" "qcow2 raw" "and so are the formats"
is "$(digest "$lab/vars.fd")" "$vars" "the firmware variables are back, too"
is "$(hidden)" "" "nothing is left beside them"
holds "the domain starts" virsh -q start guest
guest_write guest vda 0x33 5M 1M
shadow guest vda "$lab/after.raw"
keep --store "$store" --json backup guest
exits 0 "the next backup"
is "$(json .level)" full "is a full one"
like "$(json .reason)" "bitmap" "because the bitmap went with the disk: $(json .reason)"
keep --store "$store" restore "$(json .point)" --to "$lab/check" --disk vda
holds "and has the bytes of its instant" same_bytes "$lab/check/vda.qcow2" "$lab/after.raw"
shut_off

spoil
keep --store "$store" --json restore "$point" --in-place --disk vdb
exits 0 "one disk in place"
holds "has the bytes of the instant" cmp "$vdb" "$lab/then-vdb.raw"
holds "and the other one is left alone" same_bytes "$vda" "$lab/now-vda.raw"

# ---- nothing to be done with a damaged point -------------------------------------------

chain=$(point_dir "$point")
cp -a "$chain/vdb.qcow2" "$lab/vdb.kept"
spoil
printf '\1' | dd of="$chain/vdb.qcow2" bs=1 seek=$(($(stat -c %s "$chain/vdb.qcow2") - 4096)) conv=notrunc status=none
for delta in "" --delta; do
  # shellcheck disable=SC2086
  keep --store "$store" --json restore "$point" --in-place $delta
  exits 9 "a damaged point, in place ${delta:-whole}"
  is "$(disks_are)" "now" "leaves the disks as they were"
done
cp -a "$lab/vdb.kept" "$chain/vdb.qcow2"

# ---- busy ------------------------------------------------------------------------------

lock=$(find "$store" -maxdepth 2 -name '*lock*' -type f | head -n 1)
flock -o "$lock" sleep 60 &
holder=$!
cleanup_fn kill "$holder"
wait_for 10 sh -c "! flock -n '$lock' true"
keep --store "$store" --json restore "$point" --in-place
exits 4 "while a backup of the domain into the store runs, it is busy"
kill "$holder"
wait_for 10 flock -n "$lock" true

# stopped_restore: a restore in place that is held while it works; false when it was too
# quick.
stopped_restore ()
{
  keep_in_background --store "$store" --json restore "$point" --in-place
  wait_for 60 sh -c "[ -n \"\$(find '$dir' -maxdepth 1 -name '.virt-keep-in-place-*')\" ]"
  kill -STOP "$keeper"
  [ -n "$(find "$dir" -maxdepth 1 -name '.virt-keep-in-place-*')" ]
}

keep --store "$store" --json restore "$point" --in-place
exits 0 "what was complete before is used"
for _ in 1 2 3 4 5; do
  stopped_restore && break
  kill -CONT "$keeper"
  keep_ends 60
done
"$VIRT_KEEP" --store "$store" --json backup guest >"$lab/busy" 2>"$lab/busy.err" </dev/null
is "$?" 4 "while a restore in place runs, a backup of the domain into the store is busy"
"$VIRT_KEEP" --store "$store" --json restore "$point" --in-place --delta >"$lab/busy" 2>"$lab/busy.err" </dev/null
is "$?" 4 "and so is another restore in place"
kill -CONT "$keeper"
keep_ends 60
exits 0 "which then comes to its end"
is "$(disks_are)" "then" "with the bytes of the instant"

# ---- killed at every rename -------------------------------------------------------------

# killed_at N ARGUMENT...: a restore in place that is killed at its Nth rename; false
# when it had fewer.
killed_at ()
{
  local n=$1
  shift
  { traced -f -qq -o /dev/null -e trace=renameat2,rename -e inject=renameat2,rename:signal=KILL:when="$n" "$VIRT_KEEP" --store "$store" --json restore "$point" --in-place "$@" >"$out" 2>"$err"; } 2>/dev/null
  [ $? = 137 ]
}

for delta in "" --delta; do
  n=0 complaints=''
  while [ $n -lt 30 ]; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    killed_at $n $delta || break
    if [ -e "$vda" ] && [ -e "$vdb" ]; then
      state=$(disks_are)
      [ "$state" != mixed ] || complaints+="; killed at rename $n, the disks are mixed"
      if [ $((n % 2)) = 0 ]; then
        # Another point in between, another request: it has to come to an end as well.
        keep --store "$store" --json restore "$point" --in-place --disk vdb $delta
        [ $code = 0 ] || complaints+="; killed at rename $n, another request fails: $(tail -n 1 "$err")"
        same_bytes "$vdb" "$lab/then-vdb.raw" >/dev/null || complaints+="; killed at rename $n, another request restores other bytes"
      fi
    fi
    # shellcheck disable=SC2086
    keep --store "$store" --json restore "$point" --in-place $delta
    [ $code = 0 ] || complaints+="; killed at rename $n, the same command fails: $(tail -n 1 "$err")"
    [ "$(disks_are)" = "then" ] || complaints+="; after rename $n the disks are not those of the point"
    [ -z "$(hidden)" ] || complaints+="; after rename $n this is left: $(hidden)"
    cp --sparse=always "$lab/now-vdb.raw" "$vdb"
    qemu-img convert -n -f raw -O qcow2 "$lab/now-vda.raw" "$vda"
  done
  is "$complaints" "" "killed at each of its $((n - 1)) renames (${delta:-whole}), it never shows a mixture, and the same command finishes"
  holds "there were some" test $n -gt 4 -a $n -lt 30
done

# ---- killed while it copies, and interrupted ----------------------------------------------

for signal in KILL INT; do
  for delta in "" --delta; do
    # shellcheck disable=SC2086
    keep_in_background --store "$store" --json restore "$point" --in-place $delta
    wait_for 60 sh -c "[ -n \"\$(find '$dir' -maxdepth 1 -name '.*virt-keep*')\" ]"
    kill -$signal "$keeper"
    keep_ends 60
    state=$(disks_are)
    holds "SIG$signal while it works (${delta:-whole}): the disks are those of before or after, or away" \
      test "$state" = now -o "$state" = "then" -o ! -e "$vda" -o ! -e "$vdb"
    # shellcheck disable=SC2086
    keep --store "$store" --json restore "$point" --in-place $delta
    exits 0 "and the same command finishes it"
    is "$(disks_are)" "then" "with the bytes of the instant"
    cp --sparse=always "$lab/now-vdb.raw" "$vdb"
    qemu-img convert -n -f raw -O qcow2 "$lab/now-vda.raw" "$vda"
  done
done

# ---- what differs -----------------------------------------------------------------------

virsh -q start guest
keep --store "$store" --json backup guest
exits 0 "a backup of a domain with healthy bitmaps"
later=$(json .point)
shadow guest vda "$lab/then-vda.raw"
shadow guest vdb "$lab/then-vdb.raw"
spoil
keep --store "$store" --json restore "$later" --in-place --delta
exits 0 "what differs is restored in place"
is "$(disks_are)" "then" "the disks have the bytes of the instant"
is "$(json .written)" $((4 * 1024 * 1024)) "just what differed was written"
is "$(hidden)" "" "nothing is left beside them"
keep --store "$store" --json restore "$later" --in-place --delta
is "$(json .written)" 0 "the second time nothing differs"
virsh -q start guest
guest_write guest vda 0x34 6M 1M
shadow guest vda "$lab/after.raw"
keep --store "$store" --json backup guest
exits 0 "the next backup"
is "$(json .level)" incremental "is incremental, since the bitmap has seen what was restored"
keep --store "$store" restore "$(json .point)" --to "$lab/check-delta" --disk vda
holds "and has the bytes of its instant" same_bytes "$lab/check-delta/vda.qcow2" "$lab/after.raw"

# ---- a disk that is lost ---------------------------------------------------------------------

shut_off
rm "$vda"
keep --store "$store" --json restore "$later" --in-place --disk vda
exits 0 "a disk that is gone comes back in place"
holds "with the bytes of the instant" same_bytes "$vda" "$lab/then-vda.raw"

# ---- a saved state ---------------------------------------------------------------------------

virsh -q start guest
if virsh -q managedsave guest >/dev/null 2>"$lab/said"; then
  keep --store "$store" --json restore "$later" --in-place
  exits 5 "a domain with a saved state is refused"
  like "$(json .error.message)" "managedsave" "because of it"
  virsh -q managedsave-remove guest >/dev/null
else
  skip "a domain with a saved state is refused" "$(tail -n 1 "$lab/said")"
fi

# A qcow2 that keeps its data in a raw file beside it: it has dirty bitmaps, and is written to where it is.
make_domain data vda:qcow2:16M
virsh -q destroy data
image=${disk_file[data:vda]}
rm "$image"
qemu-img create -q -f raw "$lab/data.raw" 16M
qemu-img create -q -f qcow2 -o "data_file=$lab/data.raw,data_file_raw=on" "$image" 16M
chmod 0666 "$image" "$lab/data.raw"
virsh -q start data >/dev/null
guest_write data vda 0x71 0 2M
keep --store "$store" --json backup data
exits 0 "a qcow2 with a data file is backed up"
guest_write data vda 0x72 1M 2M
keep --store "$store" --json backup data
is "$code $(json .level)" "0 incremental" "and in increments"
data=$(json .point)
shadow data vda "$lab/data-then.raw"
guest_write data vda 0x73 0 8M
virsh -q destroy data
keep --store "$store" --json restore "$data" --in-place
exits 5 "it is not replaced by an image without one"
like "$(json .error.message)" "--delta" "and the message says what to do"
keep --store "$store" --json restore "$data" --in-place --delta
exits 0 "with --delta it is written to"
holds "and the data file has the bytes of the point" cmp "$lab/data.raw" "$lab/data-then.raw"
virsh -q start data >/dev/null
keep --store "$store" --json backup data
is "$code $(json .level)" "0 incremental" "the next backup is incremental"
virsh -q destroy data

done_testing

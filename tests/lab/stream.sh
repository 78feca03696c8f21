#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup goes through a pipe and comes back with the bytes of its instant, while
# the guest writes on and no chain of a store is disturbed; an archive that is not whole,
# was changed or was made to do harm is refused with one sentence, and nothing of it stays.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scratch=$lab/scratch
hooks=$lab/hooks
mkdir -m 0711 "$scratch"
mkdir -m 0755 "$hooks"

make_domain guest vda:qcow2:32M vdb:raw:8M
guest_write guest vda 0x61 1M 5M
guest_write guest vdb 0x62 7M 1M
keep --store "$store" backup guest
exits 0 "a store has a chain of the domain"
checkpoints=$(virsh checkpoint-list --name guest)
guest_write guest vda 0x63 20M 1M
guest_write guest vdb 0x64 0 64k

# As soon as the instant is over, everything is written over.
cat >"$hooks/overwrite" <<SCRIPT
#!/bin/bash
[ "\$1" = thawed ] || exit 0
exec >/dev/null
virsh -q qemu-monitor-command guest '$(qemu_io vda "write -P 0x99 0 24M")' &&
  virsh -q qemu-monitor-command guest '$(qemu_io vdb "write -P 0x98 0 8M")' && echo >>"$lab/overwritten"
SCRIPT
chmod 0755 "$hooks/overwrite"

# instant: $lab/DEV.raw are the disks as the next backup has to find them.
instant ()
{
  guest_write guest vda "$1" 2M 1M
  guest_write guest vdb "$1" 1M 1M
  for dev in vda vdb; do
    shadow guest $dev "$lab/$dev.raw"
  done
}

# restored DIR CLAIM: both disks are in DIR as they were at the instant.
restored ()
{
  holds "$2: vda has the bytes of the instant" same_bytes "$1/vda.qcow2" "$lab/vda.raw"
  holds "and so has vdb" same_bytes "$1/vdb.qcow2" "$lab/vdb.raw"
}

# left: what is in the scratch directory.
left ()
{
  ls -A "$scratch"
}

# ---- there and back --------------------------------------------------------------

stream_options=(--scratch-dir "$scratch" --hook-dir "$hooks")
instant 0x21
"$VIRT_KEEP" --json backup guest --to - "${stream_options[@]}" --quiet 2>"$lab/sender" </dev/null |
  tee "$lab/push.tar" | "$VIRT_KEEP" --json restore - "$lab/piped" --scratch-dir "$scratch" >"$out" 2>"$err"
is "${PIPESTATUS[*]}" "0 0 0" "a backup in push mode is restored at the other end of a pipe"
holds "while the guest wrote over it" test -s "$lab/overwritten"
restored "$lab/piped" "push"
is "$(json_get "$lab/sender" .ok)/$(json_get "$lab/sender" .mode)/$(json_get "$lab/sender" .level)/$(json_get "$lab/sender" .checkpoint)/$(json_get "$lab/sender" .store)" "true/push/copy/null/null" \
   "the document of the backup is on standard error: a copy, without a store and a checkpoint"
is "$(json_get "$lab/sender" .stream.bytes)" "$(stat -c %s "$lab/push.tar")" "with the length of the archive"
is "$(json .stream.bytes)/$(json .point)" "$(stat -c %s "$lab/push.tar")/$(json_get "$lab/sender" .point)" "the restore has the same length and the same point"
is "$(virsh checkpoint-list --name guest)" "$checkpoints" "the checkpoints are those of the store"
is "$(left)" "" "nothing is left of either"
is "$(tar -tf "$lab/push.tar" | head -n 1)/$(tar -tf "$lab/push.tar" | tail -n 1)" manifest.json/SHA256SUMS "the manifest comes first, and the sums last"
mkdir "$lab/by-hand"
tar -x -C "$lab/by-hand" -f "$lab/push.tar"
holds "tar and sha256sum take it, too" env -C "$lab/by-hand" sha256sum --quiet -c SHA256SUMS
holds "images stay as small as they are" test "$(stat -c %s "$lab/push.tar")" -lt $((16 << 20))

instant 0x22
keep --json backup guest --mode pull --to "$lab/pull.tar" "${stream_options[@]}"
exits 0 "a backup in pull mode goes into a file"
is "$(json .mode)/$(json .stream.to)" "pull/$lab/pull.tar" "which the document names, on standard output"
keep restore "$lab/pull.tar" --scratch-dir "$scratch" --to "$lab/from-file" --format qcow2
exits 0 "which a restore takes by its name"
restored "$lab/from-file" "pull"
sum=$(digest "$lab/pull.tar")
keep backup guest --to "$lab/pull.tar" "${stream_options[@]}"
exits 5 "a file that exists is refused"
is "$(digest "$lab/pull.tar")" "$sum" "and not touched"

keep --store "$store" --json backup guest
exits 0 "the next backup into the store succeeds"
is "$(json .level)" incremental "it goes on incrementally, as if there had been no stream"

keep restore "$lab/push.tar" "$lab/defined" --scratch-dir "$scratch" --define --name copy
exits 0 "a restore of an archive can define the domain"
holds "which libvirt knows then" virsh -q dominfo copy
cleanup_fn virsh -q undefine copy
virsh -q destroy guest
instant_off=$(mktemp "$lab/off.XXXXXX")
qemu-img convert -O raw "${disk_file["guest:vda"]}" "$instant_off"
keep backup guest --to "$lab/off.tar" --scratch-dir "$scratch"
exits 0 "a domain that is shut off is written, too"
keep restore "$lab/off.tar" "$lab/off" --scratch-dir "$scratch"
holds "and comes back" same_bytes "$lab/off/vda.qcow2" "$instant_off"
virsh -q start guest

# ---- command lines ----------------------------------------------------------------

# wrong CLAIM ARGUMENT...: a wrong command line, with one sentence about it.
wrong ()
{
  local claim=$1
  shift
  keep "$@"
  exits 2 "$claim"
  is "$(wc -l <"$err")/$(stat -c %s "$out")" 1/0 "with one sentence"
}

for option in "--store $store" "--level auto" "--level incremental" "--level differential" --together --all "--jobs 2" "--selector a=b" \
              --estimate "--threshold 1" --allow-full --paranoid "--max-chain 3" --synthetic-full "--metrics $lab/m.prom" "--compression max" "--pack-size 8"; do
  # shellcheck disable=SC2086  # words
  wrong "--to does not go with $option" backup guest --to - $option
done
wrong "nor with two domains" backup guest other --to -
wrong "nor with none" backup --to -
wrong "nor with a pattern" backup 'gue*' --to -
wrong "--to needs a name" backup guest --to ''
wrong "restore of an archive has no use for a store" restore - "$lab/no" --store "$store"
wrong "nor restore of a point for --scratch-dir" restore guest "$lab/no" --store "$store" --scratch-dir "$scratch"
wrong "one directory is enough" restore - "$lab/no" --to "$lab/no"
VIRT_KEEP_STORE=restic:/nowhere keep backup guest --level full --to "$lab/full.tar" --scratch-dir "$scratch"
exits 0 "a store that the environment names does not count, and --level full is a copy"
for command in "backup guest --to -" "restore - $lab/no"; do
  script -qec "$VIRT_KEEP $command; echo status \$?" /dev/null </dev/null >"$out" 2>&1
  like "$(cat "$out")" "terminal.*status 2" "${command%% *}: a terminal is refused"
done

# ---- readers that go away, and signals --------------------------------------------

guest_write guest vda 0x31 8M 16M
"$VIRT_KEEP" backup guest --to - --scratch-dir "$scratch" 2>"$err" </dev/null | head -c 100000 >/dev/null
is "${PIPESTATUS[0]}" 9 "a reader that dies is a failure"
like "$(tail -n 1 "$err")" "^virt-keep: .*gone away" "which says so"
is "$(left)" "" "and leaves nothing"
"$VIRT_KEEP" backup guest --to - --scratch-dir "$scratch" 2>"$err" </dev/null >/dev/full
is $? 9 "so is an output that is full"

mkfifo "$lab/fifo"
exec 7<>"$lab/fifo"
# shellcheck disable=SC2317  # called by wait_for
is_writing ()
{
  grep -q "^writing" "$err"
}
"$VIRT_KEEP" backup guest --to - --scratch-dir "$scratch" >&7 2>"$err" </dev/null &
keeper=$!
holds "a backup writes to a reader that does not read" wait_for 60 is_writing
kill -TERM "$keeper"
keep_ends 60
exits 143 "and SIGTERM ends it nevertheless"
is "$(left)" "" "without a trace"
exec 7>&-

# shellcheck disable=SC2317  # called by wait_for
has_begun ()
{
  [ -n "$(left)" ]
}
"$VIRT_KEEP" backup guest --to "$lab/killed.tar" --scratch-dir "$scratch" --max-rate 1M 2>"$err" </dev/null &
keeper=$!
holds "a backup into a file runs" wait_for 60 has_begun
kill -TERM "$keeper"
keep_ends 60
is "$(left)/$(find "$lab" -maxdepth 1 -name 'killed*')" "/" "when it is ended, there is neither a file nor a part of one"

mkdir -m 0711 "$scratch/virt-keep-stream-killed"
exec 7<>"$lab/fifo"
"$VIRT_KEEP" restore - "$lab/no" --scratch-dir "$scratch" <&7 >"$out" 2>"$err" &
keeper=$!
holds "a restore waits for an archive" wait_for 60 grep -q "^reading" "$err"
kill -TERM "$keeper"
keep_ends 60
exits 143 "and SIGTERM ends that"
is "$(left)" "" "with what an earlier one, which was killed, has left"
exec 7>&-

# ---- archives that are not whole, or not good --------------------------------------

# refused CLAIM FILE: a restore of the archive on standard input is refused, once and clearly.
refused ()
{
  "$VIRT_KEEP" restore - "$lab/no" --scratch-dir "$scratch" --quiet <"$2" >"$out" 2>"$err"
  code=$?
  if [ $code = 9 ] && [ "$(wc -l <"$err")" = 1 ] && [ ! -e "$lab/no" ] && [ ! -s "$out" ] && [ -z "$(left)" ]; then
    ok "refused, and nothing is left: $1"
    diag "$(cut -c -300 "$err")"
  else
    not_ok "refused, and nothing is left: $1"
    diag "exit status $code: $(tail -n 3 "$err"); left: $(left; ls -A "$lab/no" 2>&1)"
  fi
}

make_domain tiny vda:qcow2:4M
guest_write tiny vda 0x41 1M 256k
keep backup tiny --to "$lab/tiny.tar" --scratch-dir "$scratch"
exits 0 "a small archive to change"
good=$lab/tiny.tar
size=$(stat -c %s "$good")
# Where the end of the archive begins: behind the last member.
end=$(tar -tvf "$good" | awk '{ n += 512 + int (($3 + 511) / 512) * 512 } END { print n }')
for at in 0 1 511 512 600 10240 $((size / 2)) $((end - 1024)) $((end - 512)) "$end" $((end + 512)) $((end + 1023)); do
  head -c "$at" "$good" >"$lab/bad.tar"
  refused "cut off at byte $at of $size" "$lab/bad.tar"
done
for at in 0 100 700 7000 $((size / 2)) $((end - 1000)) $((end + 100)); do
  cp "$good" "$lab/bad.tar"
  printf '\xa5' | dd of="$lab/bad.tar" bs=1 seek=$at conv=notrunc status=none
  refused "another byte at $at" "$lab/bad.tar"
done
head -c 100000 /dev/urandom >"$lab/bad.tar"
refused "no tar archive" "$lab/bad.tar"
gzip -c "$good" >"$lab/bad.tar"
refused "a compressed one" "$lab/bad.tar"
head -c 20480 /dev/zero >"$lab/bad.tar"
refused "zeros" "$lab/bad.tar"
cat "$good" "$good" >"$lab/bad.tar"
refused "two in one" "$lab/bad.tar"

if command -v python3 >/dev/null; then
  kinds=(parent absolute subdirectory unknown directory symlink hardlink device fifo twice missing longer shorter huge huge-manifest
         changed changed-manifest manifest-last behind no-sums other-sums base reserved name id uuid backing data-file empty-archive strangers)
  mkdir "$lab/bad"
  "$lab_sources/hostile-tar" "$good" "$lab/bad" "${kinds[@]}" huge-disk resealed || bail "no archives that do harm"
  for kind in "${kinds[@]}"; do
    refused "$kind" "$lab/bad/$kind"
  done
  is "$(find "$lab" /var/tmp/virt-keep-evil /evil -name '*evil' 2>/dev/null)" "" "no member was written anywhere else"
  keep restore "$lab/bad/huge-disk" "$lab/no" --scratch-dir "$scratch"
  exits 15 "what there cannot be room for is not begun"
  keep restore "$lab/bad/resealed" "$lab/resealed" --scratch-dir "$scratch"
  exits 0 "and what another program has packed in the same way is taken"
else
  skip "archives that do harm" "no python3"
fi

# ---- too little room -----------------------------------------------------------------

small=$lab/small
mkdir "$small"
if mount -t tmpfs -o size=2m,mode=711 virt-keep "$small" 2>/dev/null; then
  cleanup_fn umount "$small"
  keep restore "$lab/push.tar" "$lab/no" --scratch-dir "$small"
  exits 15 "a restore finds out first that there is no room"
  virsh -q destroy guest
  virsh -q start guest
  keep backup guest --to "$lab/no.tar" --scratch-dir "$small"
  exits 15 "and so does a backup"
  is "$(ls -A "$small"; find "$lab" -maxdepth 1 -name 'no.tar*')" "" "which leaves nothing"
else
  skip "a backup and a restore find out first that there is no room" "only root can mount a small file system"
fi

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: --synthetic-full ends a long chain with a full image that is made in the
# store; the guest is only asked for what changed, and no restore point suffers.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:64M vdb:qcow2:16M vdc:raw:4M
made=()

# take CLAIM ARGUMENT...: a restore point whose shadows are $lab/ID.DEV.raw.
take ()
{
  local claim=$1 dev id
  shift
  guest_write guest vda $((RANDOM % 255 + 1)) $((RANDOM % 60))M 1M
  guest_discard guest vda $((RANDOM % 60))M 1M
  guest_write guest vdb $((RANDOM % 255 + 1)) $((RANDOM % 200 * 64))k 100k
  guest_write guest vdc $((RANDOM % 255 + 1)) 1M 64k
  for dev in vda vdb vdc; do shadow guest $dev "$lab/now.$dev.raw"; done
  keep --store "$store" --json backup guest "$@"
  exits 0 "$claim: succeeds"
  id=$(json .point)
  made+=("$id")
  for dev in vda vdb vdc; do mv "$lab/now.$dev.raw" "$lab/${id#*@}.$dev.raw"; done
}

# all_read CLAIM: every restore point is listed and has its exact bytes.
all_read ()
{
  local point dev bad=""
  is "$(points)" ${#made[@]} "$1: every restore point is listed"
  for point in "${made[@]}"; do
    for dev in vda vdb vdc; do
      same_bytes "$(point_dir "$point")/$dev.qcow2" "$lab/${point#*@}.$dev.raw" >/dev/null || bad+="$point:$dev "
    done
  done
  is "$bad" "" "$1: with its exact bytes"
  is "$(find "$store" -name '.?*' -o -name 'manifest-*')" "" "$1: nothing is left over"
}

# backing: what the vda of the last point builds on.
backing ()
{
  qemu-img info --output=json "$(point_dir "${made[-1]}")/vda.qcow2" | json_get /dev/stdin '.backing-filename'
}

guest_write guest vda 0x11 0 30M
for mode in push pull; do
  take "$mode: a full" --mode $mode --level full
  take "$mode: the second" --mode $mode --max-chain 3 --synthetic-full
  take "$mode: the third" --mode $mode --max-chain 3 --synthetic-full
  is "$(json .level) $(json .synthetic) $(json .reason)" "incremental false null" "$mode: the third is still incremental"
  before=$(cd "$store" && find . -name '*.qcow2' -exec sha256sum {} + | sort)
  keep --store "$store" --json backup guest --mode $mode --max-chain 3 --synthetic-full --estimate
  is "$(json .synthetic) $(json '.estimate[0].level')" "true incremental" "$mode: --estimate says what would be done"
  take "$mode: the fourth" --mode $mode --max-chain 3 --synthetic-full
  is "$(json .level) $(json .synthetic) $(json .base)" "full true null" "$mode: the fourth is a synthetic full"
  like "$(json .reason)" "--max-chain" "$mode: and the result says why"
  is "$(json '.disks[0].level') $(json '.disks[0].base')" "full null" "$mode: its disk builds on nothing"
  holds "$mode: little was read from the guest" test "$(json '.disks[0].bytes_moved')" -lt $((8 << 20))
  is "$(backing)" "(none)" "$mode: its image has no backing file"
  is "$(cd "$store" && find . -name '*.qcow2' -not -path "*/${made[-1]#*@}/*" -exec sha256sum {} + | sort)" "$before" "$mode: no other image has changed"
  keep --store "$store" --json show guest
  is "$(json .manifest.level) $(json .manifest.synthetic)" "full true" "$mode: the manifest says so, too"
  take "$mode: the fifth" --mode $mode --max-chain 3 --synthetic-full
  is "$(json .level) $(json .synthetic) $(json .base)" "incremental false ${made[-2]#*@}" "$mode: the fifth is an incremental on it"
  take "$mode: a differential" --mode $mode --level differential
  is "$(json '.disks[0].base')" "$(json .base)" "$mode: a differential builds on it, too"
  all_read "$mode"
  is "$(checkpoints guest)" "$(json .checkpoint)" "$mode: one checkpoint is alive"
done

keep --store "$store" --json forget "${made[0]}" "${made[1]}" "${made[2]}"
exits 0 "what the synthetic full was made of may go"
is "$(json .merged)" "[]" "and nothing has to be merged for it"
made=("${made[@]:3}")
all_read "after that"
keep --store "$store" verify --all --data
exits 0 "the store verifies"

# What is damaged is not merged into something that looks sound.
printf '\x5a' | dd of="$(point_dir "${made[-1]}")/vda.qcow2" bs=1 seek=330000 conv=notrunc 2>/dev/null
keep --store "$store" --json backup guest --max-chain 1 --synthetic-full
exits 0 "beside a damaged chain a backup succeeds"
is "$(json .level) $(json .synthetic)" "full false" "and reads the guest"
like "$(json .reason)" "SHA-256" "and says why"

# No space for the merged image: the backup counts, and the next one tries again.
if [ "$(id -u)" = 0 ] && mkdir -m 0711 "$lab/small" && mount -t tmpfs -o size=72M,mode=0711 none "$lab/small" 2>/dev/null; then
  cleanup_fn umount -l "$lab/small"
  store=$lab/small/store made=()
  take "small: a full" --mode pull --level full
  head -c 4M /dev/zero >"$lab/small/ballast"
  take "small: no room" --mode pull --max-chain 1 --synthetic-full
  is "$(json .level) $(json .synthetic)" "incremental false" "small: without room for the merged image it stays incremental"
  like "$(json .warnings)" "only .* are free" "small: a warning says so"
  all_read "small: without room"
  umount "$lab/small"
else
  skip "a store without room for the merged image" "only root can mount a small file system"
fi

done_testing

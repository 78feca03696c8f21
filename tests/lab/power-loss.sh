#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: when the host loses its power, at whatever moment, every restore point that
# is listed afterwards has its exact bytes, what was reported as done is done, and the
# next run goes on without anybody's help.
#
# The store lies on a file system of its own, ext4 and, where mkfs.xfs is installed,
# XFS, on a loop device.  At a system call that changes the store virt-keep is killed
# and the file system is shut down in the way its own tests do (XFS_IOC_GOINGDOWN,
# EXT4_IOC_SHUTDOWN with NOLOGFLUSH): what neither an fsync nor the kernel by itself
# had brought to the device, directory entries and data, is lost.  Then it is mounted
# again and recovers from its journal.  Nothing is flushed in the background meanwhile
# (commit=300), and a file that is renamed over another one gets no help from ext4
# (noauto_da_alloc).  QEMU is killed, too: its dirty bitmaps are broken then.
#
# VIRT_KEEP_SEED repeats a run; VIRT_KEEP_KILLS says how often each kind of command
# meets its loss, half as often on XFS.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/shadows.sh
. "$lab_sources/shadows.sh"

seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
losses=${VIRT_KEEP_KILLS:-4}
RANDOM=$seed
[ "$(id -u)" = 0 ] || skip_all "only root can mount a file system"
command -v strace >/dev/null || skip_all "no strace"
loop_devices || skip_all "no loop devices"
diag "seed $seed, $losses losses of each kind"

disk=$lab/disk # on which the store lies
mounted=$lab/mounted
store=$mounted/store
mkdir -m 0711 "$mounted"
cleanup_fn umount -l "$mounted"

make_fs () # ext4|xfs
{
  rm -f "$disk"
  case $1 in
    ext4) truncate -s 128M "$disk" && mkfs.ext4 -q -F -b 4096 "$disk" ;;
    xfs) truncate -s 304M "$disk" && mkfs.xfs -q -f "$disk" ;; # no smaller one is made
  esac
}

switch_on () # ext4|xfs
{
  local options=loop,noatime
  [ "$1" = xfs ] || options+=,commit=300,noauto_da_alloc
  mount -t "$1" -o $options "$disk" "$mounted" 2>"$lab/said" && chmod 0711 "$mounted"
}

# lose_power: nothing more gets to the device.
lose_power ()
{
  perl -e 'open my $at, "<", shift or die; my $flags = pack "L", 2; ioctl ($at, 0x8004587d, $flags) or die "no shutdown: $!"' "$mounted" \
    || bail "the file system cannot be shut down"
}

switch_off ()
{
  wait_for 60 umount "$mounted" || bail "cannot unmount: $(umount "$mounted" 2>&1)"
}

calls=write,pwrite64,fsync,mkdir,rename,renameat2,link,unlink,unlinkat,chmod,ioctl,clone,clone3

# sound: adds to $bad every listed point that does not have its exact bytes.
sound ()
{
  local points
  look
  read -ra points <<<"$listed"
  compare_points "${points[@]}"
  bad+=$differs
  [[ $listed != *DAMAGED* ]] || bad+="$listed; "
}

shadow_now ()
{
  for dev in vda vdb; do shadow guest $dev "$lab/now.$dev.raw"; done
}

change ()
{
  guest_write guest vda $((RANDOM % 255 + 1)) $((RANDOM % 200 * 64))k 300k
  guest_discard guest vda $((RANDOM % 15))M 512k
  guest_write guest vdb $((RANDOM % 255 + 1)) $((RANDOM % 50 * 64))k 100k
  shadow_now
}

# meet_loss CALL COMMAND...: runs virt-keep until that call, if it comes to it, and then
# the power is lost; $point is the restore point that it has reported.
meet_loss ()
{
  local moment=$1
  shift
  traced -o "$lab/trace" -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$moment" \
    "$VIRT_KEEP" --store "$store" --json "$@" >"$out" 2>"$err" </dev/null &
  wait $! 2>/dev/null
  code=$?
  lose_power
  # Whatever was right before may have been lost.
  forget_compared
  point=
  [ $code != 0 ] || point=$(json .point)
}

# judge MUST-BE-LISTED...: after the loss; what is wrong is added to $bad.
judge ()
{
  local wanted
  sound
  for wanted; do
    is_listed "$wanted" || bad+="$wanted is not listed; "
  done
}

# ---- commands without a guest -----------------------------------------------------

# sweep_removal FS CLAIM COMMAND... -- STAY...: each loss meets the same store.
sweep_removal ()
{
  local fs=$1 claim=$2 command=() made i moment
  shift 2
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  cp --sparse=always "$lab/made.disk" "$disk"
  switch_on "$fs"
  traced -o "$lab/trace" -e "trace=$calls" "$VIRT_KEEP" --store "$store" "${command[@]}" >/dev/null 2>&1
  made=$(grep -c '^[a-z]' "$lab/trace")
  switch_off
  failures=0
  for ((i = 0; i < losses; i++)); do
    cp --sparse=always "$lab/made.disk" "$disk"
    switch_on "$fs"
    moment=$((made * i / losses + RANDOM % (made / losses + 1) + 1))
    # The last one comes just after the end.
    [ $i -lt $((losses - 1)) ] || moment=$((made * 2))
    meet_loss $moment "${command[@]}"
    switch_off
    switch_on "$fs" || bail "cannot mount again: $(cat "$lab/said")"
    bad=
    judge "$@"
    before=$listed
    [ $code != 0 ] || [ "$listed" = "$(printf 'guest@%s\n' "$@" | xargs)" ] || bad+="it had succeeded, but listed: $listed; "
    "$VIRT_KEEP" --store "$store" prune --all --keep-last 100 >"$lab/said" 2>&1 || bad+="no second run: $(cat "$lab/said"); "
    sound
    [ "$listed" = "$before" ] || bad+="then listed: $listed; "
    [ -z "$(find "$store" -name '.?*' -o -name 'manifest-*')" ] || bad+="left over; "
    "$VIRT_KEEP" --store "$store" verify --all >"$lab/said" 2>&1 || bad+="$(cat "$lab/said"); "
    switch_off
    [ -z "$bad" ] || { failures=$((failures + 1)); diag "$claim, power lost at call $moment of $made: $bad"; }
  done
  trials=$((trials + losses))
  is "$failures" 0 "$fs: $claim: power lost at $losses moments, no restore point is lost (seed $seed)"
}

# ---- backups ----------------------------------------------------------------------

# sweep_backup FS CLAIM ARGUMENT...
sweep_backup ()
{
  local fs=$1 claim=$2 made i moment known
  shift 2
  change
  traced -o "$lab/trace" -e "trace=$calls" "$VIRT_KEEP" --store "$store" --json backup guest "$@" >"$out" 2>"$err" || bail "$claim: $(cat "$err")"
  made=$(grep -c '^[a-z]' "$lab/trace")
  remember_shadow "$(json .point)"
  failures=0
  for ((i = 0; i < losses; i++)); do
    change
    moment=$((made * i / losses + RANDOM % (made / losses + 1) + 1))
    [ $i -lt $((losses - 1)) ] || moment=$((made * 2))
    known=("${!shadows[@]}")
    meet_loss $moment backup guest "$@"
    kill_qemu guest
    switch_off
    switch_on "$fs" || bail "cannot mount again: $(cat "$lab/said")"
    bad=
    judge "${known[@]}" ${point:+"${point#*@}"}
    for point in $listed; do
      [[ $point == guest@* ]] && [ -z "${shadows[${point#*@}]:-}" ] && remember_shadow "$point"
    done
    virsh -q start guest >"$lab/said" 2>&1 || bail "the domain does not start: $(cat "$lab/said")"
    keep --store "$store" --json backup guest "$@"
    if [ "$code" = 0 ]; then
      remember_shadow "$(json .point)"
      [ "$(checkpoints guest | grep -- "-$(json_get "$store/virt-keep-store.json" .id)-")" = "$(json .checkpoint)" ] || bad+="checkpoints: $(checkpoints guest | xargs); "
    else
      bad+="the next backup fails: $(cat "$err"); "
    fi
    sound
    [ -z "$(find "$store" -name '.?*' -o -name 'manifest-*')" ] || bad+="left over; "
    [ -z "$bad" ] || { failures=$((failures + 1)); diag "$claim, power lost at call $moment of $made: $bad"; }
    keep --store "$store" --json prune guest --keep-last 2
    look
    for point in "${!shadows[@]}"; do
      is_listed "$point" || unset "shadows[$point]"
    done
  done
  trials=$((trials + losses))
  is "$failures" 0 "$fs: $claim: power lost at $losses moments, no restore point is lost (seed $seed)"
}

# ---- all of it ----------------------------------------------------------------------

trials=0
make_fs ext4
switch_on ext4 || skip_all "no file system can be mounted on a loop device: $(cat "$lab/said")"
make_domain guest vda:qcow2:16M vdb:qcow2:4M
guest_write guest vda 0x11 0 8M

file_systems=(ext4)
if command -v mkfs.xfs >/dev/null; then
  file_systems+=(xfs)
else
  skip "XFS" "no mkfs.xfs"
fi
for fs in "${file_systems[@]}"; do
  umount "$mounted" 2>/dev/null
  make_fs "$fs" || bail "no $fs can be made"
  virsh -q destroy guest >"$lab/said" 2>&1
  switch_on "$fs" || { skip "$fs" "cannot be mounted: $(cat "$lab/said")"; continue; }
  virsh -q start guest
  [ "$fs" = ext4 ] || losses=$(((losses + 1) / 2))
  shadows=()
  for mode in push pull; do
    sweep_backup "$fs" "backup --mode $mode" --mode $mode
  done
  sweep_backup "$fs" "backup --synthetic-full" --mode pull --max-chain 1 --synthetic-full
  # A store for the others: 0 full <- 1 <- 2, 3 is a differential on 0.
  virsh -q destroy guest >"$lab/said" 2>&1
  rm -rf "$store" && switch_off && switch_on "$fs"
  virsh -q start guest
  shadows=() ids=()
  for level in full incremental incremental differential; do
    change
    keep --store "$store" --json backup guest --level $level
    [ "$code" = 0 ] || bail "no backup: $(cat "$err")"
    remember_shadow "$(json .point)"
    ids+=("$(json .point)")
  done
  ids=("${ids[@]#*@}")
  virsh -q destroy guest >"$lab/said" 2>&1
  switch_off
  cp --sparse=always "$disk" "$lab/made.disk"
  sweep_removal "$fs" "forget in the middle" forget "guest@${ids[1]}" -- "${ids[0]}" "${ids[2]}" "${ids[3]}"
  sweep_removal "$fs" "forget the full" forget "guest@${ids[0]}" "guest@${ids[3]}" -- "${ids[1]}" "${ids[2]}"
  sweep_removal "$fs" "prune all but the last" prune guest --keep-last 1 -- "${ids[3]}"
done
diag "$trials losses of power in $SECONDS s"

done_testing

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What forget-kill.sh and prune-kill.sh share: a store of which each trial begins with a
# copy, and sweep, which kills a command again and again.
#
# Killed after random times and, where strace is installed, at system calls that
# change the store.  VIRT_KEEP_SEED repeats a run; VIRT_KEEP_KILLS says how often
# a command is killed in each of the two ways.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/shadows.sh
. "$lab_sources/shadows.sh"
# The qemu-img of a merge in place may take a moment to die.
compare_options=(-U)

seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
kills=${VIRT_KEEP_KILLS:-8}
RANDOM=$seed
diag "seed $seed, $kills kills in each way"

make_domain guest vda:qcow2:16M vdb:qcow2:4M

# The store of all trials, and the shadows of its points.
#   0 full <- 1 <- 2 <- 4     3 is a differential on 0, 4 an incremental on 3
made=()
guest_write guest vda 0x11 0 6M
for level in full incremental incremental differential incremental; do
  guest_write guest vda $((RANDOM % 255 + 1)) $((RANDOM % 14))M 1500k
  guest_discard guest vda $((RANDOM % 14))M 1M
  guest_write guest vdb $((RANDOM % 255 + 1)) $((RANDOM % 50 * 64))k 200k
  for dev in vda vdb; do shadow guest $dev "$lab/now.$dev.raw"; done
  keep --store "$store" --json backup guest --level $level
  [ $code = 0 ] || bail "no backup: $(cat "$err")"
  id=$(json .point)
  made+=("$id")
  remember_shadow "$id"
done
compare_points "${made[@]}"
is "$differs" "" "the restore points have their exact bytes to begin with"
mv "$store" "$lab/made"

# sound: adds to $bad what is wrong with a listed point: each has its exact bytes for qemu-img
# alone, and one of them for virt-keep's own door, too, now and then.
sound ()
{
  local point points
  read -ra points <<<"$listed"
  compare_points "${points[@]}"
  bad+=$differs
  ((RANDOM % 4 == 0)) || return 0
  point=${points[RANDOM % ${#points[@]}]}
  if ! "$VIRT_KEEP" --store "$store" restore "$point" --to "$lab/out" --format raw >"$lab/said" 2>&1; then
    bad+="$point is not restored: $(cat "$lab/said"); "
  elif ! cmp -s "$lab/out/vda.raw" "$lab/${point#*@}.vda.raw" || ! cmp -s "$lab/out/vdb.raw" "$lab/${point#*@}.vdb.raw"; then
    bad+="$point is not restored as it was; "
  fi
  rm -rf "$lab/out"
}

# judge WHEN STAY...: after a kill.
judge ()
{
  local when=$1 before point now bad=""
  shift
  trials=$((trials + 1))
  look
  for point; do
    [[ " $listed " == *" $point "* ]] || bad+="$point is not listed; "
  done
  [[ $listed != *DAMAGED* ]] || bad+="$listed; "
  sound
  before=$listed
  # Whatever is run next finishes.
  "$VIRT_KEEP" --store "$store" prune --all --keep-last 100 >"$lab/said" 2>&1 || bad+="no second run: $(cat "$lab/said"); "
  look
  [ "$listed" = "$before" ] || bad+="then listed: $listed; "
  sound
  now=$(find "$store" -name '.?*' -o -name 'manifest-*')
  [ -z "$now" ] || bad+="left over: $now; "
  ((RANDOM % 3)) || "$VIRT_KEEP" --store "$store" verify --all >"$lab/said" 2>&1 || bad+="$(cat "$lab/said"); "
  [ -z "$bad" ] && return
  failures=$((failures + 1))
  diag "$when: $bad"
}

fresh ()
{
  rm -rf "$store" "$lab/out"
  cp -a --sparse=always "$lab/made" "$store"
}

# moments LAST: numbers from 1 to LAST, no more than there are to be kills, evenly
# spread, in random order.
moments ()
{
  local i count=$((kills < $1 ? kills : $1))
  for ((i = 0; i < count; i++)); do
    echo "$((RANDOM * 32768 + RANDOM)) $((($1 * i + RANDOM % $1) / count + 1))"
  done | sort -n | cut -d' ' -f2
}

# sweep CLAIM COMMAND... -- STAY...: kills COMMAND again and again.
sweep ()
{
  local claim=$1 command=() started took moment
  shift
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  fresh
  started=$(date +%s%N)
  keep --store "$store" "${command[@]}"
  took=$((($(date +%s%N) - started) / 1000))
  exits 0 "$claim: runs to its end"
  trials=0 failures=0
  for moment in $(moments $took); do
    fresh
    "$VIRT_KEEP" --store "$store" "${command[@]}" >/dev/null 2>&1 </dev/null &
    keeper=$!
    sleep "$((moment / 1000000)).$(printf %06d $((moment % 1000000)))"
    kill -KILL $keeper 2>/dev/null
    wait $keeper 2>/dev/null
    judge "$claim, killed after $moment of $took us" "$@"
  done
  is "$failures" 0 "$claim: killed after $trials random times, no restore point is lost (seed $seed)"
  if command -v strace >/dev/null; then
    kill_at_changes "$claim" "$@"
  else
    skip "$claim: killed at changes of the store" "no strace"
  fi
}

kill_at_changes ()
{
  local claim=$1 calls=rename,renameat2,link,unlink,unlinkat,fsync took moment
  shift
  fresh
  traced -o "$lab/trace" -e "trace=$calls" "$VIRT_KEEP" --store "$store" "${command[@]}" >/dev/null 2>&1
  took=$(grep -c '^[a-z]' "$lab/trace")
  trials=0 failures=0
  for moment in $(moments "$took"); do
    fresh
    traced -o /dev/null -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$moment" \
      "$VIRT_KEEP" --store "$store" "${command[@]}" >/dev/null 2>&1 &
    wait $! 2>/dev/null
    judge "$claim, killed at change $moment of $took" "$@"
  done
  is "$failures" 0 "$claim: killed at $trials of its $took changes of the store, no restore point is lost (seed $seed)"
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup may be killed with SIGKILL at any moment: every restore point that
# is listed then has its exact bytes, the guest runs on, and the next backup succeeds
# without anybody's help and clears away what was left.
#
# Killed after random times and, where strace is installed, at system calls.
# VIRT_KEEP_SEED repeats a run; VIRT_KEEP_KILLS says how often each of the five kinds
# of backup is killed in each of the two ways.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/shadows.sh
. "$lab_sources/shadows.sh"

seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
kills=${VIRT_KEEP_KILLS:-3}
RANDOM=$seed
diag "seed $seed, $kills kills of each kind in each way"

make_domain guest vda:qcow2:16M vdb:qcow2:4M
guest_write guest vda 0x11 0 6M
guest_write guest vdb 0x12 0 1M
monitor_open guest
cleanup_fn kill "$monitor_pid"
# The calls that change the store, talk to libvirt, start programs or wait.
calls=write,pwrite64,poll,fsync,mkdir,rename,renameat2,unlink,unlinkat,chmod,clone,clone3,connect

# change: the guest writes, and $lab/now.DEV.raw are the disks then.
change ()
{
  monitor_io vda "write -P $((RANDOM % 255 + 1)) $((RANDOM % 200 * 64))k 200k"
  monitor_io vda "discard $((RANDOM % 15))M 512k"
  monitor_io vdb "write -P $((RANDOM % 255 + 1)) $((RANDOM % 50 * 64))k 100k"
  for dev in vda vdb; do
    monitor_io $dev flush
    qemu-img convert -U -f qcow2 -O raw "${disk_file["guest:$dev"]}" "$lab/now.$dev.raw" || bail "no shadow"
  done
}

# sound: sets $differs; every listed point has its exact bytes.
sound ()
{
  local points
  look
  read -ra points <<<"$listed"
  compare_points "${points[@]}"
  [[ $listed != *DAMAGED* ]] || differs+="$listed; "
}

# judge WHEN ARGUMENT...: after a kill; the next backup has those arguments.
judge ()
{
  local when=$1 bad point
  shift
  sound
  bad=$differs
  for point in "${!shadows[@]}"; do
    is_listed "$point" || bad+="$point is not listed; "
  done
  for point in $listed; do
    [[ $point == *@* ]] || continue
    [ -n "${shadows[${point#*@}]:-}" ] || remember_shadow "$point"
  done
  [ "$(guest_state guest)" = running ] || bad+="the guest is $(guest_state guest); "
  keep --store "$store" --json backup guest "$@"
  if [ "$code" = 0 ]; then
    remember_shadow "$(json .point)"
    [ "$(checkpoints guest)" = "$(json .checkpoint)" ] || bad+="checkpoints: $(checkpoints guest | xargs); "
  else
    bad+="the next backup fails: $(cat "$err"); "
  fi
  sound
  bad+=$differs
  [ -z "$(find "$store" -name '.?*' -o -name 'manifest-*')" ] || bad+="left over: $(find "$store" -name '.?*' -o -name 'manifest-*'); "
  [ -z "$(find /var/tmp -maxdepth 1 -name "virt-keep-$(json_get "$store/virt-keep-store.json" .id)-*")" ] || bad+="a private directory is left; "
  forget_most
  [ -z "$bad" ] && return
  failures=$((failures + 1))
  diag "$when: $bad"
}

# forget_most: what was judged often enough makes room.
forget_most ()
{
  local point
  [ ${#shadows[@]} -gt 4 ] || return
  keep --store "$store" --json prune guest --keep-last 2
  [ "$code" = 0 ] || bail "prune: $(cat "$err")"
  look
  for point in "${!shadows[@]}"; do
    is_listed "$point" && continue
    rm -f "$lab/$point".*.raw
    unset "shadows[$point]"
  done
}

# sweep ARGUMENT...: kills a backup with those again and again.
sweep ()
{
  local took calls_made moment i tried=0 arguments=("$@") kind="$*"
  change
  took=$(date +%s%N)
  keep --store "$store" --json backup guest "${arguments[@]}"
  took=$((($(date +%s%N) - took) / 1000))
  [ "$code" = 0 ] || bail "no $kind backup: $(cat "$err")"
  remember_shadow "$(json .point)"
  failures=0
  for ((i = 0; i < kills; i++)); do
    change
    moment=$((took * i / kills + RANDOM * 32768 % (took / kills)))
    "$VIRT_KEEP" --store "$store" backup guest "${arguments[@]}" >/dev/null 2>&1 </dev/null &
    keeper=$!
    sleep "$((moment / 1000000)).$(printf %06d $((moment % 1000000)))"
    kill -KILL $keeper 2>/dev/null && tried=$((tried + 1))
    wait $keeper 2>/dev/null
    judge "$kind, killed after $moment of $took us" "${arguments[@]}"
  done
  is "$failures" 0 "$kind: killed after $tried random times, nothing is lost or left (seed $seed)"
  trials=$((trials + tried))
  if ! command -v strace >/dev/null; then
    skip "$kind: killed at system calls" "no strace"
    return
  fi
  change
  traced -o "$lab/trace" -e "trace=$calls" "$VIRT_KEEP" --store "$store" --json backup guest "${arguments[@]}" >"$out" 2>/dev/null
  remember_shadow "$(json .point)"
  # The number of calls varies a little.
  calls_made=$(($(grep -c '^[a-z]' "$lab/trace") * 97 / 100))
  failures=0 tried=0
  for ((i = 0; i < kills; i++)); do
    change
    moment=$((calls_made * i / kills + RANDOM % (calls_made / kills) + 1))
    traced -o "$lab/trace" -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$moment" \
      "$VIRT_KEEP" --store "$store" backup guest "${arguments[@]}" >/dev/null 2>&1 </dev/null &
    wait $! 2>/dev/null
    grep -q 'killed by SIGKILL' "$lab/trace" && tried=$((tried + 1))
    judge "$kind, killed at call $moment of $calls_made ($(tail -n 2 "$lab/trace" | head -n 1))" "${arguments[@]}"
  done
  is "$failures" 0 "$kind: killed at $tried of $calls_made system calls, nothing is lost or left (seed $seed)"
  trials=$((trials + tried))
}

trials=0
for mode in push pull; do
  sweep --mode $mode --level full
  sweep --mode $mode
done
sweep --mode push --max-chain 1 --synthetic-full
diag "$trials kills in $SECONDS s"
keep_in_background --store "$store" verify --all --data
keep_ends 60
exits 0 "the store verifies"

done_testing

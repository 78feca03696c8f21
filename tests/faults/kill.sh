#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: virt-keep may be killed with SIGKILL at any moment of a backup, and when it has
# just said that a phase begins: no point is lost, the guest does not suffer, and the next
# backup succeeds.
# kill.sh [image|restic]
#
# FAULTS_SEED repeats a run; FAULTS_KILLS says how many random moments there are for each
# mode, and FAULTS_WHOLE=1 adds the phases.
. "$(dirname "$0")/lib.sh"

kills=${FAULTS_KILLS:-1}
tried=0

# killed_after MICROSECONDS MODE
killed_after ()
{
  local moment=$1 mode=$2
  fault "SIGKILL after $moment of $took us, $kind, $mode"
  keep_in_background --store "$store" --json backup "$victim" --mode "$mode"
  sleep "$((moment / 1000000)).$(printf %06d $((moment % 1000000)))"
  kill -KILL "$keeper" 2>/dev/null && tried=$((tried + 1))
  keep_ends 10
  after_fault --mode "$mode"
}

# killed_at PHASE MODE: as soon as it says so.
killed_at ()
{
  local phase=$1 mode=$2 line
  fault "SIGKILL at the phase $phase, $kind, $mode"
  rm -f "$lab/events"
  mkfifo "$lab/events"
  "$VIRT_KEEP" --store "$store" backup "$victim" --mode "$mode" --progress json >"$out" 2>"$lab/events" </dev/null &
  keeper=$!
  while read -r line; do
    echo "$line" >>"$err"
    [[ $line != *'"phase":"'"$phase"'"'* ]] || { kill -KILL "$keeper" 2>/dev/null && tried=$((tried + 1)); }
  done <"$lab/events"
  keep_ends 10
  after_fault --mode "$mode"
}

fault_lab "${1:-image}"
modes=pull
[ "$kind" = restic ] || modes="push pull"
for mode in $modes; do
  fault "measured, $kind, $mode"
  took=$(date +%s%N)
  keep --store "$store" backup "$victim" --mode "$mode" --progress json
  took=$((($(date +%s%N) - took) / 1000))
  exits 0 "$fault_name: a backup that is left alone succeeds"
  mapfile -t phases < <(sed -n 's/.*"phase":"\([^"]*\)".*/\1/p' "$err" | awk '!seen[$0]++')
  after_fault --mode "$mode"
  for ((i = 0; i < kills; i++)); do
    killed_after $((took * i / kills + RANDOM * 32768 % (took / kills))) "$mode"
  done
  whole || continue
  for phase in "${phases[@]}"; do
    killed_at "$phase" "$mode"
  done
done
diag "$tried kills, $lost lost points"
is "$lost" 0 "after $tried kills no point is lost (seed $seed)"
faults_done

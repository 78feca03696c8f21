#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what a backup that was killed with SIGKILL leaves behind is never listed,
# and the next backup of the domain clears it away.
. "$(dirname "$0")/lib.sh"

make_big_domain guest
mkdir -m 0711 "$lab/scratch"
keep --store "$store" --json backup guest
exits 0 "a backup before"
for mode in push pull; do
  options=()
  [ $mode = push ] || options=(--scratch-dir "$lab/scratch")
  count=$(points)
  held_backup $mode guest "${options[@]}"
  kill -KILL "$keeper"
  wait "$keeper" 2>/dev/null
  is "$(points)" "$count" "$mode: nothing of the killed backup is listed"
  is "$(guest_state guest)" running "$mode: the guest runs"
  if has_job guest; then
    virsh -q domjobabort guest
    wait_for 10 no_job guest
  fi

  keep --store "$store" --json backup guest --mode $mode "${options[@]}"
  exits 0 "$mode: the next backup succeeds"
  is "$(points)" $((count + 1)) "$mode: and is listed"
  is "$(find "$store" -name '.partial-*')" "" "$mode: it has cleared the unfinished restore point away"
  is "$(find "$lab/scratch" -mindepth 1)" "" "$mode: and the scratch directory"
  is "$(checkpoints guest)" "$(json .checkpoint)" "$mode: and the checkpoint"
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever happens between backups, every listed restore point has the
# exact bytes of its instant.
#
# A random but repeatable sequence of guest writes, discards, resizes, snapshots,
# commits, restarts, kills, backups and removals of restore points.  VIRT_KEEP_SEED repeats one, and
# VIRT_KEEP_STEPS says how many backups it has (make check-soak: many).
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/lab/shadows.sh
. "$lab_sources/shadows.sh"
shadow_disks=(vda)

seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
steps=${VIRT_KEEP_STEPS:-16}
RANDOM=$seed
diag "seed $seed, $steps backups"

size=64 # MiB
make_domain guest vda:qcow2:${size}M
original=${disk_file["guest:vda"]}

between () { echo $(($1 + RANDOM % ($2 - $1 + 1))); }

write_something ()
{
  local at=$((RANDOM * 32768 + RANDOM)) length=$(((RANDOM % 4096 + 1) * 512))
  at=$(((at * 512) % (size * 1048576 - length)))
  at=$((at / 512 * 512))
  case $((RANDOM % 6)) in
    0) guest_discard guest vda $at $length ;;
    1) guest_write guest vda 0 $at $length ;;
    2) guest_io guest vda "write -z $at $length" ;;
    *) guest_write guest vda "$(between 1 255)" $at $length ;;
  esac
}

restart ()
{
  guest_flush guest vda
  virsh -q destroy guest
  virsh -q start guest || bail "the domain does not start again"
}

crash ()
{
  guest_flush guest vda
  kill_qemu guest
  virsh -q start guest || bail "the domain does not start after a kill"
}

grow ()
{
  size=$((size + 4))
  virsh -q blockresize guest vda ${size}M || bail "no resize"
}

# An external snapshot, some writes into it, and sometimes a commit back.
snapshot ()
{
  local overlay=$lab/overlay.$RANDOM.qcow2
  virsh -q snapshot-create-as guest --disk-only --no-metadata --diskspec "vda,file=$overlay" || bail "no snapshot"
  disk_file["guest:vda"]=$overlay
  write_something
  write_something
  if ((RANDOM % 3)); then
    commit_back
  fi
}

commit_back ()
{
  [ "${disk_file["guest:vda"]}" != "$original" ] || return
  virsh -q blockcommit guest vda --active --pivot --wait --base "$original" || bail "no commit"
  disk_file["guest:vda"]=$original
}

happen ()
{
  case $((RANDOM % 12)) in
    0) diag "restart"; restart ;;
    1) diag "QEMU killed"; crash ;;
    2) diag "resize"; grow ;;
    3) diag "snapshot"; snapshot ;;
    4) diag "commit"; commit_back ;;
  esac
}

back_up ()
{
  local modes=(push pull) levels=(auto auto auto incremental differential full copy) chain=() mode level point
  mode=${modes[RANDOM % 2]}
  level=${levels[RANDOM % ${#levels[@]}]}
  # The chain is cut now and then, also in the store.
  ((RANDOM % 2)) || chain=(--max-chain 2)
  ((RANDOM % 2)) || chain+=(--synthetic-full)
  shadow guest vda "$lab/now.vda.raw"
  keep --store "$store" --json backup guest --mode "$mode" --level "$level" --allow-full "${chain[@]}"
  point=$(json .point)
  if [ "$code" != 0 ]; then
    not_ok "step $1: backup --mode $mode --level $level"
    diag "$(cat "$err")"
    return
  fi
  diag "step $1: $mode, asked for $level ${chain[*]}, got $(json .level) ($(json .reason)) ${point#*@}"
  remember_shadow "$point"
}

# Sometimes a random restore point goes, or all but the newest few.
remove_some ()
{
  local points point newest
  [ ${#shadows[@]} -gt 0 ] || return
  mapfile -t points < <(printf '%s\n' "${!shadows[@]}" | sort)
  case $((RANDOM % 8)) in
    0 | 1)
      point=guest@${points[RANDOM % ${#points[@]}]}
      diag "step $1: forget ${point#*@}"
      keep --store "$store" --json forget "$point" ;;
    2)
      newest=$(between 1 4)
      diag "step $1: prune --keep-last $newest"
      keep --store "$store" --json prune guest --keep-last "$newest" ;;
    *) return ;;
  esac
  exits 0 "step $1: removing restore points"
  for point in $(json .removed | tr -d '[]"' | tr ',' ' '); do
    [ -n "${shadows[${point#*@}]:-}" ] || continue
    rm -f "${shadows[${point#*@}]}.vda.raw"
    unset "shadows[${point#*@}]"
  done
}

# Every listed point against the shadow of its instant.
compare_all ()
{
  local times=("${!shadows[@]}")
  look
  is "$(wc -w <<<"$listed")" ${#shadows[@]} "step $1: every point is listed"
  compare_points "${times[@]/#/guest@}"
  is "$differs" "" "step $1: every point has its exact bytes (seed $seed)"
}

for ((step = 1; step <= steps; step++)); do
  for ((i = $(between 0 5); i > 0; i--)); do
    write_something
  done
  happen
  back_up $step
  compare_all $step
  remove_some $step
  compare_all $step
done
holds "no more than one checkpoint is alive" test "$(checkpoints guest | grep -c .)" -le 1
keep --store "$store" verify --all --data
exits 0 "the store verifies"

done_testing

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of faults start with:
#
#   . "$(dirname "$0")/lib.sh"
#   fault_lab image
#   fault "libvirtd is killed, push"
#   held push
#   kill ...
#   keep_ends 60
#   after_fault --mode push
#   faults_done
#
# The victim is the domain "web": vda has a real Linux with an agent, which writes records
# with checksums all the time, and vdb bytes that only the test writes and knows.
#
# Environment: FAULTS_SEED repeats what was random, FAULTS_KILLS says how many moments a
# sweep tries.
# shellcheck disable=SC2154,SC2034  # lab and its like are those of lab/lib.sh

# shellcheck source=../lab/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/guest.sh"
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

seed=${FAULTS_SEED:-$(($(date +%s) % 32768))}
RANDOM=$seed
diag "seed $seed"

victim=web
fault_table=()
# By the name of the point: the digest of its vda; $lab/points/NAME is its vdb.
declare -A known=()
# How many of them have been lost.
lost=0
# The highest number of a record that the guest has called stable.
stable=0

# fault_lab STORE: the store, "image" or "restic", and the victim with a first backup of
# it.  The job of a backup of vdb can be caught: see held.
fault_lab ()
{
  local size=16G
  kind=$1
  if [ "$kind" = restic ]; then
    size=1G
    # shellcheck source=../lab/restic-lib.sh
    . "$lab_sources/restic-lib.sh"
    # What may open the doors to it.
    export VIRT_KEEP_NBDKIT_PLUGIN=${VIRT_KEEP_NBDKIT_PLUGIN:-$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}
    [ -e "$VIRT_KEEP_NBDKIT_PLUGIN" ] || skip_all "the nbdkit plugin is not built"
    keep --store "$store" init
    [ "$code" = 0 ] || bail "init: $(cat "$err")"
  fi
  held_disk=vdb
  disk_file["$victim:vdb"]=$lab/$victim-vdb.qcow2 disk_format["$victim:vdb"]=qcow2
  new_image "${disk_file["$victim:vdb"]}" qcow2 "$size"
  guest_devices=$(disk_xml "$victim" vdb:qcow2)
  mkdir "$lab/points"
  make_guest "$victim" records
  guest_says "$victim" "RECORD 3" 300
  guest_agent "$victim" 300
  [ "$kind" = restic ] || { guest_write "$victim" vdb 0x42 0 96M && guest_write "$victim" vdb 0x43 15G 4M; }
  fault "no fault"
  # shellcheck disable=SC2119
  next_backup >"$lab/said" 2>&1 || bail "the first backup: $(cat "$lab/said")"
}

# whole: all of it is wanted, and not only as much as make check has the time for.
whole ()
{
  [ "${FAULTS_WHOLE:-}" = 1 ]
}

# fault NAME: what comes next is one; the test makes it happen, and lets virt-keep end
# with keep or keep_ends.
fault ()
{
  fault_name=$1
  change
  note_stable
  # What is in a point from now on, at least.
  floor=$stable
}

# change: the guest writes to vdb, of which $lab/now.vdb is what it should be then.
change ()
{
  guest_write "$victim" vdb $((RANDOM % 255 + 1)) $((RANDOM % 1000 * 64))k 300k
  guest_io "$victim" vdb "discard $((RANDOM % 60))M 512k"
  if [ "$kind" = restic ]; then
    # There is nothing to catch when all of it is there already.
    head -c 96M /dev/urandom >"$lab/random"
    guest_io "$victim" vdb "write -s $lab/random $((RANDOM % 500))M 96M"
    rm -f "$lab/random"
  fi
  shadow "$victim" vdb "$lab/now.vdb"
}

# held MODE ARGUMENT...: a full backup in the background, held while it copies, until
# held_go.
held ()
{
  local mode=$1 before
  shift
  if [ "$kind" = image ]; then
    held_backup "$mode" "$victim" "$@"
    return
  fi
  before=$(packs)
  keep_in_background --store "$store" --json backup "$victim" "$@"
  wait_for 60 more_packs "$before" || bail "the backup stores nothing"
  kill -STOP "$keeper"
}

held_go ()
{
  if [ "$kind" = image ]; then
    let_go "$victim"
  else
    kill -CONT "$keeper"
  fi
}

packs ()
{
  find "$repository/data" -type f | wc -l
}

# shellcheck disable=SC2317  # called by wait_for
more_packs ()
{
  [ "$(packs)" -gt "$1" ]
}

# after_fault [ARGUMENT...]: the four things that have to hold after any fault.  The next
# backup is made with the arguments.  A fault that ends the guest starts it again before.
after_fault ()
{
  local outcome
  outcome=$(outcome)
  holds "$fault_name: the guest runs on and its data are right" guest_is_right
  note_stable
  judge "$fault_name: its file systems are thawed" is_thawed
  judge "$fault_name: every listed point restores to its exact bytes" points_are_right
  judge "$fault_name: the next backup succeeds without a person" next_backup "$@"
  make_room
  fault_table+=("$fault_name | $outcome | $next_level")
}

# outcome: how the last virt-keep ended, in words.
outcome ()
{
  local said
  said=$(grep '^virt-keep: ' "$err" | tail -n 1)
  echo "$code | ${said:-(nothing said)}"
}

# judge CLAIM COMMAND...: holds, for a COMMAND that sets variables.
judge ()
{
  local claim=$1
  shift
  if "$@" >"$lab/said" 2>&1; then
    ok "$claim"
  else
    not_ok "$claim"
    diag "$(cat "$lab/said")"
  fi
}

# start_victim: after a fault that has ended it.
start_victim ()
{
  virsh -q start "$victim" >"$lab/start" 2>&1 || bail "the victim does not start: $(cat "$lab/start")"
  guest_says "$victim" RECORD 300
  guest_agent "$victim" 300
}

# complain TEXT...: for what holds or judge runs; false.
complain ()
{
  echo "$*"
  false
}

# note_stable: a console starts anew with its QEMU.
note_stable ()
{
  local last
  last=$(last_record "$victim")
  [ "${last:-0}" -le "$stable" ] || stable=$last
}

# shellcheck disable=SC2317  # called by wait_for
writes_on ()
{
  [ "$(last_record "$victim")" -gt "$1" ]
}

# guest_is_right: it runs, writes, and what it has called stable is on its disk; vdb has
# the bytes that were written.
# shellcheck disable=SC2317  # called by holds
guest_is_right ()
{
  local records said
  [ "$(guest_state "$victim")" = running ] || complain "the guest is $(guest_state "$victim")" || return
  wait_for 300 writes_on "$stable" || complain "the guest has written nothing since record $stable: $(grep -v ^RECORD "$lab/$victim.console" | tail -n 3)" || return
  virsh -q suspend "$victim" || return
  said=$(last_record "$victim")
  shadow "$victim" vda "$lab/live.vda"
  shadow "$victim" vdb "$lab/live.vdb"
  virsh -q resume "$victim" || return
  records=$(records_of "$lab/live.vda") || complain "the records of the guest are damaged: $records" || return
  [ "$records" -ge "$said" ] || complain "the guest has lost records after $records: $said was stable" || return
  same_bytes "$lab/live.vdb" "$lab/now.vdb"
}

# is_thawed: the agent says so; where libvirt has lost the agent, as libvirt 9.0 does when the
# guest is reset while a backup job runs, the guest says so, which writes.
# shellcheck disable=SC2317  # called by judge
is_thawed ()
{
  local status
  status=$(fs_status)
  case $status in
    thawed) ;;
    *"agent disappeared"*) note_stable; wait_for 300 writes_on "$stable" || complain "$status, and the guest writes nothing" ;;
    *) complain "$status" ;;
  esac
}

# fs_status: what the agent says of the file systems.
fs_status ()
{
  virsh qemu-agent-command "$victim" '{"execute":"guest-fsfreeze-status"}' --timeout 60 2>&1 | sed 's/^{"return":"\(.*\)"}$/\1/' | grep .
}

# list_points: sets $listed, and complains of a damaged one.
list_points ()
{
  "$VIRT_KEEP" --store "$store" --json list "$victim" >"$lab/list.json" 2>"$lab/list.err" </dev/null \
    || complain "list fails: $(cat "$lab/list.err")" || return
  mapfile -t listed < <(sed -n 's/.*"point" : "\(.*\)".*/\1/p' "$lab/list.json")
  ! grep '"damage"' "$lab/list.json"
}

# points_are_right: every point is restored and compared, and no point is lost.
# shellcheck disable=SC2317  # called by holds
points_are_right ()
{
  local point
  list_points || return
  for point in "${!known[@]}"; do
    [[ " ${listed[*]} " == *" $point "* ]] || { lost=$((lost + 1)) && unset "known[$point]" && complain "$point is lost"; } || return
  done
  for point in "${listed[@]}"; do
    point_is_right "$point" || return
  done
}

# point_is_right POINT: one that is not known yet has been made since the fault began.
# shellcheck disable=SC2317
point_is_right ()
{
  local vdb=$lab/now.vdb digest records
  [ -z "${known["$1"]:-}" ] || vdb=$lab/points/$1
  restore_point "$1" || return
  same_bytes "$lab/back/vdb.raw" "$vdb" || complain "$1: vdb is not what it was" || return
  digest=$(digest "$lab/back/vda.raw")
  if [ -n "${known["$1"]:-}" ]; then
    [ "$digest" = "${known["$1"]}" ] || complain "$1: vda is not what it was"
    return
  fi
  records=$(records_of "$lab/back/vda.raw") || complain "$1: its records are damaged: $records" || return
  [ "$records" -ge "$floor" ] || complain "$1: it ends with record $records, and $floor was stable before" || return
  known["$1"]=$digest
  cp --sparse=always "$lab/now.vdb" "$lab/points/$1"
}

restore_point ()
{
  rm -rf "$lab/back"
  mkdir -m 0711 "$lab/back"
  "$VIRT_KEEP" --store "$store" --quiet restore "$1" --to "$lab/back" --format raw >"$lab/back.out" 2>"$lab/back.err" </dev/null \
    || complain "$1 is not restored: $(cat "$lab/back.err")"
}

# make_room: what was judged often goes.
make_room ()
{
  local point
  list_points >/dev/null
  if [ ${#listed[@]} -gt 3 ]; then
    "$VIRT_KEEP" --store "$store" prune "$victim" --keep-last 2 >/dev/null 2>"$lab/prune.err" </dev/null || bail "prune: $(cat "$lab/prune.err")"
    list_points >/dev/null
  fi
  for point in "${!known[@]}"; do
    [[ " ${listed[*]} " == *" $point "* ]] && continue
    unset "known[$point]"
    rm -f "$lab/points/$point"
  done
}

# next_backup ARGUMENT...: nobody has cleaned up anything; the point is right, and nothing
# is left of the backup before.
# shellcheck disable=SC2120
next_backup ()
{
  note_stable
  floor=$stable
  keep --store "$store" --json backup "$victim" "$@"
  next_level=$(json .level)
  [ "$code" = 0 ] || complain "exit status $code: $(cat "$err")" || return
  list_points || return
  point_is_right "$(json .point)" || return
  holds_nothing_else || complain "checkpoints: $(checkpoints "$victim" | xargs), job: $(job_of "$victim"), left over: $(left_over | xargs)"
}

# holds_nothing_else: after the backup there is nothing of the one before.
holds_nothing_else ()
{
  [ "$(checkpoints "$victim" | grep '^virt-keep-')" = "$(json .checkpoint)" ] && no_job "$victim" && [ -z "$(left_over)" ]
}

# left_over: unfinished points, and the private directories of backups into this store.
left_over ()
{
  local id
  if [ "$kind" = restic ]; then
    id=$(restic_json cat config | json_get /dev/stdin .id | cut -c 1-8)
  else
    find "$store" -name '.partial-*'
    id=$(json_get "$store/virt-keep-store.json" .id)
  fi
  find /var/tmp -maxdepth 1 -name "virt-keep-$id-*"
}

# faults_done: the last points are judged, too, and the table is shown.
faults_done ()
{
  judge "in the end every listed point restores to its exact bytes" points_are_right
  keep --store "$store" verify --all --data
  exits 0 "in the end the store verifies"
  diag "fault | exit status | what virt-keep said | the next backup"
  printf '# %s\n' "${fault_table[@]}"
  done_testing
}

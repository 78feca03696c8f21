#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whichever call to the file system of the store fails, in virt-keep, in a program
# that it starts or in QEMU, a command that has not done its work does not end with
# status 0 and says why in a sentence; no restore point is lost or wrong, nothing
# half-written is listed, the guest runs on, and the next run succeeds by itself.
#
# The calls fail in fault-io.so, one at a time.  FAULTS_CALLS says how many of them fail
# for each command; with FAULTS_WHOLE=1 (make check-faults) all do, of more commands.
# FAULTS_SEED repeats a run.  In the end the store does not fail but hangs.
. "$(dirname "$0")/../lab/lib.sh"

seed=${FAULTS_SEED:-$(($(date +%s) % 32768))}
faults=${FAULTS_CALLS:-1}
[ -z "${FAULTS_WHOLE:-}" ] || faults=all
RANDOM=$seed
fault_io=${VIRT_KEEP_FAULT_IO:-$(dirname "$VIRT_KEEP")/../tests/faults/fault-io.so}
[ -e "$fault_io" ] || skip_all "fault-io.so is not built"
[ -z "${VG:-}" ] || skip_all "valgrind takes its own libraries"
ldd "$VIRT_KEEP" | grep -q libasan && skip_all "the address sanitizer takes its own libraries"
diag "seed $seed, $faults faults of each command"

fault=$lab/fault
mkdir -m 0777 "$fault"
for file in count struck lost; do
  : >"$fault/$file"
  chmod 0666 "$fault/$file"
done
calls=open,write,sync,link,rename,unlink,mkdir
export RESTIC_PASSWORD="correct horse" XDG_CACHE_HOME=$lab/cache

# plan FROM TO ERROR [PROGRAM]: of the calls to files of the store, or of what is restored.
plan ()
{
  : >"$fault/count"
  : >"$fault/struck"
  echo "$calls $1 $2 $3 ${4:-*} $failing*" >"$fault/plan.new"
  chmod 0644 "$fault/plan.new"
  mv "$fault/plan.new" "$fault/plan"
}

no_plan ()
{
  rm -f "$fault/plan"
}

# keep_faulty ARGUMENT...: virt-keep, with the faults that are planned.
keep_faulty ()
{
  timeout 120 env LD_PRELOAD="$fault_io" VIRT_KEEP_FAULT="$fault" "$VIRT_KEEP" --store "$store" --json "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# The QEMU of the guest has the faults, too.
faulty_qemu ()
{
  virsh -q destroy guest
  virsh dumpxml guest --inactive | perl -0pe "s{<domain }{<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' };
    s{</domain>}{<qemu:commandline><qemu:env name='LD_PRELOAD' value='$fault_io'/><qemu:env name='VIRT_KEEP_FAULT' value='$fault'/></qemu:commandline></domain>}" >"$lab/faulty.xml"
  virsh -q define "$lab/faulty.xml" >"$lab/said" 2>&1 || bail "no faults in QEMU: $(cat "$lab/said")"
  virsh -q start guest >"$lab/said" 2>&1 || bail "no faults in QEMU: $(cat "$lab/said")"
}

change ()
{
  guest_write guest vda $((RANDOM % 255 + 1)) $((RANDOM % 200 * 64))k 300k
  guest_discard guest vda $((RANDOM % 15))M 512k
  shadow guest vda "$lab/now.raw"
}

look ()
{
  listed=$("$VIRT_KEEP" --store "$store" --json list 2>&1 | sed -n 's/.*"point" : "\(.*\)".*/\1/p; s/.*"damage" : "\(.*\)".*/DAMAGED: \1/p' | tr "\n" " ")
}

# sound: says what is wrong with the listed points; one that is not known shows the disk
# as it is.
sound ()
{
  local point
  look
  [[ $listed != *DAMAGED* ]] || echo "$listed; "
  for point in $listed; do
    if [ "$kind" = image ]; then
      qemu-img compare -q -f qcow2 -F raw "$(point_dir "$point")/vda.qcow2" "$(shadow_of "$point")" && continue
    else
      rm -rf "$lab/back"
      "$VIRT_KEEP" --store "$store" restore "$point" --to "$lab/back" --format raw >"$lab/said" 2>&1 && cmp "$lab/back/vda.raw" "$(shadow_of "$point")" && continue
    fi
    echo "$point differs; "
  done
}

shadow_of ()
{
  if [ -e "$lab/shadow.${1#*@}" ]; then echo "$lab/shadow.${1#*@}"; else echo "$lab/now.raw"; fi
}

remember_shadow ()
{
  cp --sparse=always "$lab/now.raw" "$lab/shadow.${1#*@}"
}

# said_why: a sentence, and in JSON the same.
said_why ()
{
  [ "$code" -lt 124 ] && [ "$(json .ok) $(json .exit_code)" = "false $code" ] && [ "$(json .error.message | wc -c)" -gt 30 ]
}

# moments N: which of N calls fail.
moments ()
{
  local i
  if [ "$faults" = all ] || [ "$1" -le "$faults" ]; then
    seq 1 "$1"
  else
    for ((i = 0; i < faults; i++)); do
      echo $(($1 * i / faults + RANDOM % ($1 / faults) + 1))
    done
  fi
}

errors=(EIO ENOSPC EROFS)

# sweep CLAIM PREPARE JUDGE COMMAND...: PREPARE makes the same beginning for each fault,
# JUDGE adds to $bad what is wrong then.
sweep ()
{
  local claim=$1 prepare=$2 judge=$3 made moment wrong=0 tried=0 error status struck
  shift 3
  $prepare
  plan 0 -1 EIO
  keep_faulty "$@"
  made=$(wc -c <"$fault/count")
  no_plan
  if [ "$code" != 0 ] || [ "$made" = 0 ]; then
    not_ok "$claim: without a fault"
    diag "exit status $code, $made calls: $(cat "$err")"
    return
  fi
  bad=
  $judge
  for moment in $(moments "$made"); do
    $prepare
    error=${errors[RANDOM % ${#errors[@]}]}
    plan "$moment" "$moment" "$error"
    keep_faulty "$@"
    no_plan
    bad=
    struck=$(cat "$fault/struck")
    tried=$((tried + 1))
    status=$code
    # What fails may need no success, to remove what is not needed, or be tried in another way
    # by a program: the bytes are compared below.  Not so what makes them last; that the lock of
    # a repository has gone need not last, as a stale one is found out.
    if [ "$code" != 0 ]; then
      said_why || bad+="exit status $code, it says: $(json .error.message) $(tail -n 3 "$err"); "
    elif [ -n "$struck" ] && [ "$(json .warnings.length)" = 0 ]; then
      [[ ($struck != *" sync "* && $struck != *" rename "*) || $struck == *" sync "*/locks ]] || bad+="it succeeds without a word; "
    fi
    $judge
    [ -z "$bad" ] && continue
    wrong=$((wrong + 1))
    diag "$claim, $error at call $moment of $made (${struck//$lab/}): status $status: $bad"
  done
  total=$((total + tried))
  is "$wrong" 0 "$claim: $tried of $made calls fail, and all is well afterwards (seed $seed)"
}
total=0

# ---- backups ----------------------------------------------------------------------

# shellcheck disable=SC2317  # called by sweep
prepare_backup ()
{
  change
  look
  known=$listed
}

# shellcheck disable=SC2317
judge_backup ()
{
  local point had
  had=$code
  bad+=$(sound)
  look
  for point in $known; do
    [[ " $listed" == *" $point "* ]] || bad+="$point is not listed; "
  done
  for point in $listed; do
    [[ " $known" == *" $point "* ]] || remember_shadow "$point"
  done
  # A new point that is whole may be listed though the command fails after it.
  [ "$had" != 0 ] || [ "$listed" != "$known" ] || bad+="it succeeds without a point; "
  [ "$(guest_state guest)" = running ] || bad+="the guest is $(guest_state guest); "
  [ "$(block_nodes guest)" = "${own_nodes[guest]}" ] || bad+="QEMU has other block nodes; "
  keep --store "$store" --json backup guest
  if [ "$code" = 0 ]; then
    remember_shadow "$(json .point)"
    [ "$(checkpoints guest)" = "$(json .checkpoint)" ] || bad+="checkpoints: $(checkpoints guest | xargs); "
  else
    bad+="the next backup fails: $(cat "$err"); "
  fi
  bad+=$(sound)
  [ "$kind" = restic ] || [ -z "$(find "$store" -name '.?*' -o -name 'manifest-*')" ] || bad+="left over: $(find "$store" -name '.?*' -o -name 'manifest-*'); "
  keep --store "$store" --json prune guest --keep-last 2
  [ "$code" = 0 ] || bad+="prune fails: $(cat "$err"); "
}

# stall MODE CALLS WORDS: those calls hang.  virt-keep does not, and says so in those
# words; the store comes back.
stall ()
{
  local mode=$1 calls=$2 words=$3
  prepare_backup
  # In the programs that move the data: where virt-keep itself hangs only SIGKILL helps.
  failing="$store/*/vda.qcow2" plan 2 1000000 HANG "qemu-[ns]*"
  export VIRT_KEEP_COPY_STALL_SECONDS=2
  keep_faulty backup guest --mode "$mode" --level full
  unset VIRT_KEEP_COPY_STALL_SECONDS
  exits 9 "$kind: $mode: a store that hangs ($calls) ends the backup"
  like "$(json .error.message)" "$words" "$kind: $mode: which says why"
  holds "$kind: $mode: it was hanging" test -s "$fault/struck"
  no_plan
  # QEMU can only end its job once it can go on.
  wait_for 60 no_job guest || diag "the job goes on: $(job_of guest)"
  bad=
  judge_backup
  is "$bad" "" "$kind: $mode: once the store is back, all is well"
}

# ---- removals, and what else changes the store -----------------------------------------

# shellcheck disable=SC2317
prepare_store ()
{
  rm -rf "${store#restic:}"
  cp -a "$lab/made" "${store#restic:}"
}

# shellcheck disable=SC2317
judge_store ()
{
  local point before
  bad+=$(sound)
  look
  before=$listed
  for point in "${stay[@]}"; do
    [[ " $listed" == *" $point "* ]] || bad+="$point is not listed; "
  done
  keep --store "$store" --json prune --all --keep-last 100
  [ "$code" = 0 ] || bad+="no second run: $(cat "$err"); "
  bad+=$(sound)
  [ "$listed" = "$before" ] || bad+="then listed: $listed; "
  [ "$kind" = restic ] || [ -z "$(find "$store" -name '.?*' -o -name 'manifest-*')" ] || bad+="left over; "
  keep --store "$store" --json verify --all
  [ "$code" = 0 ] || bad+="it does not verify: $(cat "$err"); "
}

# shellcheck disable=SC2317
prepare_init ()
{
  rm -rf "${store#restic:}"
}

# shellcheck disable=SC2317
judge_init ()
{
  if [ "$code" != 0 ]; then
    [ "$kind" = image ] || [ -e "$failing/config" ] || [ -z "$(ls -A "$failing/keys" 2>/dev/null)" ] || bad+="a key without a repository is left; "
    keep --store "$store" --json init
    # A store is there, or it is made now.
    [ "$code" = 0 ] || keep --store "$store" --json list
    [ "$code" = 0 ] || bad+="there is no store, and none can be made: $(cat "$err"); "
  fi
  keep --store "$store" --json list
  [ "$(json .points.length)" = 0 ] || bad+="list: $(cat "$err"); "
}

# shellcheck disable=SC2317
prepare_restore ()
{
  rm -rf "$lab/restored"
  mkdir "$lab/restored"
}

# shellcheck disable=SC2317
judge_restore ()
{
  if [ "$code" = 0 ]; then
    cmp -s "$lab/restored/vda.raw" "$(shadow_of "${stay[0]}")" || bad+="what was restored differs; "
    rm -rf "$lab/restored"
  elif [ -e "$lab/restored/vda.raw" ] && ! cmp -s "$lab/restored/vda.raw" "$(shadow_of "${stay[0]}")"; then
    bad+="half a disk is left; "
  fi
  keep --store "$store" --json restore "${stay[0]}" --to "$lab/restored" --format raw
  [ "$code" = 0 ] && cmp -s "$lab/restored/vda.raw" "$(shadow_of "${stay[0]}")" || bad+="the next restore fails: $(cat "$err"); "
}

# ---- all of it -------------------------------------------------------------------------

make_domain guest vda:qcow2:16M
guest_write guest vda 0x11 0 8M
faulty_qemu
own_nodes[guest]=$(block_nodes guest)
for kind in image restic; do
  store=$lab/$kind-store
  failing=$store
  [ "$kind" = image ] || store=restic:$failing
  rm -f "$lab"/shadow.*
  # Those of the other kind are none of this store's.
  for checkpoint in $(checkpoints guest); do
    virsh -q checkpoint-delete guest "$checkpoint"
  done
  if [ "$kind" = restic ] && ! { command -v restic >/dev/null && "$VIRT_KEEP" --help | grep -c '^  mount ' >"$lab/said"; }; then
    skip "the restic store" "it is not built, or restic is not installed"
    continue
  fi
  sweep "$kind: init" prepare_init judge_init init
  prepare_init
  keep --store "$store" --json init
  change
  keep --store "$store" --json backup guest
  exits 0 "$kind: a first backup"
  remember_shadow "$(json .point)"
  if [ "$kind" = image ]; then
    sweep "$kind: backup --mode push" prepare_backup judge_backup backup guest --mode push
    [ "$faults" != all ] || sweep "$kind: backup --mode push --level full" prepare_backup judge_backup backup guest --mode push --level full
    sweep "$kind: backup --mode pull" prepare_backup judge_backup backup guest --mode pull
    sweep "$kind: backup --synthetic-full" prepare_backup judge_backup backup guest --mode pull --max-chain 1 --synthetic-full
    stall pull write "has taken nothing for 2 seconds"
    stall push write "QEMU has written nothing of the backup of 'guest' for 2 seconds"
  else
    sweep "$kind: backup" prepare_backup judge_backup backup guest
    [ "$faults" != all ] || sweep "$kind: backup --level full" prepare_backup judge_backup backup guest --level full
  fi

  # 0 full <- 1 <- 2, which are there anew for every fault.
  rm -rf "$failing" "$lab/made"
  rm -f "$lab"/shadow.*
  keep --store "$store" --json init
  ids=()
  for level in full incremental incremental; do
    change
    keep --store "$store" --json backup guest --level $level
    [ "$code" = 0 ] || bail "no backup: $(cat "$err")"
    remember_shadow "$(json .point)"
    ids+=("$(json .point)")
  done
  cp -a "$failing" "$lab/made"
  # In a restic store both are restic's work, which makes its calls without a C library.
  if [ "$kind" = image ]; then
    stay=("${ids[0]}" "${ids[2]}")
    sweep "$kind: forget" prepare_store judge_store forget "${ids[1]}"
    stay=("${ids[2]}")
    sweep "$kind: prune" prepare_store judge_store prune guest --keep-last 1
  fi
  stay=("${ids[@]}")
  if [ "$faults" = all ]; then
    sweep "$kind: note" prepare_store judge_store note "${ids[2]}" "said later"
    sweep "$kind: protect" prepare_store judge_store protect "${ids[2]}"
  fi
  prepare_store
  # shellcheck disable=SC2209  # a word
  calls=read sweep "$kind: restore, while the store cannot be read" prepare_restore judge_restore restore "${ids[0]}" --to "$lab/restored" --format raw
  failing=$lab/restored
  sweep "$kind: restore" prepare_restore judge_restore restore "${ids[0]}" --to "$lab/restored" --format raw
done
diag "$total faults in $SECONDS s"

done_testing

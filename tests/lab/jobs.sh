# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Backup jobs: watched, caught while they run, and what is left of them.  Part of
# lib.sh.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

# job_of DOMAIN: "None" without a job, "Unbounded" or the like with one.
job_of ()
{
  virsh domjobinfo "$1" 2>/dev/null | sed -n 's/^Job type: *//p' | tr -d ' '
}

no_job ()
{
  [ "$(job_of "$1")" = None ]
}

# has_job DOMAIN: a backup job runs, and libvirt is done with starting it.
has_job ()
{
  virsh domjobinfo "$1" 2>/dev/null | grep -q '^Operation: *Backup'
}

# guard_pids: the processes of the guards that watch over the backups of this test.
guard_pids ()
{
  local file
  while read -r file; do
    ! grep -qszxF "VIRT_KEEP_LAB=$VIRT_KEEP_LAB" "${file%cmdline}environ" || basename "${file%/cmdline}"
  done < <(grep -lzxs guard /proc/[0-9]*/cmdline)
}

# monitor_open DOMAIN, monitor JSON, monitor_close: QEMU's monitor through one
# virsh that stays: 2 ms a question instead of 30, soon enough to catch a job at
# its start.  The answer is in $answer.
monitor_open ()
{
  monitored=$(virsh domuuid "$1" | head -n 1)
  coproc MONITOR { exec virsh -q 2>&1; }
  monitor_in=${MONITOR[0]} monitor_out=${MONITOR[1]}
  # shellcheck disable=SC2153  # coproc sets it
  monitor_pid=$MONITOR_PID
}

monitor ()
{
  printf "qemu-monitor-command %s '%s'\n" "$monitored" "$1" >&"$monitor_out" || bail "virsh has gone"
  while read -r answer <&"$monitor_in"; do
    case $answer in
      "{"* | error:*) return ;;
    esac
  done
  bail "virsh has gone"
}

# monitor_io DEV COMMAND: guest_io for many of them, after monitor_open.
monitor_io ()
{
  monitor "$(qemu_io "$1" "$2")"
  [[ $answer == *'"return":""'* ]] || bail "qemu-io $1 '$2': $answer"
}

monitor_close ()
{
  echo quit >&"$monitor_out"
  wait "$monitor_pid" 2>/dev/null
}

# catch_push DOMAIN, catch_pull DOMAIN: say before a backup starts that it is to be
# held, so that there is time to act; caught waits until it is, false when no job
# came.  A push job of $held_disk is slowed to a crawl, by QEMU; of a pull job the
# qemu-nbd that writes the images is stopped (SIGSTOP), as if the store hung.  Use
# make_big_domain for either, or a disk that is as big.
held_disk=vda
catch_push ()
{
  local command
  command=$(push_speed "$1" 65536)
  catching=push
  rm -f "$lab/catching"
  (
    trap - EXIT
    monitor_open "$1"
    # virsh connects while it answers this, and not while the job already runs.
    monitor '{"execute":"query-status"}'
    touch "$lab/catching"
    monitor_until 30 "$command" '"return":{}'
    code=$?
    monitor_close
    exit $code
  ) &
  catcher=$!
  wait_for 30 test -e "$lab/catching" || bail "virsh does not start"
}

# Not before something was read: a job that ends while its reader still connects
# may leave QEMU 7.2 in nbd-server-stop for ever, guest and all, waiting for a
# client that has gone in the middle of its negotiation.
catch_pull ()
{
  catching=pull
  perl -MFile::Glob=:bsd_glob -e '
    my ($store, $disk, $seconds) = @ARGV;
    $store =~ s/([\\{}\[\]*?~])/\\$1/g;
    for (my $end = time + $seconds; time < $end; select undef, undef, undef, 0.001) {
      (-s $_) > 1 << 20 && exit for bsd_glob "$store/*/.partial-*/$disk.qcow2"
    }
    exit 1' "$store" "$held_disk" 30 &
  catcher=$!
}

caught ()
{
  wait "$catcher" || return
  [ "$catching" = push ] || signal_writers STOP
}

# signal_writers SIGNAL: to the programs that the virt-keep in the background has
# started.
signal_writers ()
{
  local child
  # shellcheck disable=SC2013  # words, not lines
  for child in $(cat "/proc/$keeper"/task/*/children 2>/dev/null); do
    kill "-$1" "$child" 2>/dev/null
  done
}

# held_backup MODE DOMAIN ARGUMENT...: a full virt-keep backup in the background, held
# while it copies.
held_backup ()
{
  local mode=$1 domain=$2
  shift 2
  "catch_$mode" "$domain"
  keep_in_background --store "$store" --json backup "$domain" --mode "$mode" --level full "$@"
  caught || bail "no $mode job was seen: $(tail -c 600 "$out" "$err")"
}

# let_go DOMAIN: what was caught goes on at full speed.
let_go ()
{
  if [ "$catching" = push ]; then
    monitor_open "$1"
    monitor "$(push_speed "$1" 0)"
    monitor_close
  else
    signal_writers CONT
  fi
}

# push_speed DOMAIN BYTES-PER-SECOND: the command that sets the speed of the push
# job of $held_disk.  The name of the job is known beforehand from the number that
# libvirt gives the disk; asking QEMU for it first would cost the time to be in
# time.
push_speed ()
{
  local node
  node=$(virsh dumpxml "$1" | held_disk=$held_disk perl -0ne 'print $1 if m{<source [^>]*index=.(\d+)(?:(?!</disk>).)*<target dev=.$ENV{held_disk}.}s')
  echo "{\"execute\":\"block-job-set-speed\",\"arguments\":{\"device\":\"backup-$held_disk-libvirt-$node-format\",\"speed\":$2}}"
}

# monitor_until SECONDS JSON TEXT: asks until the answer has TEXT.
monitor_until ()
{
  local until=$((SECONDS + $1))
  answer=
  until [[ $answer == *"$3"* ]] || [ $SECONDS -ge $until ]; do
    monitor "$2"
  done
  [[ $answer == *"$3"* ]]
}

# remember DOMAIN: its checkpoints and how many restore points there are, before
# a backup that is to fail.
remember ()
{
  had_checkpoints=$(checkpoints "$1")
  had_points=$(points)
}

# checkpoints DOMAIN: their names, one a line.
checkpoints ()
{
  virsh -q checkpoint-list "$1" --name | grep .
}

# no_trace DOMAIN WHEN: nothing is left of a backup that failed since remember.
no_trace ()
{
  is "$(checkpoints "$1")" "$had_checkpoints" "$2 the checkpoints are those from before"
  is "$(points)" "$had_points" "$2 list shows no unfinished restore point"
  is "$(find "$store" -name '.partial-*' 2>/dev/null)" "" "$2 no unfinished restore point is on the disk"
  is "$(guest_state "$1")" running "$2 the guest runs"
  is "$(block_nodes "$1")" "${own_nodes["$1"]}" "$2 QEMU has the block nodes of the disks and no other"
  holds "$2 libvirt has no job left" no_job "$1"
}

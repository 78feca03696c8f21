# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who backs up and restores in bench.sh, by turns: virt-keep, and others.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# ---- contenders: backup -------------------------------------------------------

# phases_of SUBJECT: from virt-keep's events, how long each phase took.
phases_of ()
{
  perl -MJSON::PP -MTime::Local -ne '
    BEGIN { ($subject, $round) = splice @ARGV, 0, 2 }
    my $event = eval { decode_json ($_) } or next;
    $event->{event} =~ /^(phase|done)$/ or next;
    my ($y, $m, $d, $H, $M, $S) = $event->{time} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z/ or next;
    my $now = timegm (0, $M, $H, $d, $m - 1, $y) + $S;
    printf "%s %d %s %.6f\n", $subject, $round, $phase, $now - $then if defined $phase;
    ($phase, $then) = ($event->{phase}, $now)' "$1" "$round" "$err" >>"$phases"
}

keep_backup () # push|pull copy|full
{
  clock_start
  keep --store "$store" --json backup "$domain" --mode "$1" --level "$2" --progress json
  clock "keep-$1-$2"
  [ "$code" = 0 ] || bail "virt-keep backup --mode $1 --level $2: $(cat "$out")"
  phases_of "keep-$1-$2"
  same_as_disk "$(point_dir "$(json .point)")/vda.qcow2"
  rm -r "${store:?}"
  no_checkpoints
}

no_checkpoints ()
{
  local name
  for name in $(virsh -q checkpoint-list "$domain" --name); do
    must virsh -q checkpoint-delete "$domain" "$name"
  done
}

# checkpoint_option LEVEL: for virsh backup-begin; a full leaves a checkpoint.
checkpoint_option ()
{
  if [ "$1" = full ]; then
    echo "<domaincheckpoint><name>bare</name><disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>" \
      >"$work/checkpoint.xml"
    echo "--checkpointxml $work/checkpoint.xml"
  fi
}

# virDomainBackupBegin of the same disk and nothing else.  It waits for libvirt's
# event job-completed, which an already listening virsh tells at once.
bare_push () # copy|full
{
  local listener
  cat >"$work/backup.xml" <<XML
<domainbackup mode='push'><disks>
<disk name='vda' type='file'><target file='$work/push.qcow2'/><driver type='qcow2'/></disk>
</disks></domainbackup>
XML
  virsh -q event "$domain" --event job-completed --timeout 600 >"$lab/event" 2>&1 </dev/null &
  listener=$!
  sleep 0.5
  clock_start
  # shellcheck disable=SC2046  # an option and its argument
  must virsh -q backup-begin "$domain" "$work/backup.xml" $(checkpoint_option "$1")
  wait "$listener" || bail "no job-completed event came: $(cat "$lab/event")"
  clock "bare-push-$1"
  must sync "$work/push.qcow2"
  clock "bare-push-$1-sync"
  grep -q 'success: 1' "$lab/event" || bail "a bare push backup failed: $(cat "$lab/event")"
  must wait_for 10 no_job "$domain"
  same_as_disk "$work/push.qcow2"
  rm "$work/push.qcow2"
  no_checkpoints
}

# Pull mode as a person scripts it, with the fastest way of nbdcopy that was
# found: qemu-nbd on its own with room for all of nbdcopy's connections, and no
# zeroes written.  With its default cache mode qemu-nbd flushes when it ends;
# with "unsafe" it does not.
script_pull () # default|unsafe copy|full
{
  local cache=() pid
  [ "$1" = default ] || cache=(--cache="$1")
  cat >"$work/backup.xml" <<XML
<domainbackup mode='pull'><server transport='unix' socket='$work/source'/><disks>
<disk name='vda' type='file'><scratch file='$work/scratch'/></disk>
</disks></domainbackup>
XML
  clock_start
  must qemu-img create -q -f qcow2 "$work/pull.qcow2" "$size"
  must qemu-nbd --fork --persistent --shared=8 --discard=unmap "${cache[@]}" --pid-file="$work/pid" \
    -k "$work/sink" -f qcow2 "$work/pull.qcow2"
  # shellcheck disable=SC2046
  must virsh -q backup-begin "$domain" "$work/backup.xml" $(checkpoint_option "$2")
  must nbdcopy --destination-is-zero "nbd+unix:///vda?socket=$work/source" "nbd+unix:///?socket=$work/sink"
  must virsh -q domjobabort "$domain"
  pid=$(cat "$work/pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.005; done
  clock "script-$1-$2"
  must sync "$work/pull.qcow2"
  clock "script-$1-$2-sync"
  must wait_for 10 no_job "$domain"
  same_as_disk "$work/pull.qcow2"
  rm "$work/pull.qcow2"
  no_checkpoints
}

virtnbd_options ()
{
  echo "--noprogress -U $LIBVIRT_DEFAULT_URI -f $work/virtnbd"
}

virtnbd_backup () # copy|full [KEEP]
{
  clock_start
  # shellcheck disable=SC2046  # options
  must virtnbdbackup -d "$domain" -l "$1" -o "$lab/virtnbd" -S "$work" $(virtnbd_options)
  clock "virtnbd-$1"
  must sync "$lab/virtnbd"/*.data
  clock "virtnbd-$1-sync"
  [ "${2:-}" = keep ] || rm -r "$lab/virtnbd"
  no_checkpoints
}

# ---- contenders: restore -------------------------------------------------------

keep_restore ()
{
  clock_start
  keep --store "$store" --json restore bench --to "$lab/restored" --format qcow2
  clock keep-restore
  [ "$code" = 0 ] || bail "virt-keep restore: $(cat "$out")"
  same_as_disk "$lab/restored/vda.qcow2"
  rm -r "$lab/restored"
}

bare_convert ()
{
  clock_start
  must qemu-img convert -f qcow2 -O qcow2 "$image" "$work/converted.qcow2"
  clock convert
  must sync "$work/converted.qcow2"
  clock convert-sync
  same_as_disk "$work/converted.qcow2"
  rm "$work/converted.qcow2"
}

virtnbd_restore ()
{
  clock_start
  # shellcheck disable=SC2046
  must virtnbdrestore -i "$lab/virtnbd" -o "$lab/virtnbd.restored" -L "$lab/virtnbd.log" $(virtnbd_options)
  clock virtnbd-restore
  must sync "$lab/virtnbd.restored/vda.qcow2"
  clock virtnbd-restore-sync
  same_as_disk "$lab/virtnbd.restored/vda.qcow2"
  rm -r "$lab/virtnbd.restored"
}


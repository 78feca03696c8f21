# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The parts unchanged, scattered and verify of bench.sh: what a store costs in the
# long run.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# sparse_domain NAME: a disk of 100 GiB with a mebibyte of data in each gibibyte.
sparse_domain ()
{
  local place
  make_domain "$1" vda:qcow2:100G
  monitor_open "$1"
  for ((place = 0; place < 100; place++)); do
    monitor_io vda "write -P 0x5a ${place}G 1M"
  done
  monitor_io vda flush
  monitor_close
}

forget_domain ()
{
  remove_domain "$1" >"$lab/said" 2>&1
  rm "${disk_file["$1:vda"]}"
}

# keep_incremental push|pull SUBJECT: on the newest point, which stays.
keep_incremental ()
{
  clock_start
  keep --store "$store" --json backup "$domain" --mode "$1" --level incremental --progress json
  clock "$2"
  [ "$code" = 0 ] || bail "virt-keep backup --mode $1 --level incremental: $(cat "$out")"
  phases_of "$2"
  same_as_disk "$(point_dir "$(json .point)")/vda.qcow2"
}

# bare_incremental: the libvirt calls of it, each in a virsh of its own: backup-begin with
# the next checkpoint, the event job-completed in a virsh that listens already, and
# checkpoint-delete of the one before.
bare_incremental ()
{
  local listener next=bare$((bare + 1))
  cat >"$work/backup.xml" <<XML
<domainbackup mode='push'><incremental>bare$bare</incremental><disks>
<disk name='vda' type='file'><target file='$work/push.qcow2'/><driver type='qcow2'/></disk>
</disks></domainbackup>
XML
  echo "<domaincheckpoint><name>$next</name><disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>" >"$work/checkpoint.xml"
  virsh -q event "$domain" --event job-completed --timeout 600 >"$lab/event" 2>&1 </dev/null &
  listener=$!
  sleep 0.5
  clock_start
  must virsh -q backup-begin "$domain" "$work/backup.xml" --checkpointxml "$work/checkpoint.xml"
  wait "$listener" || bail "no job-completed event came: $(cat "$lab/event")"
  clock bare-incremental
  must virsh -q checkpoint-delete "$domain" "bare$bare"
  clock bare-incremental-delete
  grep -q 'success: 1' "$lab/event" || bail "a bare push backup failed: $(cat "$lab/event")"
  must wait_for 10 no_job "$domain"
  rm "$work/push.qcow2"
  bare=$((bare + 1))
}

virtnbd_incremental ()
{
  clock_start
  # shellcheck disable=SC2046  # options
  must virtnbdbackup -d apart -l inc -o "$lab/virtnbd" -S "$work" $(virtnbd_options)
  clock virtnbd-inc
}

# Each contender has a checkpoint of its own, from which it goes on; virtnbdbackup suffers
# nobody else's beside its own and gets a domain of its own.
part_unchanged ()
{
  local contenders=("keep_incremental push keep-push-unchanged" "keep_incremental pull keep-pull-unchanged" bare_incremental)
  local rows='bare-incremental|bare virDomainBackupBegin, until job-completed|twice
bare-incremental-delete|the same and virDomainCheckpointDelete of the one before|twice'
  domain=unchanged size=100G
  sparse_domain unchanged
  keep --store "$store" backup unchanged
  [ "$code" = 0 ] || bail "virt-keep backup: $(cat "$err")"
  bare=0
  virsh -q checkpoint-create-as unchanged bare0 --diskspec vda,checkpoint=bitmap >"$lab/said" 2>&1 || bail "no checkpoint: $(cat "$lab/said")"
  if have virtnbdbackup; then
    sparse_domain apart
    # shellcheck disable=SC2046
    must virtnbdbackup -d apart -l full -o "$lab/virtnbd" -S "$work" $(virtnbd_options)
    contenders+=(virtnbd_incremental)
    rows+=$'\nvirtnbd-inc|virtnbdbackup -l inc|eight'
  else
    rows+=$'\nnone|left out: virtnbdbackup is not installed'
  fi
  rounds "${contenders[@]}"
  note
  local mode
  for mode in push pull; do
    compare "virt-keep backup --mode $mode, incremental, nothing changed in 100 GiB" "keep-$mode-unchanged" <<<"$rows"
    where_time_goes "keep-$mode-unchanged"
  done
  forget_domain unchanged
  ! have virtnbdbackup || forget_domain apart
  rm -rf "${store:?}" "$lab/virtnbd"
  domain=bench size=4G
}

# scatter: 1 GiB changes in 16384 pieces of 64 KiB, one somewhere in each 6.25 MiB, always
# the same places.  The domain
# is off meanwhile: qemu-io marks in the dirty bitmaps of the image what it writes, and
# takes seconds where the monitor would take minutes.
scatter ()
{
  note "run $round of $runs: changing 1 GiB"
  virsh -q destroy scattered >"$lab/said" 2>&1
  perl -e 'my $byte = 1 + int rand 255; srand 7; print "write -q -P $byte ", $_ * 6553600 + 65536 * int rand 90, " 64k\n" for 0 .. 16383' \
    | must_pipe qemu-io -f qcow2 --cache=writeback "${disk_file[scattered:vda]}"
  must virsh -q start scattered
}

keep_scattered () # push|pull
{
  scatter
  keep_incremental "$1" "keep-$1-scattered"
  delta=$(point_dir "$(json .point)")/vda.qcow2
}

# copy_scattered: nbdcopy reads no dirty bitmaps.  So it gets the bytes that virt-keep has
# just stored, in the same places, from an export that has nothing else: the delta without
# its backing file, whose other clusters are holes to nbdcopy.  It writes through
# a qemu-nbd into a new image, like virt-keep.
copy_scattered () # default|unsafe
{
  local cache=() server
  [ "$1" = default ] || cache=(--cache="$1")
  clock_start
  must qemu-img create -q -f qcow2 "$work/pull.qcow2" "$size"
  must qemu-nbd --fork --persistent --shared=8 --read-only --pid-file="$work/pid.source" -k "$work/source" \
    "json:{\"driver\":\"qcow2\",\"backing\":null,\"file\":{\"driver\":\"file\",\"filename\":\"$delta\"}}"
  must qemu-nbd --fork --persistent --shared=8 --discard=unmap "${cache[@]}" --pid-file="$work/pid.sink" \
    -k "$work/sink" -f qcow2 "$work/pull.qcow2"
  must nbdcopy --destination-is-zero "nbd+unix:///?socket=$work/source" "nbd+unix:///?socket=$work/sink"
  for server in sink source; do
    kill "$(cat "$work/pid.$server")"
    while kill -0 "$(cat "$work/pid.$server")" 2>/dev/null; do sleep 0.005; done
  done
  clock "nbdcopy-$1"
  must sync "$work/pull.qcow2"
  clock "nbdcopy-$1-sync"
  rm "$work/pull.qcow2"
}

part_scattered ()
{
  local mode rows='none|left out: nbdcopy is not installed (Debian: libnbd-bin)' contenders=("keep_scattered push" "keep_scattered pull")
  domain=scattered size=100G
  sparse_domain scattered
  keep --store "$store" backup scattered
  [ "$code" = 0 ] || bail "virt-keep backup: $(cat "$err")"
  if have nbdcopy; then
    contenders+=("copy_scattered default" "copy_scattered unsafe")
    rows='nbdcopy-default|nbdcopy of the same bytes through qemu-nbd, flushed|fifth
nbdcopy-unsafe|the same with qemu-nbd --cache=unsafe, nothing flushed|
nbdcopy-unsafe-sync|the same with --cache=unsafe and sync FILE|fifth'
  fi
  rounds "${contenders[@]}"
  note
  for mode in push pull; do
    compare "virt-keep backup --mode $mode, incremental, 1 GiB scattered" "keep-$mode-scattered" <<<"$rows"
    where_time_goes "keep-$mode-scattered"
  done
  forget_domain scattered
  rm -rf "${store:?}"
  domain=bench size=4G
}

keep_verify ()
{
  clock_start
  must "$VIRT_KEEP" --store "$store" verify --all
  clock keep-verify
}

sum_files () # one|each
{
  local files
  mapfile -t files < <(find "$store" -type f -path '*Z/*')
  clock_start
  if [ "$1" = one ]; then
    must sha256sum "${files[@]}"
  else
    printf '%s\0' "${files[@]}" | must_pipe xargs -0 -n 1 -P "$(nproc)" sha256sum
  fi
  clock "sum-$1"
}

# A full of 1 GiB, and two incrementals of 256 MiB each.
part_verify ()
{
  local n
  for n in 0 1 2; do
    [ $n = 0 ] || guest_write bench vda $n $((n * 700))M 256M
    keep --store "$store" backup bench
    [ "$code" = 0 ] || bail "virt-keep backup: $(cat "$err")"
  done
  rounds keep_verify "sum_files one" "sum_files each"
  note
  compare "virt-keep verify --all, $(du -m "$store" | tail -n 1 | cut -f1) MiB" keep-verify <<'ROWS'
sum-one|sha256sum of the same files|verify
sum-each|sha256sum of them, as many at once as there are processors|verify
ROWS
  rm -rf "${store:?}"
  no_checkpoints
}

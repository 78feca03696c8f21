# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part guest of bench.sh: what a backup costs a guest that writes meanwhile.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

guest_figures=$lab/guest-figures # SUBJECT ROUND SECONDS PIECES BYTES MICROSECONDS P50 P99 MOST
idle_seconds=5
slow_rate=32M

# agent COMMAND-JSON: what the agent returns.
agent ()
{
  virsh qemu-agent-command writer "$1" 2>"$lab/said" || bail "the agent: $(cat "$lab/said")"
}

# make_writing_guest: the guest "writer" with the program on its own disk, and 1 GiB of
# data on vdb, to which it writes.
make_writing_guest ()
{
  local raw=$lab/writer.raw
  must "${CC:-cc}" -O2 -static -o "$work/guest-writer" "$tests/bench/guest-writer.c"
  make_guest writer
  virsh -q destroy writer
  must qemu-img convert -O raw "$lab/writer.qcow2" "$raw"
  must dd if="$raw" of="$work/fs" bs=1M skip=33 count=48
  must debugfs -w -R "write $work/guest-writer guest-writer" "$work/fs"
  must debugfs -w -R "sif guest-writer mode 0100755" "$work/fs"
  must dd if="$work/fs" of="$raw" bs=1M seek=33 conv=notrunc
  must qemu-img convert -O qcow2 "$raw" "$lab/writer.qcow2"
  rm "$raw" "$work/fs"
  disk_file["writer:vdb"]=$lab/writer-data.qcow2 disk_format["writer:vdb"]=qcow2
  new_image "$lab/writer-data.qcow2" qcow2 4G
  must qemu-io -f qcow2 -c "write -P 0x42 0 1G" "$lab/writer-data.qcow2"
  disk_xml writer vdb:qcow2 >"$lab/writer-data.xml"
  must virsh -q attach-device writer "$lab/writer-data.xml" --config
  must virsh -q start writer
  guest_agent writer
}

# while_writing SUBJECT COMMAND...: how the guest's writes fare while COMMAND runs.
while_writing ()
{
  local subject=$1 pid began took status
  shift
  sync
  pid=$(agent '{"execute":"guest-exec","arguments":{"path":"/mnt/guest-writer","arg":["/dev/vdb","1073741824"],"capture-output":true}}' | tr -dc 0-9)
  began=${EPOCHREALTIME/./}
  "$@"
  took=$((${EPOCHREALTIME/./} - began))
  agent "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/busybox\",\"arg\":[\"kill\",\"-TERM\",\"$pid\"]}}" >/dev/null
  wait_for 30 writer_is_through "$pid" || bail "the writer does not end"
  status=$(perl -MMIME::Base64 -ne 'print decode_base64 ($1) if /"out-data":"([^"]*)"/' "$lab/writer-status")
  [ -n "$status" ] || bail "the writer has failed: $(cat "$lab/writer-status")"
  printf '%s %s %d.%06d %s\n' "$subject" "$round" $((took / 1000000)) $((took % 1000000)) "$status" >>"$guest_figures"
}

# shellcheck disable=SC2317  # called by wait_for
writer_is_through ()
{
  agent "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$1}}" >"$lab/writer-status"
  grep -q '"exited":true' "$lab/writer-status"
}

write_idle ()
{
  while_writing idle sleep "$idle_seconds"
}

# write_keep SUBJECT STORE ARGUMENT...: a full backup of the disk that is written to.
write_keep ()
{
  local subject=$1 target=$2
  shift 2
  while_writing "$subject" must "$VIRT_KEEP" --store "$target" backup writer --disk vdb --level copy --progress none "$@"
}

write_push ()
{
  write_keep push "$store" --mode push
  rm -r "${store:?}"
}

write_slow ()
{
  write_keep slow "$store" --mode push --max-rate "$slow_rate"
  rm -r "${store:?}"
}

write_pull ()
{
  write_keep pull "$store" --mode pull
  rm -r "${store:?}"
}

write_restic ()
{
  must "$VIRT_KEEP" --store "restic:$lab/guest-restic" init
  write_keep restic "restic:$lab/guest-restic"
  rm -r "$lab/guest-restic"
}

write_virtnbd ()
{
  # shellcheck disable=SC2046  # options
  while_writing virtnbd must virtnbdbackup -d writer -l copy -i vdb -o "$lab/virtnbd" -S "$work" $(virtnbd_options)
  rm -r "$lab/virtnbd"
}

print_guest_table ()
{
  perl -e '
    my %names = (idle => "no backup", push => "virt-keep --mode push", pull => "virt-keep --mode pull", restic => "virt-keep, restic store",
      slow => "virt-keep --mode push --max-rate $ARGV[1]", virtnbd => "virtnbdbackup");
    my %rows;
    open my $in, "<", $ARGV[0] or die;
    while (<$in>) { my ($who, $round, @figures) = split; push @{$rows{$who}}, \@figures if $round > 0 }
    sub median { my @sorted = sort { $a <=> $b } @_; ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 }
    sub column { my ($who, $get) = @_; median (map { $get->(@$_) } @{$rows{$who}}) }
    printf "\n%-46s %8s %9s %8s %9s %9s %9s %9s\n", "writes of a guest (4-64 KiB, fdatasync) during", "seconds", "writes/s", "MiB/s", "of idle", "p50 ms", "p99 ms", "most ms";
    my $idle = column ("idle", sub { $_[2] / $_[3] });
    for my $who (qw(idle push slow pull restic virtnbd)) {
      if (!$rows{$who}) { printf "  %-44s not installed\n", $names{$who}; next }
      printf "  %-44s %8.2f %9.0f %8.1f %7.0f %% %9.2f %9.2f %9.2f\n", $names{$who}, column ($who, sub { $_[0] }), column ($who, sub { $_[1] / $_[3] * 1e6 }),
        column ($who, sub { $_[2] / $_[3] * 1e6 / (1 << 20) }), 100 * column ($who, sub { $_[2] / $_[3] }) / $idle,
        map { my $n = $_; column ($who, sub { $_[$n] / 1000 }) } 4 .. 6;
    }' "$guest_figures" "$slow_rate"
}

part_guest ()
{
  local contenders=(write_idle write_push write_slow write_pull)
  if [ -z "${VIRT_KEEP_GUEST:-}" ]; then
    echo "guest: left out, there is no guest"
    return
  fi
  "$VIRT_KEEP" --store "restic:$lab/guest-restic" init >/dev/null 2>&1 && contenders+=(write_restic)
  rm -rf "$lab/guest-restic"
  ! have virtnbdbackup || contenders+=(write_virtnbd)
  touch "$guest_figures"
  make_writing_guest
  rounds "${contenders[@]}"
  note
  print_guest_table
  remove_domain writer >"$lab/said" 2>&1
  rm -f "$lab"/writer*.qcow2
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A restic repository, against what others make of the disk as a stream.  Part of
# bench.sh.
# shellcheck disable=SC2154  # its variables are bench.sh's

pipeline=${VIRT_KEEP%/tool/virt-keep}/tests/restic/pipeline
export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
export XDG_CACHE_HOME=$lab/cache RESTIC_CACHE_DIR=$lab/restic-cache BORG_BASE_DIR=$lab/borg
programs=$lab/programs # SUBJECT ROUND PROCESSOR-SECONDS
growth=$lab/growth     # ROUND BYTES-ADDED BYTES-CHANGED
stages=$lab/stages     # ROUND SECONDS of hashing, zstd, sealing, hashing packs
touch "$programs" "$growth" "$stages"

# processor_time SUBJECT COMMAND...: runs it, and notes the time of the processors that
# it and its children took.
processor_time ()
{
  must perl -e '
    my ($file, $subject, $round, @command) = @ARGV;
    my $code = system { $command[0] } @command;
    my @times = times;
    open my $out, ">>", $file or die;
    printf $out "%s %s %.2f\n", $subject, $round, $times[2] + $times[3];
    exit ($code != 0)' "$programs" "$1" "$round" "${@:2}"
}

keep_restic () # first|second
{
  local subject=keep-restic-$1 before=0
  if [ "$1" = first ]; then
    rm -rf "$lab/keep.restic" "$lab/cache"
    no_checkpoints
    must "$VIRT_KEEP" --store "restic:$lab/keep.restic" init
  else
    change_disk
    before=$(bytes_of "$lab/keep.restic")
  fi
  clock_start
  processor_time "$subject" "$VIRT_KEEP" --store "restic:$lab/keep.restic" backup "$domain" --progress none
  clock "$subject"
  [ "$1" = first ] || echo "$round $(($(bytes_of "$lab/keep.restic") - before)) $changed" >>"$growth"
  if [ "$round" = 0 ]; then
    must qemu-img convert -U -f qcow2 -O raw "${disk_file["$domain:vda"]}" "$work/now.raw"
    must bash -c 'cmp <(restic -q -r "$1" dump latest /vda.raw) "$2"' - "$lab/keep.restic" "$work/now.raw"
    rm "$work/now.raw"
  fi
}

# change_disk: 1 % of the disk, in pieces of 1 MiB at random places of what is used.
# $changed is how many bytes that are: some meet the same place.  They are random and as
# long as chunks or a multiple of it, so that no way to store these chunks alone takes less.
change_disk ()
{
  local n place
  local -A places=()
  head -c 41M /dev/urandom >"$work/random"
  chmod 0644 "$work/random"
  for ((n = 0; n < 41; n++)); do
    tail -c "+$(((n << 20) + 1))" "$work/random" | head -c 1M >"$work/piece"
    chmod 0644 "$work/piece"
    place=$((RANDOM % 16 * 256 + RANDOM % 127))
    places[$place]=1
    guest_io "$domain" vda "write -s $work/piece ${place}M 1M"
  done
  changed=$((${#places[@]} << 20))
  guest_flush "$domain" vda
}

# script_stream PROGRAM SUBJECT COMMAND: pull mode, the disk as a stream into COMMAND,
# which a shell runs.
script_stream ()
{
  cat >"$work/backup.xml" <<XML
<domainbackup mode='pull'><server transport='unix' socket='$work/source'/><disks>
<disk name='vda' type='file'><scratch file='$work/scratch'/></disk>
</disks></domainbackup>
XML
  clock_start
  must virsh -q backup-begin "$domain" "$work/backup.xml"
  processor_time "$1" bash -o pipefail -c "nbdcopy 'nbd+unix:///vda?socket=$work/source' - | $2"
  must virsh -q domjobabort "$domain"
  clock "$1"
  must wait_for 10 no_job "$domain"
}

stream_restic () # first|second
{
  if [ "$1" = first ]; then
    rm -rf "$lab/stream.restic"
    must restic init -r "$lab/stream.restic"
  fi
  script_stream "restic-$1" "restic -q -r '$lab/stream.restic' backup --stdin --stdin-filename vda.raw"
}

stream_borg () # first|second
{
  if [ "$1" = first ]; then
    rm -rf "$lab/stream.borg" "$lab/borg"
    must borg init -e repokey "$lab/stream.borg"
  fi
  script_stream "borg-$1" "borg create --compression zstd,3 '$lab/stream.borg::{now:%s.%f}' -"
}

# What the processors need at least for the first backup, in memory.
processors_limit ()
{
  local seconds rest
  must "$pipeline" "$lab/disk.raw" $((512 << 10)) "$(nproc)"
  read -r seconds rest <"$lab/said"
  echo "processors-limit $round $seconds" >>"$figures"
  echo "$round $rest" >>"$stages"
}

# The medians of what the above took.
print_stages ()
{
  perl -e '
    my (@columns, @medians);
    while (<>) { my ($round, @seconds) = split; next if !$round; push @{$columns[$_]}, $seconds[$_] for 0 .. $#seconds }
    push @medians, (sort { $a <=> $b } @$_)[$#$_ / 2] for @columns;
    printf "  processor seconds of that: SHA-256 of chunks %.2f, zstd %.2f, AES and Poly1305 %.2f, SHA-256 of packs %.2f\n", @medians' "$stages"
}

# Of what a second backup has added, compared with the chunks that had changed.
print_growth ()
{
  perl -e '
    my @ratios;
    while (<>) { my ($round, $added, $changed) = split; push @ratios, $added / $changed if $round }
    @ratios = sort { $a <=> $b } @ratios;
    my $median = $ratios[$#ratios / 2];
    printf "  bytes added, to those of the changed chunks: %.3f (%.3f .. %.3f)  <= 1.1: %s\n", $median, @ratios[0, -1], $median <= 1.1 ? "met" : "missed"' "$growth"
}

# The disk of the newest point as a raw file: restored, and dumped by restic.
restore_restic ()
{
  clock_start
  must "$VIRT_KEEP" --store "restic:$lab/keep.restic" restore "$domain" --to "$lab/restored" --format raw --progress none
  clock restore-restic
  if [ "$round" = 0 ]; then
    must qemu-img compare -U -f qcow2 -F raw "${disk_file["$domain:vda"]}" "$lab/restored/vda.raw"
  fi
  rm -r "$lab/restored"
}

dump_restic ()
{
  clock_start
  must bash -c 'restic -q -r "$1" dump latest /vda.raw >"$2"' - "$lab/keep.restic" "$work/dumped.raw"
  clock restic-dump
  must sync "$work/dumped.raw"
  clock restic-dump-sync
  rm "$work/dumped.raw"
}

# part_restic: the first backup into a repository, and one after 1 % has changed.
part_restic ()
{
  local which aim contender limit contenders=()
  if ! have restic || ! have nbdcopy || ! [ -x "$pipeline" ]; then
    echo "restic: left out, restic or nbdcopy is not installed, or $pipeline not built"
    return
  fi
  contenders=(keep_restic stream_restic)
  domain=repository
  note "making the disk"
  make_domain $domain vda:qcow2:4G
  fill_disk $domain 64
  ! have borg || contenders+=(stream_borg)
  must qemu-img convert -U -f qcow2 -O raw "${disk_file["$domain:vda"]}" "$lab/disk.raw"
  for which in first second; do
    [ $which = first ] && aim=faster || aim=twenty
    [ $which = first ] && limit=(processors_limit) || limit=()
    rounds "${contenders[@]/%/ $which}" "${limit[@]}"
    rm -f "$lab/disk.raw"
    note
    { [ $which = second ] || echo "processors-limit|hash, zstd, AES of the same chunks in memory, no more|limit"
      echo "restic-$which|nbdcopy, restic backup --stdin|$aim"
      if have borg; then
        echo "borg-$which|nbdcopy, borg create, zstd,3|$aim"
      else
        echo "none|left out: borg is not installed (Debian: borgbackup)"
      fi
    } | compare "virt-keep backup to restic:, the $which time" "keep-restic-$which"
    printf '  processor seconds: '
    for contender in "keep-restic-$which" "restic-$which" "borg-$which"; do
      sed -n "s/^$contender [1-9][0-9]* //p" "$programs" | sort -n \
        | awk -v name="$contender" '{ t[NR] = $1 } END { if (NR) printf "%s %.2f  ", name, t[int ((NR + 1) / 2)] }'
    done
    echo
    if [ $which = first ]; then print_stages; else print_growth; fi
  done
  rounds restore_restic dump_restic
  note
  { echo "restic-dump|restic dump, nothing flushed|double"
    echo "restic-dump-sync|the same and sync FILE|double"
  } | compare "virt-keep restore --format raw from restic:" restore-restic
  rm -rf "$lab/keep.restic" "$lab/stream.restic" "$lab/stream.borg"
  forget_domain $domain
  domain=bench
}

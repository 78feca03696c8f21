#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bench.sh [PART...]
#
# Prints how long backup and restore take compared with doing the same by hand
# and with virtnbdbackup, and how much memory they need.  README.md beside this
# file tells how to read it.  Nothing is asserted: a missed aim is printed, not
# an error.  PART is copy, full, restore, restic or memory; all of them otherwise.
#
# Environment: VIRT_KEEP is the program (else build/tool/virt-keep of the tree),
# BENCH_RUNS how often each contender runs after a warm-up (5).
#
# shellcheck disable=SC2031  # what lib.sh sets in a subshell is not read here
set -u

tests=${G_TEST_SRCDIR:-$(cd "$(dirname "$0")/.." && pwd)}
[ -n "${VIRT_KEEP_LAB:-}" ] || exec "$tests/lab/private-libvirtd" "$BASH" "$0" "$@"
# shellcheck source=tests/lab/lib.sh
. "$tests/lab/lib.sh"

runs=${BENCH_RUNS:-5}
[[ $runs =~ ^[1-9][0-9]*$ ]] || bail "BENCH_RUNS is not a number of runs: $runs"
gib=$((1 << 30))
free_kib=$(df --output=avail "$lab" | tail -n 1)
[ "$free_kib" -ge $((6 << 20)) ] || bail "$lab has less than 6 GiB left"

# QEMU's user creates scratch files, sockets and push targets in here.
work=$lab/work
mkdir -m 0777 "$work"
figures=$lab/figures # SUBJECT ROUND SECONDS; round 0 is the warm-up
phases=$lab/phases   # SUBJECT ROUND PHASE SECONDS
touch "$figures" "$phases"
round=
domain=bench size=4G # whose disk vda the contenders copy

note ()
{
  [ ! -t 2 ] || printf '\r\e[K%s' "$*" >&2
}

# must COMMAND...: what it says is only of interest when it fails.
must ()
{
  "$@" >"$lab/said" 2>&1 </dev/null || bail "failed: $*: $(tail -c 1000 "$lab/said")"
}

# ---- the clock -----------------------------------------------------------------

# What the contender before has left to be written is not this one's.
clock_start ()
{
  sync
  began=$EPOCHREALTIME
}

# clock SUBJECT: the seconds since clock_start are the subject's.
clock ()
{
  local now=$EPOCHREALTIME
  printf '%s %s %d.%06d\n' "$1" "$round" \
    $(((${now/./} - ${began/./}) / 1000000)) $(((${now/./} - ${began/./}) % 1000000)) >>"$figures"
}

# rounds CONTENDER...: A B C A B C ..., so that whatever else the machine does
# meets all of them.  A contender is a function and its arguments in one word.
rounds ()
{
  local contender
  for ((round = 0; round <= runs; round++)); do
    for contender; do
      note "run $round of $runs: $contender"
      $contender
    done
  done
}

# same_as_disk IMAGE: in the warm-up, what a contender wrote is compared with the
# disk, which stands still, so that only what works is measured.
same_as_disk ()
{
  [ "$round" != 0 ] || must qemu-img compare -U -f qcow2 -F qcow2 "${disk_file["$domain:vda"]}" "$1"
}

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

# ---- contenders: a repository ----------------------------------------------------

export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
export XDG_CACHE_HOME=$lab/cache RESTIC_CACHE_DIR=$lab/restic-cache BORG_BASE_DIR=$lab/borg
programs=$lab/programs # SUBJECT ROUND PROCESSOR-SECONDS
touch "$programs"

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
  local subject=keep-restic-$1
  if [ "$1" = first ]; then
    rm -rf "$lab/keep.restic" "$lab/cache"
    no_checkpoints
    must "$VIRT_KEEP" --store "restic:$lab/keep.restic" init
  else
    change_disk
  fi
  clock_start
  processor_time "$subject" "$VIRT_KEEP" --store "restic:$lab/keep.restic" backup "$domain" --progress none
  clock "$subject"
  if [ "$round" = 0 ]; then
    must qemu-img convert -U -f qcow2 -O raw "${disk_file["$domain:vda"]}" "$work/now.raw"
    must bash -c 'cmp <(restic -q -r "$1" dump latest /vda.raw) "$2"' - "$lab/keep.restic" "$work/now.raw"
    rm "$work/now.raw"
  fi
}

# change_disk: 1 % of the disk, in pieces of 1 MiB at random places of what is used.
change_disk ()
{
  local n
  head -c 41M /dev/urandom >"$work/random"
  chmod 0644 "$work/random"
  for ((n = 0; n < 41; n++)); do
    tail -c "+$(((n << 20) + 1))" "$work/random" | head -c 1M >"$work/piece"
    chmod 0644 "$work/piece"
    guest_io "$domain" vda "write -s $work/piece $((RANDOM % 16 * 256 + RANDOM % 127))M 1M"
  done
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

# ---- tables --------------------------------------------------------------------

# compare TITLE SUBJECT: then lines "REFERENCE|DESCRIPTION|AIM" on stdin, AIM one
# of push (<= 1.05 + 0.3 s), pull (<= 1.10), faster (>= 3 times), much (>= 20 times),
# or empty.
compare ()
{
  perl -e '
    my ($title, $subject, $figures) = @ARGV;
    my (%seconds, $other);
    open my $in, "<", $figures or die;
    while (<$in>) { my ($who, $round, $time) = split; $seconds{$who}[$round] = $time }
    sub median { my @sorted = sort { $a <=> $b } @_; ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 }
    sub runs { my ($all) = @_; @$all[1 .. $#$all] }
    my @own = runs ($seconds{$subject});
    my %aims = (
      push => ["<= 1.05 + 0.3 s", sub { median (map { $own[$_] - 1.05 * $_[$_] } 0 .. $#own) <= 0.3 }],
      pull => ["<= 1.10", sub { median (map { $own[$_] / $_[$_] } 0 .. $#own) <= 1.10 }],
      faster => [">= 3 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 3 }],
      much => [">= 20 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 20 }]);
    printf "\n%-62s %7s  %-28s %9s  %s\n", "", "seconds", "ratio (least .. most)", "more", "aim";
    printf "%-62s %7.2f\n", $title, median (@own);
    while (<STDIN>) {
      chomp;
      my ($reference, $description, $aim) = split /\|/;
      if (!$seconds{$reference}) { print "  $description\n"; next }
      my @other = runs ($seconds{$reference});
      my $faster = ($aim // "") =~ /^(faster|much)$/;
      my @ratios = sort { $a <=> $b } map { $faster ? $other[$_] / $own[$_] : $own[$_] / $other[$_] } 0 .. $#own;
      my $ratio = sprintf "%.2f%s (%.2f .. %.2f)", median (@ratios), $faster ? " x faster" : "", $ratios[0], $ratios[-1];
      my $line = sprintf "  %-60s %7.2f  %-28s %+7.2f s", $description, median (@other), $ratio,
        median (map { $own[$_] - $other[$_] } 0 .. $#own);
      $line .= sprintf "  %s: %s", $aims{$aim}[0], $aims{$aim}[1]->(@other) ? "met" : "missed" if $aim;
      print "$line\n";
    }' "$1" "$2" "$figures"
}

# where_time_goes SUBJECT: medians of virt-keep'"'"'s phases.
where_time_goes ()
{
  perl -e '
    my ($subject, $phases) = @ARGV;
    my (%seconds, @order);
    open my $in, "<", $phases or die;
    while (<$in>) {
      my ($who, $round, $phase, $time) = split;
      next if $who ne $subject || $round == 0;
      push @order, $phase if !$seconds{$phase};
      push @{$seconds{$phase}}, $time;
    }
    print "  its phases: ", join (", ", map {
      my @sorted = sort { $a <=> $b } @{$seconds{$_}};
      sprintf "%s %.2f", $_, $sorted[$#sorted / 2];
    } @order), "\n"' "$1" "$phases"
}

have ()
{
  command -v "$1" >/dev/null
}

processor ()
{
  sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1
}

print_machine ()
{
  echo "virt-keep bench: $runs runs of each in turn after a warm-up, caches warm; seconds and ratios are medians"
  echo "machine: $(nproc) cores, $(processor), $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) >> 20)) GiB," \
    "Linux $(uname -r), load before: $(cut -d' ' -f1 /proc/loadavg)"
  echo "programs: $("$VIRT_KEEP" --version | head -n 1), $(virsh version | sed -n 's/^Using library: //p')," \
    "$(virsh version | sed -n 's/^Running hypervisor: //p'), nbdcopy $(nbdcopy --version 2>/dev/null | sed -n 's/^nbdcopy //p')," \
    "virtnbdbackup $(virtnbdbackup --version 2>/dev/null || echo "not installed")"
  echo "disk: 4 GiB qcow2 of a running domain, $(du -m "${disk_file[bench:vda]}" | cut -f1) MiB of data," \
    "half random, half text; on $(df --output=fstype "$lab" | tail -n 1)"
}

# ---- the disk ------------------------------------------------------------------

# fill_disk DOMAIN: replaces the empty disk of the domain.  In each of sixteen
# places there are 32 MiB of random bytes and 32 MiB of words.
fill_disk ()
{
  must virsh -q destroy "$1"
  perl -e '
    my ($file, $size) = @ARGV;
    open my $out, ">:raw", $file or die "$file: $!";
    open my $random, "<:raw", "/dev/urandom" or die;
    my @words = map { join "", map { chr (97 + rand 26) } 1 .. 2 + rand 9 } 1 .. 4000;
    for my $place (0 .. 15) {
      sysseek $out, $place * $size / 16, 0;
      for (1 .. 32) { sysread $random, my $bytes, 1 << 20; syswrite $out, $bytes }
      for (1 .. 32) {
        my $text = "";
        $text .= join (" ", map { $words[rand @words] } 1 .. 2000) . "\n" while length $text < 1 << 20;
        syswrite $out, $text, 1 << 20;
      }
    }
    truncate $out, $size or die' "$lab/content" $((4 * gib)) || bail "cannot make the content of the disk"
  must qemu-img convert -f raw -O qcow2 "$lab/content" "${disk_file["$1:vda"]}"
  rm "$lab/content"
  must virsh -q start "$1"
}

# ---- parts ---------------------------------------------------------------------

# part_backup copy|full
part_backup ()
{
  local level=$1 contenders=("keep_backup push $1" "bare_push $1" "keep_backup pull $1") none_of_nbdcopy='' none_of_virtnbd=''
  if have nbdcopy; then
    contenders+=("script_pull default $level" "script_pull unsafe $level")
  else
    none_of_nbdcopy='none|left out: nbdcopy is not installed (Debian: libnbd-bin)'
  fi
  if have virtnbdbackup; then
    contenders+=("virtnbd_backup $level")
  else
    none_of_virtnbd='none|left out: virtnbdbackup is not installed (Debian: apt-get install --no-install-recommends virtnbdbackup)'
  fi
  rounds "${contenders[@]}"
  note

  { cat <<ROWS
bare-push-$level|bare virDomainBackupBegin, until job-completed|push
bare-push-$level-sync|the same and sync FILE|
ROWS
    virtnbd_rows "$level" "$none_of_virtnbd"
  } | compare "virt-keep backup --mode push --level $level" "keep-push-$level"
  where_time_goes "keep-push-$level"

  { if [ -n "$none_of_nbdcopy" ]; then
      echo "$none_of_nbdcopy"
    else
      cat <<ROWS
script-default-$level|backup-begin + nbdcopy + qemu-nbd, which flushes at its end|pull
script-unsafe-$level|the same with qemu-nbd --cache=unsafe, nothing flushed|
script-unsafe-$level-sync|the same with --cache=unsafe and sync FILE|pull
ROWS
    fi
    virtnbd_rows "$level" "$none_of_virtnbd"
  } | compare "virt-keep backup --mode pull --level $level" "keep-pull-$level"
  where_time_goes "keep-pull-$level"
}

virtnbd_rows ()
{
  if [ -n "$2" ]; then
    echo "$2"
  else
    echo "virtnbd-$1|virtnbdbackup -l $1, nothing flushed|faster"
    echo "virtnbd-$1-sync|virtnbdbackup -l $1 and sync FILE|faster"
  fi
}

part_restore ()
{
  local contenders=(keep_restore bare_convert)
  round=0
  keep --store "$store" --json backup bench --mode push --level copy
  [ "$code" = 0 ] || bail "virt-keep backup: $(cat "$out")"
  image=$(point_dir "$(json .point)")/vda.qcow2
  if have virtnbdbackup; then
    virtnbd_backup copy keep
    contenders+=(virtnbd_restore)
  fi
  rounds "${contenders[@]}"
  note
  { echo "convert|qemu-img convert of the same image, nothing flushed|"
    echo "convert-sync|the same and sync FILE|"
    if have virtnbdrestore; then
      echo "virtnbd-restore|virtnbdrestore|faster"
      echo "virtnbd-restore-sync|the same and sync FILE|faster"
    else
      echo "none|left out: virtnbdrestore is not installed"
    fi
  } | compare "virt-keep restore --format qcow2" keep-restore
  rm -rf "${store:?}" "$lab/virtnbd"
}

# part_restic: the first backup into a repository, and one after 1 % has changed.
part_restic ()
{
  local which aim contender contenders=()
  if ! have restic || ! have nbdcopy; then
    echo "restic: left out, restic or nbdcopy is not installed"
    return
  fi
  contenders=(keep_restic stream_restic)
  ! have borg || contenders+=(stream_borg)
  for which in first second; do
    [ $which = first ] && aim=faster || aim=much
    rounds "${contenders[@]/%/ $which}"
    note
    { echo "restic-$which|nbdcopy, restic backup --stdin|$aim"
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
  done
  rm -rf "$lab/keep.restic" "$lab/stream.restic" "$lab/stream.borg"
  no_checkpoints
}

# peaks FILE COMMAND...: runs it and writes to FILE: seconds, peak resident KiB of
# the command itself, and NAME=KiB of the children it had.  The kernel's own
# figure for an ended process counts its children in, so this looks at
# /proc/PID/status while they run.
peaks ()
{
  perl -MTime::HiRes=time,sleep -MCwd=realpath -e '
    my ($file, @command) = @ARGV;
    my $program = realpath ($command[0]);
    my (%peak, $own);
    sub children {
      map { my $in; open ($in, "<", $_) ? split (" ", <$in> // "") : () } glob "/proc/$_[0]/task/*/children";
    }
    sub look {
      my ($pid, $depth) = @_;
      my $exe = readlink "/proc/$pid/exe" // return;
      open my $in, "<", "/proc/$pid/status" or return;
      my ($high) = join ("", <$in>) =~ /^VmHWM:\s*(\d+)/m or return;
      if ($depth == 0) { $own = $high if $exe eq $program }
      elsif ($exe ne $program) {
        $exe =~ s{.*/}{};
        $peak{$exe} = $high if $high > ($peak{$exe} // 0);
      }
      look ($_, $depth + 1) for children ($pid);
    }
    my $began = time;
    my $pid = fork // die;
    if ($pid == 0) { exec { $command[0] } @command; die }
    while (waitpid ($pid, 1) == 0) { look ($pid, 0); sleep 0.004 }
    my $code = $?;
    open my $out, ">", $file or die;
    printf $out "%.2f %d %s\n", time - $began, $own, join (" ", map { "$_=$peak{$_}" } sort keys %peak);
    exit ($code != 0)' "$@"
}

# memory_row DESCRIPTION COMMAND...
memory_row ()
{
  local description=$1 seconds own children child text='' verdict=met
  shift
  note "memory: $description"
  clock_start
  must peaks "$lab/peaks" "$VIRT_KEEP" --store "$store" "$@"
  read -r seconds own children <"$lab/peaks"
  for child in $children; do
    text+="${text:+, }${child%=*} $((${child#*=} / 1024)) MiB"
  done
  [ "$own" -le $((64 << 10)) ] || verdict=missed
  note
  printf '  %-60s %7.2f  %4d MiB  %-19s  %s\n' "$description" "$seconds" $((own / 1024)) "<= 64 MiB: $verdict" "$text"
}

# time_row DESCRIPTION CONTENDER [ARGUMENT...] SUBJECT: what it would take by hand.
time_row ()
{
  note "memory: $1"
  "${@:2:$#-2}"
  note
  printf '  %-60s %7.2f\n' "$1" "$(sed -n "s/^${*: -1} $round //p" "$figures" | tail -n 1)"
}

memory_rows ()
{
  echo "$1"
  time_row "bare virDomainBackupBegin" bare_push copy bare-push-copy
  memory_row "virt-keep backup --mode push --level copy" backup "$domain" --mode push --level copy
  rm -r "${store:?}"
  if have nbdcopy; then
    time_row "backup-begin + nbdcopy + qemu-nbd" script_pull default copy script-default-copy
  fi
  memory_row "virt-keep backup --mode pull --level copy" backup "$domain" --mode pull --level copy
  memory_row "virt-keep restore --format qcow2" restore "$domain" --to "$lab/restored" --format qcow2
  rm -r "${store:?}" "$lab/restored"
}

part_memory ()
{
  local place
  round=once
  printf '\n%-62s %7s  %8s  %-19s  %s\n' "once each" seconds peak aim "peaks of the programs it starts"
  memory_rows "4 GiB disk, 1 GiB of data"
  domain=large size=1T
  make_domain large vda:qcow2:1T
  # A mebibyte in every eight gibibytes.
  for ((place = 0; place < 128; place++)); do
    guest_write large vda 0x5a $((place * 8))G 1M
  done
  guest_flush large vda
  memory_rows "1 TiB disk, 128 MiB of data"
  domain=bench size=4G
}

# ---- all of it -----------------------------------------------------------------

note "making the disk"
make_domain bench vda:qcow2:4G
fill_disk bench
note
print_machine
[ $# != 0 ] || set -- copy full restore restic memory
for part; do
  case $part in
    copy | full) part_backup "$part" ;;
    restore | restic | memory) "part_$part" ;;
    *) bail "no such part: $part" ;;
  esac
done

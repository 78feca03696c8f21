# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part memory of bench.sh.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other


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

# memory_row MIB DESCRIPTION COMMAND...: the aim is MIB at most.
memory_row ()
{
  local aim=$1 description=$2 seconds own children child text='' verdict=met
  shift 2
  note "memory: $description"
  clock_start
  must peaks "$lab/peaks" "$VIRT_KEEP" --store "$store" "$@"
  read -r seconds own children <"$lab/peaks"
  for child in $children; do
    text+="${text:+, }${child%=*} $((${child#*=} / 1024)) MiB"
  done
  [ "$own" -le $((aim << 10)) ] || verdict=missed
  note
  printf '  %-60s %7.2f  %4d MiB  %-19s  %s\n' "$description" "$seconds" $((own / 1024)) "<= $aim MiB: $verdict" "$text"
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
  memory_row 64 "virt-keep backup --mode push --level copy" backup "$domain" --mode push --level copy
  rm -r "${store:?}"
  if have nbdcopy; then
    time_row "backup-begin + nbdcopy + qemu-nbd" script_pull default copy script-default-copy
  fi
  memory_row 64 "virt-keep backup --mode pull --level copy" backup "$domain" --mode pull --level copy
  memory_row 64 "virt-keep restore --format qcow2" restore "$domain" --to "$lab/restored" --format qcow2
  rm -r "${store:?}" "$lab/restored"
}

# A disk of 2 TiB has a million chunks of 2 MiB: the index lists them, and the point that
# the backup builds on consists of them.
million_chunks ()
{
  local store=restic:$lab/million
  local swell=${VIRT_KEEP%/tool/virt-keep}/tests/restic/swell
  if ! [ -x "$swell" ]; then
    echo "a million chunks: left out, $swell is not built"
    return
  fi
  echo "2 TiB disk, a million different chunks in a restic repository"
  domain=million size=2T
  make_domain million vda:qcow2:2T
  guest_write million vda 0x5a 1G 1M
  must "$VIRT_KEEP" --store "$store" init
  must "$VIRT_KEEP" --store "$store" backup million --progress none
  must "$swell" "$lab/million"
  guest_write million vda 0x5b 1G 1M
  memory_row 200 "virt-keep backup, incremental" backup million
  memory_row 200 "virt-keep list" list
  rm -r "$lab/million"
  forget_domain million
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
  million_chunks
  domain=bench size=4G
}


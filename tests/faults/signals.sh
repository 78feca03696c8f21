#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup that is asked to stop, or whose terminal goes, stops as its exit status
# says; the guest and its points do not suffer, and the next backup succeeds.
# signals.sh [image|restic]
. "$(dirname "$0")/lib.sh"

# A terminal for the program after it: standard input and standard error.  Who shows it is
# a process of its own, whose end is the end of the terminal.
cat >"$lab/terminal.pl" <<'EOT'
use POSIX;
my $number = pack "i", 0;
sysopen my $master, "/dev/ptmx", O_RDWR | O_NOCTTY or die "ptmx: $!";
ioctl $master, 0x40045431, $number or die "TIOCSPTLCK: $!";
ioctl $master, 0x80045430, $number or die "TIOCGPTN: $!";
my $pid = fork;
if (!$pid) {
  open my $file, ">", shift @ARGV or die;
  print $file $$;
  close $file;
  while (sysread $master, my $text, 4096) { syswrite STDERR, $text }
  exit;
}
shift @ARGV;
POSIX::setsid ();
sysopen my $slave, "/dev/pts/" . unpack ("i", $number), O_RDWR or die "pts: $!";
close $master;
dup2 (fileno $slave, $_) for 0, 2;
exec @ARGV;
EOT

fault_lab "${1:-image}"
modes=pull
[ "$kind" = restic ] || modes="push pull"
for mode in $modes; do
  for signal in TERM:143 INT:130 HUP:129; do
    fault "SIG${signal%:*}, $kind, $mode"
    held "$mode"
    kill "-${signal%:*}" "$keeper"
    [ "$mode" = push ] || held_go
    keep_ends 60
    exits "${signal#*:}" "$fault_name: is what ends it"
    after_fault --mode "$mode"
    whole || break
  done

  fault "the terminal is gone, $kind, $mode"
  VG="perl $lab/terminal.pl $lab/terminal.pid" held "$mode"
  kill -KILL "$(cat "$lab/terminal.pid")"
  [ "$mode" = push ] || held_go
  keep_ends 60
  exits 129 "$fault_name: is what ends it"
  after_fault --mode "$mode"
done
faults_done

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of what gets into systemd's journal have in common, after lib.sh.  The journal is
# stood in for by a process that has its two sockets, where it has them, below a mount that only
# the test sees.
# shellcheck disable=SC2154,SC2034  # lab and its like are lib.sh's

# start_journal: false where only root could, or nothing can be mounted.  $lab/journal has the
# records, one a line: each field as NAME=VALUE, with a tab between two, as they come.  (A value
# with line feeds comes as NAME, line feed, its length in eight bytes, itself.)
start_journal ()
{
  [ "$(id -u)" = 0 ] || return
  mkdir -p /run/systemd && mount -t tmpfs -o mode=755 journal /run/systemd && mkdir /run/systemd/journal || return
  perl -MIO::Socket::UNIX -MSocket -e '
    my $stream = IO::Socket::UNIX->new (Type => SOCK_STREAM, Local => "/run/systemd/journal/stdout", Listen => 64) or die $!;
    my $socket = IO::Socket::UNIX->new (Type => SOCK_DGRAM, Local => "/run/systemd/journal/socket") or die $!;
    open my $out, ">>", $ARGV[0] or die $!;
    $out->autoflush (1);
    while (defined $socket->recv (my $record, 1 << 20)) {
      my @fields;
      while (length $record) {
        if ($record =~ s/\A([A-Z_]+)=([^\n]*)\n//) { push @fields, "$1=$2" }
        elsif ($record =~ s/\A([A-Z_]+)\n(.{8})//s) {
          my ($name, $length) = ($1, unpack "Q<", $2);
          my $value = substr $record, 0, $length + 1, "";
          chomp $value;
          push @fields, "$name=" . ($value =~ s/\n/\\n/gr);
        }
        else { push @fields, "BROKEN"; last }
      }
      print $out join ("\t", @fields), "\n";
    }' "$lab/journal" &
  journal=$!
  cleanup_fn kill "$journal"
  wait_for 20 test -S /run/systemd/journal/socket || bail "there is no journal"
}

# logged ARGUMENT...: runs virt-keep as a unit is run; $lab/journal has what came of it.
logged ()
{
  : >"$lab/journal"
  # shellcheck disable=SC2086  # VG is a command with its options
  perl -MIO::Socket::UNIX -e '
    my $journal = IO::Socket::UNIX->new (Type => SOCK_STREAM, Peer => "/run/systemd/journal/stdout") or die $!;
    open STDERR, ">&", $journal; open STDOUT, ">&", $journal;
    exec @ARGV' ${VG:-} "$VIRT_KEEP" "$@" </dev/null
  code=$?
  wait_for 20 grep -q VIRT_KEEP_EXIT_STATUS= "$lab/journal"
}

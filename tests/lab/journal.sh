#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: where standard error leads to systemd's journal, messages get there with domain, point,
# phase, class of error and exit status in fields of their own.
#
# The journal is stood in for by a process that has its two sockets, where it has them, below a
# mount that only this test sees.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can put a journal into place"
if ! { mkdir -p /run/systemd && mount -t tmpfs -o mode=755 journal /run/systemd && mkdir /run/systemd/journal; }; then
  skip_all "nothing can be mounted at /run/systemd"
fi

# The records of the journal, one a line: each field as NAME=VALUE, with a tab between two, as they come.
# A value with line feeds comes as NAME, line feed, its length in eight bytes, itself.
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

# logged ARGUMENT...: runs virt-keep as a unit is run; $records has what came of it.
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

# records FIELD=VALUE...: how many have all of these.
records ()
{
  local file=$lab/journal field
  cp "$file" "$lab/found"
  for field; do
    awk -F'\t' -v field="$field" '{ for (i = 1; i <= NF; i++) if ($i == field) { print; next } }' "$lab/found" >"$lab/some"
    mv "$lab/some" "$lab/found"
  done
  grep -c '' "$lab/found"
}

# field NAME: of the first record that the last records found.
field ()
{
  head -n 1 "$lab/found" | tr '\t' '\n' | sed -n "s/^$1=//p"
}

make_domain web vda:qcow2:16M
make_domain 'd&b' vda:qcow2:16M
uuid=$(virsh domuuid web | head -n 1)

logged --store "$store" backup web
is "$code" 0 "a backup under systemd"
is "$(records VIRT_KEEP_EVENT=phase VIRT_KEEP_DOMAIN=web VIRT_KEEP_PHASE=commit PRIORITY=6 SYSLOG_IDENTIFIER=virt-keep)" 1 "each phase is a record"
is "$(records VIRT_KEEP_EVENT=done VIRT_KEEP_EXIT_STATUS=0 VIRT_KEEP_COMMAND=backup VIRT_KEEP_DOMAIN=web "VIRT_KEEP_DOMAIN_UUID=$uuid")" 1 "and so is the result"
point=$(field VIRT_KEEP_POINT)
like "$(field MESSAGE)" "^Backed up web \(push, full\) as $point\\\\n +vda" "with all that it says, and the restore point"
is "$(points) $(grep -c BROKEN "$lab/journal")" "1 0" "which is there"

logged --store "$store" backup web --quiet --quiesce require
is "$(records PRIORITY=3 VIRT_KEEP_EVENT=failed VIRT_KEEP_ERROR=refused "VIRT_KEEP_EXIT_STATUS=$code" VIRT_KEEP_DOMAIN=web)" 1 "a failure is an error with its class and exit status"
is "$(wc -l <"$lab/journal")" 1 "and with --quiet it is all that there is"
logged --store "$store" backup
is "$code $(records PRIORITY=3 VIRT_KEEP_ERROR=usage VIRT_KEEP_EXIT_STATUS=2)" "2 1" "so is a command line that is wrong"

cat >"$lab/config" <<CONF
[backup d&b]
quiesce=require
CONF
logged --config "$lab/config" --store "$store" backup --all
wait_for 20 grep -q '	VIRT_KEEP_POINT=' "$lab/journal"
is "$code $(records VIRT_KEEP_ERROR=some-failed VIRT_KEEP_EXIT_STATUS=17)" "17 1" "of several domains some fail"
is "$(records VIRT_KEEP_EVENT=failed 'VIRT_KEEP_DOMAIN=d&b' VIRT_KEEP_ERROR=refused VIRT_KEEP_EXIT_STATUS=5)" 1 "the one that did has its record"
is "$(records VIRT_KEEP_EVENT=done VIRT_KEEP_DOMAIN=web "VIRT_KEEP_DOMAIN_UUID=$uuid" VIRT_KEEP_EXIT_STATUS=0)" 1 "and so has the one that did not"
like "$(field VIRT_KEEP_POINT)" '^web@20' "with its restore point"
holds "and what was told of them meanwhile has their names" test "$(records VIRT_KEEP_DOMAIN=web "MESSAGE=beginning the backup job")" = 1

keep --store "$store" backup web
is "$code $(grep -c 'beginning the backup job' "$err")" "0 1" "elsewhere messages are lines, as ever"

done_testing

# SPDX-License-Identifier: LGPL-2.1-or-later
# A small HTTP server for the tests of the restic store, which misbehaves on
# demand.  Only what comes with Perl is used.
#
#   TestHttp::serve (DIR, PORT, HANDLER)
#
# listens on 127.0.0.1 (port 0: any free one) or, for a PORT that begins with "/",
# on the unix socket of that path, writes the port to DIR/port, and gives each request to HANDLER as a hash; HANDLER returns [status, {headers}, body].
# Each connection is a process.  SIGTERM ends all of them.
#
# DIR/log gets a line "METHOD PATH STATUS" for each request, DIR/connections one for
# each connection.  DIR/fault may hold lines
#
#   METHOD PATTERN COUNT KIND [ARGUMENT]
#
# of which the first that fits (METHOD may be *, PATTERN is a regular expression
# for path and query) is carried out and counts down:
#
#   status N    the request is answered with status N and has no effect
#   wait N      with 503 and "Retry-After: N"
#   early N     status N before the body is read, and the connection is closed
#   reset       the connection is reset when half of the body is there; what came
#               is given to HANDLER as {partial}, for servers that keep it
#   lost        the request takes effect, the answer is lost
#   truncate    half of the answer's body, then the connection is closed
#   stall N     nothing happens for N seconds, nor later if the client has gone
#   wrong       a byte of what is stored, or of the answer to GET, is another
#   half        half of what is sent is stored
#   endless     an answer that does not end
#   trickle     an answer of which a byte comes now and then
package TestHttp;
use strict;
use warnings;
use Fcntl qw(:flock);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_LINGER TCP_NODELAY IPPROTO_TCP);

my %reasons = (200 => 'OK', 204 => 'No Content', 206 => 'Partial Content', 403 => 'Forbidden', 404 => 'Not Found', 503 => 'Service Unavailable', 507 => 'Insufficient Storage');

sub append
{
  my ($path, $text) = @_;
  open my $file, '>>', $path or die "$path: $!\n";
  syswrite $file, $text;
}

# take_fault (DIR, REQUEST): [kind, argument] or nothing.
sub take_fault
{
  my ($dir, $request) = @_;
  open my $file, '+<', "$dir/fault" or return;
  flock $file, LOCK_EX;
  my @lines = <$file>;
  my @fault;
  for my $line (@lines)
    {
      my ($method, $pattern, $count, $kind, $argument) = split ' ', $line;
      next unless $count and ($method eq '*' or $method eq $request->{method}) and "$request->{path}?$request->{query}" =~ /$pattern/;
      @fault = ($kind, $argument);
      $count--;
      $line = join (' ', $method, $pattern, $count, $kind, $argument // '') . "\n";
      last;
    }
  seek $file, 0, 0;
  truncate $file, 0;
  print $file @lines;
  close $file;
  return @fault;
}

# read_head (SOCKET, \BUFFER): the request without its body, or nothing.
sub read_head
{
  my ($socket, $buffer) = @_;
  while ($$buffer !~ /\r\n\r\n/)
    {
      sysread $socket, $$buffer, 65536, length $$buffer or return;
    }
  my ($head, $rest) = split /\r\n\r\n/, $$buffer, 2;
  $$buffer = $rest;
  my ($first, @lines) = split /\r\n/, $head;
  my ($method, $target) = $first =~ m{^(\S+) (\S+) HTTP/1\.1$} or return;
  # To a proxy the whole URL is said.
  $target =~ s{^http://[^/]*}{};
  my ($path, $query) = split /\?/, $target, 2;
  my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1, $2) : () } @lines;
  return { method => $method, path => $path, query => $query // '', headers => \%headers };
}

# read_body (SOCKET, \BUFFER, LENGTH): that many bytes, fewer when the client goes.
sub read_body
{
  my ($socket, $buffer, $length) = @_;
  while (length $$buffer < $length)
    {
      sysread $socket, $$buffer, 1 << 20, length $$buffer or last;
    }
  return substr $$buffer, 0, $length, '';
}

sub answer
{
  my ($socket, $request, $status, $headers, $body, $send) = @_;
  my $length = delete $headers->{'Content-Length'} // length $body;
  my $head = "HTTP/1.1 $status " . ($reasons{$status} // 'Status') . "\r\nContent-Length: $length\r\n" . join ('', map { "$_: $headers->{$_}\r\n" } sort keys %$headers) . "\r\n";
  $body = '' if $request->{method} eq 'HEAD';
  $body = substr $body, 0, $send if defined $send;
  my $text = $head . $body;
  while (length $text)
    {
      my $sent = syswrite $socket, $text, 1 << 20 or return;
      substr $text, 0, $sent, '';
    }
  return 1;
}

# flip (TEXT): with another byte in the middle.
sub flip
{
  my ($text) = @_;
  substr ($text, length ($text) / 2, 1) ^= "\x01" if length $text;
  return $text;
}

# Carries out the faults that come before the body is read.  True: no more of
# this connection.
sub fault_before_body
{
  my ($socket, $buffer, $request, $handler, $kind, $argument) = @_;
  my $length = $request->{headers}{'content-length'} // 0;
  if ($kind eq 'stall')
    {
      sleep $argument;
      # TCP_INFO begins with the state; 1 is established.
      exit 0 if unpack ('C', getsockopt ($socket, 6, 11)) != 1;
    }
  elsif ($kind eq 'early')
    {
      answer ($socket, $request, $argument, { Connection => 'close' }, '');
      # Reading on for a moment: a reset could overtake the answer.
      shutdown $socket, 1;
      my $until = time + 2;
      1 while time < $until and sysread $socket, my $rest, 1 << 20;
      return 1;
    }
  elsif ($kind eq 'reset')
    {
      syswrite $socket, "HTTP/1.1 100 Continue\r\n\r\n" if delete $request->{headers}{expect};
      $request->{body} = read_body ($socket, $buffer, int ($length / 2));
      $request->{partial} = 1;
      $handler->($request);
      setsockopt $socket, SOL_SOCKET, SO_LINGER, pack ('ii', 1, 0);
      return 1;
    }
  return 0;
}

# The answer to a request that has come whole; undef: the connection is to end.
sub respond
{
  my ($dir, $socket, $request, $handler, $kind, $argument) = @_;
  my $writes = $request->{method} eq 'PUT' || $request->{method} eq 'POST';
  if ($kind eq 'endless')
    {
      syswrite $socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
      1 while syswrite $socket, "10000\r\n" . ('x' x 65536) . "\r\n";
      return;
    }
  if ($kind eq 'trickle')
    {
      syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
      select undef, undef, undef, 0.1 while syswrite $socket, 'x';
      return;
    }
  $request->{stored} = flip ($request->{body}) if $kind eq 'wrong' and $writes;
  $request->{stored} = substr $request->{body}, 0, length ($request->{body}) / 2 if $kind eq 'half';
  my ($status, $headers, $body) = @{ $kind eq 'status' ? [$argument, {}, "fault injected\n"] : $kind eq 'wait' ? [503, { 'Retry-After' => $argument }, ''] : $handler->($request) };
  append ("$dir/log", "$request->{method} $request->{path}" . ($request->{query} ne '' ? "?$request->{query}" : '') . " $status\n");
  return if $kind eq 'lost';
  $body = flip ($body) if $kind eq 'wrong' and $request->{method} eq 'GET';
  answer ($socket, $request, $status, $headers, $body, $kind eq 'truncate' ? int (length ($body) / 2) : undef) or return;
  return $kind ne 'truncate';
}

sub converse
{
  my ($dir, $socket, $handler) = @_;
  my $buffer = '';
  while (my $request = read_head ($socket, \$buffer))
    {
      my ($kind, $argument) = (take_fault ($dir, $request), '', 0);
      return if fault_before_body ($socket, \$buffer, $request, $handler, $kind, $argument);
      my $length = $request->{headers}{'content-length'} // 0;
      syswrite $socket, "HTTP/1.1 100 Continue\r\n\r\n" if lc ($request->{headers}{expect} // '') eq '100-continue';
      $request->{body} = read_body ($socket, \$buffer, $length);
      if (length $request->{body} < $length)
        {
          # The client has gone: what came of it is for servers that keep such.
          $request->{partial} = 1;
          $handler->($request);
          return;
        }
      respond ($dir, $socket, $request, $handler, $kind, $argument) or return;
    }
}

sub serve
{
  my ($dir, $port, $handler) = @_;
  setpgrp 0, 0;
  my $on_path = $port =~ m{^/};
  my $listener = $on_path ? IO::Socket::UNIX->new (Local => $port, Listen => 128)
                          : IO::Socket::INET->new (LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128, ReuseAddr => 1);
  die "$port: $!\n" unless $listener;
  $SIG{CHLD} = 'IGNORE';
  $SIG{PIPE} = 'IGNORE';
  $SIG{TERM} = sub { $SIG{TERM} = 'IGNORE'; kill 'KILL', -$$; exit 0 };
  open my $file, '>', "$dir/port.new" or die "$dir/port.new: $!\n";
  print $file $on_path ? $port : $listener->sockport, "\n";
  close $file;
  rename "$dir/port.new", "$dir/port";
  while (1)
    {
      my $socket = $listener->accept or next;
      append ("$dir/connections", "accepted\n");
      next if fork;
      $SIG{TERM} = 'DEFAULT';
      close $listener;
      setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 unless $on_path;
      converse ($dir, $socket, $handler);
      exit 0;
    }
}

# ---- files ----

sub slurp
{
  my ($path) = @_;
  open my $file, '<:raw', $path or return;
  local $/;
  return scalar (<$file>) // '';
}

# store (PATH, BYTES): in one step.
sub store
{
  my ($path, $bytes) = @_;
  my $directory = $path =~ s{/[^/]*$}{}r;
  my $made = '';
  for (split m{/}, $directory) { $made .= "$_/"; mkdir $made }
  open my $file, '>:raw', "$path.$$.tmp" or die "$path: $!\n";
  print $file $bytes;
  close $file or die "$path: $!\n";
  rename "$path.$$.tmp", $path or die "$path: $!\n";
}

# find (DIR): the files below DIR, as paths relative to it, sorted.
sub find
{
  my ($dir, $below) = @_;
  my @found;
  opendir my $handle, $dir or return;
  for (sort readdir $handle)
    {
      next if /^\.\.?$/ or /\.tmp$/;
      push @found, -d "$dir/$_" ? find ("$dir/$_", ($below // '') . "$_/") : ($below // '') . $_;
    }
  return sort @found;
}

# range (REQUEST, BYTES): [status, {headers}, bytes] for a Range header.
sub range
{
  my ($request, $bytes) = @_;
  my $range = $request->{headers}{range} // '';
  my $size = length $bytes;
  return [200, {}, $bytes] unless $range =~ /^bytes=(\d+)-(\d*)$/;
  return [416, { 'Content-Range' => "bytes */$size" }, ''] if $1 >= $size;
  my $last = $2 eq '' || $2 >= $size ? $size - 1 : $2;
  return [206, { 'Content-Range' => "bytes $1-$last/$size" }, substr $bytes, $1, $last - $1 + 1];
}

1;

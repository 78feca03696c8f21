#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# rest-server.pl DIR PORT: a server of restic's REST protocol that is as careless
# as the protocol allows: it checks nothing, overwrites what is there, and keeps
# what came of an upload that was broken off.  See TestHttp.pm.
#
# Environment: REST_V1 (lists as version 1 has them), REST_STRICT (as rest-server
# with --append-only: the hash of an upload must be its name, nothing is
# replaced, only locks are deleted), REST_NO_RANGE (answers with the whole file).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(sha256_hex);
use TestHttp;

my ($dir, $port) = @ARGV;

sub list
{
  my ($type) = @_;
  my @paths = TestHttp::find ("$dir/repo/$type");
  my @items = map { my $size = -s "$dir/repo/$type/$_"; my ($name) = m{([^/]*)$}; $ENV{REST_V1} ? "\"$name\"" : "{\"name\":\"$name\",\"size\":$size}" } @paths;
  my $version = $ENV{REST_V1} ? 1 : 2;
  return [200, { 'Content-Type' => "application/vnd.x.restic.rest.v$version" }, '[' . join (',', @items) . ']'];
}

sub save
{
  my ($path, $type, $name, $request) = @_;
  my $bytes = $request->{stored} // $request->{body};
  if ($ENV{REST_STRICT})
    {
      return if $request->{partial};
      return [403, {}, ''] if -e $path;
      return [400, {}, "unexpected hash\n"] if $type ne 'config' and sha256_hex ($bytes) ne $name;
    }
  TestHttp::store ($path, $bytes);
  return [200, {}, ''];
}

sub handle
{
  my ($request) = @_;
  my ($type, $name) = $request->{path} =~ m{^/repo/(config|data|keys|locks|snapshots|index)?/?([^/]*)$} or return [404, {}, ''];
  return [$request->{query} eq 'create=true' ? 200 : 400, {}, ''] if not defined $type;
  my $path = $type eq 'config' ? "$dir/repo/config" : "$dir/repo/$type/$name";
  return save ($path, $type, $name, $request) if $request->{method} eq 'POST';
  return list ($type) if $type ne 'config' and $name eq '';
  return [404, {}, ''] unless -f $path;
  if ($request->{method} eq 'DELETE')
    {
      return [403, {}, ''] if $ENV{REST_STRICT} and $type ne 'locks';
      unlink $path;
      return [200, {}, ''];
    }
  my $bytes = TestHttp::slurp ($path);
  return $ENV{REST_NO_RANGE} ? [200, {}, $bytes] : TestHttp::range ($request, $bytes);
}

TestHttp::serve ($dir, $port, \&handle);

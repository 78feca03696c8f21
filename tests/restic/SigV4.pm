# SPDX-License-Identifier: LGPL-2.1-or-later
# AWS Signature Version 4, from the reader's side: it takes the request as it
# came over the wire, and not what a client meant.
package SigV4;
use strict;
use warnings;
use Digest::SHA qw(sha256_hex hmac_sha256 hmac_sha256_hex);
use Exporter 'import';
our @EXPORT_OK = qw(signature parse_authorization unescape);

sub unescape
{
  my ($text) = @_;
  $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
  return $text;
}

sub escape
{
  my ($text, $keep) = @_;
  $text =~ s/([^A-Za-z0-9\-._~$keep])/sprintf '%%%02X', ord $1/ge;
  return $text;
}

# parse_authorization (HEADER): access key, date, region, service, list of signed
# headers, signature; nothing when it is not well-formed.
sub parse_authorization
{
  my ($header) = @_;
  return unless $header =~ m{^AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$};
  return ($1, $2, $3, $4, [split /;/, $5], $6);
}

sub canonical_query
{
  my ($raw) = @_;
  my @pairs = map { my ($name, $value) = split /=/, $_, 2; [escape (unescape ($name), ''), escape (unescape ($value // ''), '')] } split /&/, $raw;
  return join '&', map { "$_->[0]=$_->[1]" } sort { $a->[0] cmp $b->[0] or $a->[1] cmp $b->[1] } @pairs;
}

# signature (method, raw path, raw query, {lower-case name => value}, [signed
# names], payload hash, secret, date, region, service, time)
sub signature
{
  my ($method, $path, $query, $headers, $signed, $payload, $secret, $date, $region, $service, $time) = @_;
  my $lines = join '', map { my $value = $headers->{$_} // ''; $value =~ s/^\s+|\s+$//g; $value =~ s/\s+/ /g; "$_:$value\n" } @$signed;
  my $canonical = join "\n", $method, escape (unescape ($path), '/'), canonical_query ($query), $lines, join (';', @$signed), $payload;
  my $to_sign = join "\n", 'AWS4-HMAC-SHA256', $time, "$date/$region/$service/aws4_request", sha256_hex ($canonical);
  my $key = hmac_sha256 ($date, "AWS4$secret");
  $key = hmac_sha256 ($_, $key) for $region, $service, 'aws4_request';
  return hmac_sha256_hex ($to_sign, $key);
}

1;

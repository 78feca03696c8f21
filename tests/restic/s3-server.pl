#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# s3-server.pl DIR PORT: as much of S3 as a restic repository needs, and strict
# about what a client gets wrong easily: the signature and all that it must cover,
# the hashes of the content, the clock, the region.  See TestHttp.pm.
#
# Environment: S3_KEY, S3_SECRET, S3_TOKEN (no session token unless set), S3_REGION,
# S3_PAGE (objects in a page of a list), S3_NO_DELETE (403 for DELETE),
# S3_KMS (an ETag that is not the MD5, as with server-side encryption).
# The host name is BUCKET.s3.localhost for a bucket in the host, else in the path.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::MD5 qw(md5_base64 md5_hex);
use Digest::SHA qw(sha256_hex);
use Time::Local qw(timegm);
use SigV4 qw(signature parse_authorization unescape);
use TestHttp;

my ($dir, $port) = @ARGV;
my $key_id = $ENV{S3_KEY} // 'TESTKEY';
my $secret = $ENV{S3_SECRET} // 'test/secret+key';
my $region = $ENV{S3_REGION} // 'us-east-1';
my $page = $ENV{S3_PAGE} // 1000;

sub escape_xml
{
  my ($text) = @_;
  my %entities = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
  $text =~ s/([&<>])/$entities{$1}/g;
  return $text;
}

sub fail
{
  my ($status, $code, $message, $more) = @_;
  return [$status, { 'Content-Type' => 'application/xml', 'x-amz-bucket-region' => $region },
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>$code</Code><Message>" . escape_xml ($message) . '</Message>' . ($more // '') . '</Error>'];
}

# What is wrong with the signature: a failure, or nothing.
sub wrong_signature
{
  my ($request) = @_;
  my %headers = %{ $request->{headers} };
  return fail (403, 'AccessDenied', 'Access Denied') unless defined $headers{authorization};
  my ($id, $date, $in_region, $service, $signed, $given) = parse_authorization ($headers{authorization})
    or return fail (400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed');
  return fail (403, 'InvalidAccessKeyId', 'The access key ID does not exist') if $id ne $key_id;
  return fail (400, 'AuthorizationHeaderMalformed', "the region '$in_region' is wrong; expecting '$region'", "<Region>$region</Region>") if $in_region ne $region;
  return fail (400, 'AuthorizationHeaderMalformed', "the service '$service' is wrong") if $service ne 's3';
  my $time = $headers{'x-amz-date'} // '';
  return fail (403, 'AccessDenied', 'X-Amz-Date is missing or wrong') unless $time =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/ and "$1$2$3" eq $date;
  return fail (403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large')
    if abs (time - timegm ($6, $5, $4, $3, $2 - 1, $1)) > 15 * 60;
  my %is_signed = map { $_ => 1 } @$signed;
  for (grep { /^x-amz-/ || $_ eq 'host' || $_ eq 'content-md5' || $_ eq 'content-type' } keys %headers)
    {
      return fail (403, 'AccessDenied', "There were headers present in the request which were not signed: $_") unless $is_signed{$_};
    }
  return fail (403, 'AccessDenied', 'The signed headers are not sorted') if join (';', @$signed) ne join (';', sort @$signed);
  return fail (400, 'InvalidToken', 'The provided token is malformed or otherwise invalid') if ($headers{'x-amz-security-token'} // '') ne ($ENV{S3_TOKEN} // '');
  my $payload = $headers{'x-amz-content-sha256'} // '';
  return fail (400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256') unless $payload =~ /^[0-9a-f]{64}$/;
  my $expected = signature ($request->{method}, $request->{path}, $request->{query}, \%headers, $signed, $payload, $secret, $date, $in_region, $service, $time);
  return fail (403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided') if $given ne $expected;
  return fail (400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed") if $payload ne sha256_hex ($request->{body});
  return;
}

sub wrong_content
{
  my ($request) = @_;
  my $md5 = $request->{headers}{'content-md5'};
  return fail (400, 'InvalidRequest', 'Missing required header for this request: Content-MD5') unless defined $md5;
  return fail (400, 'BadDigest', 'The Content-MD5 you specified did not match what we received') if $md5 ne md5_base64 ($request->{body}) . '==';
  return;
}

sub list
{
  my ($bucket, $query) = @_;
  my %query = map { my ($name, $value) = split /=/, $_, 2; (unescape ($name), unescape ($value // '')) } split /&/, $query;
  return fail (501, 'NotImplemented', 'only list-type=2') if ($query{'list-type'} // '') ne '2';
  my @keys = grep { index ($_, $query{prefix} // '') == 0 } TestHttp::find ("$dir/buckets/$bucket");
  my $after = $query{'continuation-token'} // '';
  @keys = grep { "after-$_/+=" gt $after } @keys if $after ne '';
  my $more = @keys > $page;
  @keys = @keys[0 .. $page - 1] if $more;
  my $text = '<?xml version="1.0" encoding="UTF-8"?>' . "\n" . '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>' . $bucket . '</Name>';
  $text .= '<KeyCount>' . @keys . '</KeyCount><IsTruncated>' . ($more ? 'true' : 'false') . '</IsTruncated>';
  $text .= '<NextContinuationToken>' . escape_xml ("after-$keys[-1]/+=") . '</NextContinuationToken>' if $more;
  $text .= '<Contents><Key>' . escape_xml ($_) . '</Key><Size>' . (-s "$dir/buckets/$bucket/$_") . '</Size><StorageClass>STANDARD</StorageClass></Contents>' for @keys;
  return [200, { 'Content-Type' => 'application/xml' }, "$text</ListBucketResult>"];
}

sub do_bucket
{
  my ($bucket, $request) = @_;
  my $exists = -d "$dir/buckets/$bucket";
  if ($request->{method} eq 'PUT')
    {
      return fail (409, 'BucketAlreadyOwnedByYou', 'It is yours already') if $exists;
      return fail (400, 'IllegalLocationConstraintException', 'The region is not said')
        if $region ne 'us-east-1' and $request->{body} !~ m{<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\s*<LocationConstraint>\Q$region\E</LocationConstraint>};
      mkdir "$dir/buckets";
      mkdir "$dir/buckets/$bucket";
      return [200, {}, ''];
    }
  return fail (404, 'NoSuchBucket', 'The specified bucket does not exist') unless $exists;
  return [200, { 'x-amz-bucket-region' => $region }, ''] if $request->{method} eq 'HEAD';
  return list ($bucket, $request->{query}) if $request->{method} eq 'GET';
  return fail (405, 'MethodNotAllowed', 'not for a bucket');
}

sub object_headers
{
  my ($bytes) = @_;
  return (ETag => '"' . md5_hex ("x$bytes") . '"', 'x-amz-server-side-encryption' => 'aws:kms') if $ENV{S3_KMS};
  return (ETag => '"' . md5_hex ($bytes) . '"');
}

sub do_object
{
  my ($bucket, $key, $request) = @_;
  my $path = "$dir/buckets/$bucket/$key";
  return fail (404, 'NoSuchBucket', 'The specified bucket does not exist') unless -d "$dir/buckets/$bucket";
  if ($request->{method} eq 'PUT')
    {
      my $wrong = wrong_content ($request);
      return $wrong if $wrong;
      my $bytes = $request->{stored} // $request->{body};
      TestHttp::store ($path, $bytes);
      return [200, { object_headers ($bytes) }, ''];
    }
  if ($request->{method} eq 'DELETE')
    {
      return fail (403, 'AccessDenied', 'Access Denied') if $ENV{S3_NO_DELETE};
      unlink $path;
      return [204, {}, ''];
    }
  my $bytes = -f $path ? TestHttp::slurp ($path) : undef;
  return fail (404, 'NoSuchKey', 'The specified key does not exist.') unless defined $bytes;
  my $answer = TestHttp::range ($request, $bytes);
  $answer->[1] = { %{ $answer->[1] }, object_headers ($bytes) };
  return $answer;
}

sub handle
{
  my ($request) = @_;
  # An object is there whole or not at all.
  return if $request->{partial};
  my $wrong = wrong_signature ($request);
  return $wrong if $wrong;
  my $path = unescape ($request->{path});
  my ($bucket, $key) = $path =~ m{^/([^/]*)/?(.*)$}s;
  ($bucket, $key) = ($1, substr $path, 1) if $request->{headers}{host} =~ /^(.+)\.s3\.localhost/;
  return fail (400, 'InvalidBucketName', 'The specified bucket is not valid') unless $bucket =~ /^[a-z0-9.-]+$/ and $key !~ m{(^|/)\.\.?(/|$)};
  return $key eq '' ? do_bucket ($bucket, $request) : do_object ($bucket, $key, $request);
}

TestHttp::serve ($dir, $port, \&handle);

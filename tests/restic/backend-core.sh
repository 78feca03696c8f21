#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a whole repository of ours lives behind a REST server and in S3 as it does
# in a directory, and restic finds nothing wrong with it, also when the server fails
# now and then.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
needs restic rclone

export RESTIC_PASSWORD=test HOME=$scratch XDG_CACHE_HOME=$scratch/cache
chunk=$((1 << 20))

# core ARGUMENT...: runs the core; $code, $out and $err as with keep.
core ()
{
  # shellcheck disable=SC2086  # a command with its arguments
  timeout 120 $VG "$(dirname "$exerciser")/repo-tool" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# stock_restic ARGUMENT...: the real one at $url.
# shellcheck disable=SC2317  # called by holds
stock_restic ()
{
  restic ${RESTIC_CACERT:+--cacert "$RESTIC_CACERT"} -r "$url" "$@"
}

# shellcheck disable=SC2317  # called by holds
restic_dump ()
{
  stock_restic dump "$1" /vda.raw | cmp - "$2"
}

# lives WHERE: a repository at $url, without restic.
lives ()
{
  core init "$url"
  exits 0 "$1: a repository is made"
  core init "$url"
  like "$(cat "$err")" "there is a restic repository in .* already" "$1: and not twice"
  core save "$url" "$scratch/disk1" $chunk
  exits 0 "$1: a disk is saved"
  first=$(cat "$out")
  core save "$url" "$scratch/disk2" $chunk
  exits 0 "$1: and, changed a little, again"
  second=$(cat "$out")
  core dump "$url" "$first" /vda.raw
  holds "$1: the first one comes back" cmp "$scratch/disk1" "$out"
  core dump "$url" "$second" /vda.raw
  holds "$1: and the second one" cmp "$scratch/disk2" "$out"
}

# also_for_restic WHERE
also_for_restic ()
{
  holds "$1: restic check --read-data finds nothing wrong" stock_restic check --read-data
  holds "$1: restic dump gives back the first disk" restic_dump "$first" "$scratch/disk1"
  holds "$1: restic forget --prune removes it" stock_restic forget --prune "$first"
  core dump "$url" "$second" /vda.raw
  holds "$1: and we still have the second one" cmp "$scratch/disk2" "$out"
}

make_file disk1 $((20 * chunk))
cp "$scratch/disk1" "$scratch/disk2"
head -c $chunk /dev/urandom | dd of="$scratch/disk2" bs=$chunk seek=3 conv=notrunc status=none

serve_rclone rclone
url=rest:http://127.0.0.1:$port/repo
lives rclone
also_for_restic rclone

S3_PAGE=3 serve s3-server.pl s3
url=s3:http://127.0.0.1:$port/bucket/repo
lives "strict S3"

# Each kind of request fails in some way, every now and then.
S3_PAGE=3 serve s3-server.pl flaky
url=s3:http://127.0.0.1:$port/bucket/repo
faults 'PUT . 1 status 500' 'PUT config 1 lost' 'PUT keys 1 reset' 'HEAD . 3 status 503' 'GET . 2 truncate' 'PUT data 2 reset' 'PUT data 1 half' 'PUT data 1 lost' \
  'PUT index 1 wrong' 'PUT snapshots 1 status 503' 'PUT locks 1 stall 3' 'DELETE locks 1 lost' 'GET prefix= 2 status 500' 'GET data 2 reset'
lives "flaky S3"
is "$(faults_left)" "" "and every failure has happened"
is "$(find "$state/buckets/bucket/repo/locks" -type f)" "" "no lock is left"

make_certificates
serve_s3rver
export RESTIC_CACERT=$scratch/ca.pem AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER
url=s3:https://localhost:$port/vmbackup/repo
lives s3rver
also_for_restic s3rver

done_testing

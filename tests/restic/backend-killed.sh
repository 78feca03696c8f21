#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a server that is killed in the middle of an upload and comes back, or whose
# disk is full in earnest, costs time and nothing else.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
needs rclone

# begin_save: an upload of $scratch/file in the background, as $upload.
begin_save ()
{
  # shellcheck disable=SC2086  # a command with its arguments
  timeout 120 $VG "$exerciser" "$url" save data "$scratch/file" >"$out" 2>"$err" </dev/null &
  upload=$!
}

# end_save CODE CLAIM
end_save ()
{
  wait "$upload"
  code=$?
  exits "$1" "$2"
}

# A process group, as our own servers are one for each server.
kill_server ()
{
  kill -KILL "-$server" 2>/dev/null || kill -KILL "$server"
  wait "$server" 2>/dev/null
}

# holds_bytes FILE N: it exists and has at least so many.
# shellcheck disable=SC2317  # called by wait_for
holds_bytes ()
{
  [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

make_file file 20000000

# ---- rclone: half a file stays behind ------------------------------------------------

# rclone PORT [OPTION...]
start_rclone ()
{
  local at=$1
  shift
  background "$scratch/rclone.log" rclone --config "$scratch/rclone.conf" serve restic --addr "127.0.0.1:$at" "$@" "$scratch/objects"
  wait_for 20 answers "$at"
}

mkdir "$scratch/objects"
port=$(free_port)
url=rest:http://127.0.0.1:$port/repo
stored=$scratch/objects/repo/data/${sum:0:2}/$sum
start_rclone "$port" --bwlimit 4M
exercise create
begin_save
holds "an upload to rclone is on its way" wait_for 30 holds_bytes "$stored" 1000000
kill_server
holds "rclone, killed then, leaves a part of it" test "$(stat -c %s "$stored")" -lt 20000000
start_rclone "$port"
end_save 0 "when rclone is back, the upload goes through"
is "$(sha256sum <"$stored")" "$sum  -" "and is whole"
exercise remove data "$sum"

VIRT_KEEP_RETRY_SECONDS=3
kill_server
start_rclone "$port" --bwlimit 4M
begin_save
wait_for 30 holds_bytes "$stored" 1000000
kill_server
end_save 9 "when it does not come back, the upload fails"
like "$(cat "$err")" "$url: cannot store data/$sum: .*does the server run" "with a sentence"
VIRT_KEEP_RETRY_SECONDS=20
start_rclone "$port"
exercise save data "$scratch/file"
exits 0 "and the next one replaces the part that was left"
is "$(sha256sum <"$stored")" "$sum  -" "by the whole"

# The same, but cancelled by its user.
exercise remove data "$sum"
kill_server
start_rclone "$port" --bwlimit 4M
EXERCISER_CANCEL_MS=1500 exercise save data "$scratch/file"
exits 120 "an upload is cancelled in its middle"
holds "and nothing of it is left" wait_for 10 test ! -e "$stored"
kill_server

# ---- S3 ------------------------------------------------------------------------------

serve s3-server.pl s3
url=s3:http://127.0.0.1:$port/bucket
exercise create
exercise save data "$scratch/file"
exercise remove data "$sum"
faults "PUT data 1 stall 60"
begin_save
holds "an upload to S3 is on its way" wait_for 20 grep -q " 0 stall" "$state/fault"
kill_server
sleep 1
serve s3-server.pl s3 "$port"
end_save 0 "S3, killed then and back, gets it whole"
is "$(sha256sum <"$state/buckets/bucket/data/${sum:0:2}/$sum")" "$sum  -" "and has it"

# ---- a full disk ------------------------------------------------------------------------

mkdir "$scratch/small"
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
  port=$(free_port)
  url=rest:http://127.0.0.1:$port/repo
  # shellcheck disable=SC2016  # of that shell
  background "$scratch/full.log" unshare --mount sh -c 'mount -t tmpfs -o size=4M tmpfs "$0" && exec "$@" "$0"' "$scratch/small" \
    rclone --config "$scratch/rclone.conf" serve restic --addr "127.0.0.1:$port"
  wait_for 20 answers "$port"
  exercise create
  VIRT_KEEP_RETRY_SECONDS=3 exercise save data "$scratch/file"
  exits 9 "a disk that is full ends the upload in a failure"
  like "$(cat "$err")" "$url: cannot store data/$sum: " "with a sentence"
  exercise list data
  is "$(cat "$out")" "" "and nothing of it is left"
  make_file file 1000000
  exercise save data "$scratch/file"
  exits 0 "what has room is stored afterwards"
else
  skip "a disk that is full ends the upload in a failure" "only root may mount a small one"
fi

done_testing

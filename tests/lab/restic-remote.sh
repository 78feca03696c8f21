#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: backups go into a repository behind a REST server and in S3, an incremental
# sends little more than what has changed, and every point comes back byte for byte
# from there; a server that is gone is a failure that leaves nothing behind.
#
# shellcheck disable=SC2317  # shellcheck 0.9 does not see what a name in a variable calls
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
[ -e "${VIRT_KEEP_NBDKIT_PLUGIN:=$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}" ] || skip_all "the nbdkit plugin is not built"
command -v nbdkit >/dev/null || skip_all "nbdkit is not installed"
command -v rclone >/dev/null || skip_all "rclone is not installed"
export VIRT_KEEP_NBDKIT_PLUGIN
export AWS_ACCESS_KEY_ID=TESTKEY AWS_SECRET_ACCESS_KEY=test/secret+key VIRT_KEEP_RETRY_SECONDS=5
unset AWS_SESSION_TOKEN AWS_DEFAULT_REGION AWS_REGION AWS_PROFILE

# answers PORT
answers ()
{
  perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new (PeerAddr => "127.0.0.1", PeerPort => $ARGV[0])' "$1"
}

# Each server keeps its files in $lab/KIND; $server is its process, $store the URL.
serve_rest ()
{
  local port
  port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new (LocalAddr => "127.0.0.1", Listen => 1)->sockport')
  mkdir "$lab/rest"
  rclone --config "$lab/rclone.conf" serve restic --addr "127.0.0.1:$port" "$lab/rest" >"$lab/rest.log" 2>&1 </dev/null &
  server=$!
  wait_for 20 answers "$port" || bail "rclone does not start: $(tail -n 1 "$lab/rest.log")"
  store=restic:rest:http://127.0.0.1:$port/backups
}

serve_s3 ()
{
  mkdir "$lab/s3"
  perl "$lab_sources/../restic/s3-server.pl" "$lab/s3" 0 >"$lab/s3.log" 2>&1 </dev/null &
  server=$!
  wait_for 20 test -e "$lab/s3/port" || bail "the S3 server does not start: $(tail -n 1 "$lab/s3.log")"
  store=restic:s3:http://127.0.0.1:$(cat "$lab/s3/port")/backups/hosts
}

# kept KIND: bytes that the server has on its disk.
kept ()
{
  du -sb "$lab/$1" | cut -f1
}

# comes_back POINT FILE WHAT: the disk of the point is restored as FILE.
comes_back ()
{
  rm -rf "$lab/out"
  keep --store "$store" --json restore "$1" --to "$lab/out" --format raw
  exits 0 "$3 is restored"
  holds "$3 has the bytes of its instant" cmp "$lab/out/vda.raw" "$2"
}

make_domain guest vda:qcow2:128M

# guest_random OFFSET LENGTH: bytes that nobody has seen before.
guest_random ()
{
  head -c "${2^^}" /dev/urandom >"$lab/random"
  chmod 0644 "$lab/random"
  guest_io guest vda "write -s $lab/random $1 $2"
}

guest_random 1M 4M
guest_write guest vda 0x42 64M 8M

for kind in rest s3; do
  serve_$kind
  cleanup_fn kill "$server"
  keep --store "$store" --json init
  exits 0 "$kind: a repository is made"
  shadow guest vda "$lab/full.raw"
  keep --store "$store" --json backup guest
  exits 0 "$kind: a full backup"
  full=$(json .point)
  before=$(kept $kind)
  guest_random 100M 512k
  shadow guest vda "$lab/incremental.raw"
  keep --store "$store" --json backup guest
  exits 0 "$kind: another backup"
  is "$(json .level)" incremental "$kind: which is incremental"
  incremental=$(json .point)
  grown=$(($(kept $kind) - before))
  holds "$kind: it has sent 512 KiB and little more ($grown bytes)" test $((grown >> 16)) = 8
  is "$(points)" 2 "$kind: both are listed"
  keep --store "$store" --json verify --all --data
  exits 0 "$kind: every byte of both verifies"
  comes_back "$full" "$lab/full.raw" "$kind: the full"
  comes_back "$incremental" "$lab/incremental.raw" "$kind: the incremental"
  RESTIC_PASSWORD=wrong keep --store "$store" --json list
  is "$(json .error.class)" refused "$kind: a wrong password opens nothing"

  remembered=$(checkpoints guest)
  kill "$server"
  wait "$server" 2>/dev/null
  keep --store "$store" --json backup guest
  holds "$kind: without its server a backup fails" test "$code" != 0
  like "$(json .error.message)" "127\.0\.0\.1" "$kind: and says where it looked"
  is "$(checkpoints guest)" "$remembered" "$kind: the checkpoints are those from before"
  holds "$kind: no job is left" no_job guest
done

done_testing

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of the REST and S3 backends start with, beside what cli/lib.sh
# gives: servers on 127.0.0.1 that end with the test, and backend-exerciser.
#
#   . "$(dirname "$0")/server-lib.sh"
#
# Environment: VG is a command to run backend-exerciser under.
# shellcheck source-path=SCRIPTDIR source=../cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"

restic_tests=$source_dir/tests/restic
exerciser=${G_TEST_BUILDDIR:-$source_dir/build/tests}/restic/backend-exerciser
if ! [ -x "$exerciser" ]; then
  echo "Bail out! there is no $exerciser"
  exit 99
fi

unset RESTIC_CACERT RESTIC_TLS_CLIENT_CERT RESTIC_REST_USERNAME RESTIC_REST_PASSWORD \
  AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE AWS_SESSION_TOKEN AWS_DEFAULT_REGION AWS_REGION \
  VIRT_KEEP_S3_BUCKET_LOOKUP http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export AWS_ACCESS_KEY_ID=TESTKEY AWS_SECRET_ACCESS_KEY=test/secret+key
# For servers that come back, but not for ever; and for those that say nothing.
export VIRT_KEEP_RETRY_SECONDS=20 VIRT_KEEP_STALL_SECONDS=2
VG=${VG:-}
url=

# skip_all WHY: where everything has to run, as in CI, that is a failure.
skip_all ()
{
  if [ "${VIRT_KEEP_LAB_MUST_WORK:-}" = 1 ]; then
    not_ok "this test runs: $1"
    done_testing
  fi
  echo "1..0 # SKIP $1"
  exit 0
}

needs ()
{
  local program
  for program; do
    command -v "$program" >/dev/null || skip_all "there is no $program"
  done
}

# ---- servers -------------------------------------------------------------------

servers=()
# shellcheck disable=SC2317  # a cleanup
stop_all ()
{
  local pid
  for pid in "${servers[@]}"; do
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
}
cleanup_fn stop_all

free_port ()
{
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new (LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

answers ()
{
  perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new (PeerAddr => "127.0.0.1", PeerPort => $ARGV[0])' "$1"
}

# background LOG COMMAND...: $server is its process.
background ()
{
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null &
  server=$!
  servers+=("$server")
}

# serve_rclone NAME [OPTION...]: rclone over the directory $scratch/NAME; $port is
# where.
serve_rclone ()
{
  local name=$1
  shift
  port=$(free_port)
  mkdir -p "$scratch/$name"
  background "$scratch/$name.log" rclone --config "$scratch/rclone.conf" serve restic --addr "127.0.0.1:$port" "$@" "$scratch/$name"
  wait_for 20 answers "$port" || skip_all "rclone does not start: $(tail -n 1 "$scratch/$name.log")"
}

# serve PROGRAM NAME [PORT]: a server of this directory with the state $state;
# $port is where.  What its environment is to be comes before:
#   S3_REGION=x serve s3-server.pl name
serve ()
{
  state=$scratch/$2
  mkdir -p "$state"
  rm -f "$state/port"
  background "$state.log" perl "$restic_tests/$1" "$state" "${3:-0}"
  if ! wait_for 20 test -e "$state/port"; then
    echo "Bail out! $1 does not start: $(tail -n 1 "$state.log")"
    exit 99
  fi
  port=$(cat "$state/port")
}

# install_s3rver DIR: from the lock file, unless it is there; only one test does.
install_s3rver ()
{
  local lock=package-lock.json
  mkdir -p "$1"
  exec 9>"$1/.lock"
  flock 9
  cmp -s "$restic_tests/s3rver/$lock" "$1/installed.json" && return
  install -m 644 "$restic_tests/s3rver/package.json" "$restic_tests/s3rver/$lock" "$1/"
  (cd "$1" && timeout 300 npm ci --no-audit --no-fund --ignore-scripts) || return
  install -m 644 "$restic_tests/s3rver/$lock" "$1/installed.json"
}

# serve_s3rver: s3rver over TLS, after make_certificates; $port is where.  It is
# installed once into the build directory.
serve_s3rver ()
{
  local dir=${G_TEST_BUILDDIR:-$source_dir/build/tests}/restic/s3rver-installed
  needs node npm
  (install_s3rver "$dir") >"$scratch/npm" 2>&1 </dev/null \
    || skip_all "npm cannot install s3rver: $(grep -v '^npm notice' "$scratch/npm" | tail -n 3 | tr '\n' ' ')"
  port=$(free_port)
  mkdir -p "$scratch/s3rver"
  background "$scratch/s3rver.log" node "$dir/node_modules/s3rver/bin/s3rver.js" -d "$scratch/s3rver" -a 127.0.0.1 -p "$port" \
    --key "$scratch/server.key" --cert "$scratch/server.pem"
  if ! wait_for 30 answers "$port"; then
    echo "Bail out! s3rver does not start: $(tail -n 1 "$scratch/s3rver.log")"
    exit 99
  fi
}

# faults LINE...: see TestHttp.pm.
faults ()
{
  printf '%s\n' "$@" >"$state/fault"
}

# fault_left: what of that has not happened yet.
faults_left ()
{
  awk '$3 > 0' "$state/fault"
}

# make_certificates: $scratch/ca.pem, $scratch/server.{pem,key} for 127.0.0.1 and
# localhost, and $scratch/client.pem with its key, by the same authority.
make_certificates ()
{
  local name
  needs openssl
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=virt-keep-test-ca -keyout "$scratch/ca.key" -out "$scratch/ca.pem" >"$scratch/openssl" 2>&1
  for name in server client; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$scratch/$name.key" -out "$scratch/$name.csr" >>"$scratch/openssl" 2>&1
    openssl x509 -req -in "$scratch/$name.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
      -extfile <(echo subjectAltName=IP:127.0.0.1,DNS:localhost) -out "$scratch/$name.pem" >>"$scratch/openssl" 2>&1
  done
  cat "$scratch/client.key" >>"$scratch/client.pem"
}

# ---- backend-exerciser -----------------------------------------------------------

# exercise COMMAND...: on $url; $code, $out and $err as with keep.
exercise ()
{
  # shellcheck disable=SC2086  # a command with its arguments
  timeout 120 $VG "$exerciser" "$url" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# contract WHERE: runs it on $url, which must be empty.
contract ()
{
  exercise contract
  repeat_results "$out" "$1: "
  like "$(tail -n 1 "$out")" "^ok - " "$1: all of it is promised and kept"
  exits 0 "$1: and nothing failed besides"
}

# repeat_results FILE [PREFIX]: the results in it are some of this test.
repeat_results ()
{
  local line result='^(ok|not ok)( [0-9]+)? - (.*)$'
  while IFS= read -r line; do
    if ! [[ $line =~ $result ]]; then
      echo "$line"
    elif [ "${BASH_REMATCH[1]}" = ok ]; then
      ok "${2:-}${BASH_REMATCH[3]}"
    else
      not_ok "${2:-}${BASH_REMATCH[3]}"
    fi
  done <"$1"
}

# make_file NAME SIZE: random bytes in $scratch/NAME; $sum is their SHA-256.
make_file ()
{
  head -c "$2" /dev/urandom >"$scratch/$1"
  sum=$(sha256sum <"$scratch/$1")
  sum=${sum%% *}
}

# shellcheck disable=SC2034  # took is for the test
# seconds COMMAND...: $took is how many it ran.
seconds ()
{
  local start=$EPOCHREALTIME
  "$@"
  took=$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }')
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What every lab test starts with:
#
#   . "$(dirname "$0")/lib.sh"
#
# The test is run again under private-libvirtd if it is not there yet, so it
# meets no domain but its own.  Then it has a directory of its own, $lab, and the
# functions below.  Results are TAP on stdout; the name of a test is its claim.
#
# Environment: VIRT_KEEP is the program under test (else build/tool/virt-keep of
# the tree), VG a command to run it under, such as "valgrind -q".
set -u

lab_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${VIRT_KEEP_LAB:-}" ]; then
  exec "$lab_sources/private-libvirtd" --tap \
    timeout --foreground --kill-after=10 "${VIRT_KEEP_LAB_TIMEOUT:-600}" "$BASH" "$0" "$@"
fi

# shellcheck source=../tap.sh
. "$lab_sources/../tap.sh"

# ---- the program ---------------------------------------------------------------

if [ -z "${VIRT_KEEP:-}" ]; then
  VIRT_KEEP=$lab_sources/../../build/tool/virt-keep
fi
[ -x "$VIRT_KEEP" ] || bail "VIRT_KEEP names no program: $VIRT_KEEP"

lab=$(mktemp -d "$VIRT_KEEP_LAB/t.XXXXXX") || bail "no directory for the test's files"
chmod 0711 "$lab"
cleanup_fn rm -rf "$lab"
store=$lab/store
export VIRT_KEEP_STATE_DIR=$lab/state
out=$lab/stdout
err=$lab/stderr
code=

# keep ARGUMENT...: runs virt-keep; its exit code is in $code, its output in the
# files $out and $err.
keep ()
{
  local - ; set -f
  # shellcheck disable=SC2086  # VG is a command with its options
  ${VG:-} "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# traced ARGUMENT...: strace; LeakSanitizer sees leaks that are none in what is traced.
traced ()
{
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace "$@"
}

# keep_in_background ARGUMENT...: the same, going on beside the test; $keeper is
# its process.  SIGINT has its default action, as in a terminal.
keep_in_background ()
{
  local - ; set -f
  # shellcheck disable=SC2086
  env --default-signal=INT,QUIT ${VG:-} "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null &
  keeper=$!
}

# keep_ends SECONDS: waits for it; $code as with keep.
keep_ends ()
{
  local seconds=$1
  # Under valgrind everything takes its time.
  [ -z "${VG:-}" ] || seconds=$((seconds * 10))
  if ! wait_for "$seconds" keeper_is_gone; then
    diag "virt-keep still runs after $seconds seconds"
    kill -KILL "$keeper"
  fi
  wait "$keeper" 2>/dev/null
  code=$?
}

# shellcheck disable=SC2317  # called by wait_for
keeper_is_gone ()
{
  local state
  read -r _ _ state _ < <(sed 's/(.*)/x/' "/proc/$keeper/stat" 2>/dev/null) || return 0
  [ "$state" = Z ]
}

# exits CODE CLAIM: the last virt-keep ended with CODE.
exits ()
{
  if [ "$code" = "$1" ]; then
    ok "$2"
  else
    not_ok "$2"
    diag "exit code $code, expected $1"
    diag "stdout: $(tail -c 2000 "$out")"
    diag "stderr: $(tail -c 2000 "$err")"
  fi
}

# json PATH: of what virt-keep --json has printed last.
json ()
{
  json_get "$out" "$1"
}

# points: how many restore points the store shows.
points ()
{
  [ -e "$store" ] || { echo 0; return; }
  "$VIRT_KEEP" --store "$store" --json list >"$lab/list.json" 2>/dev/null </dev/null
  json_get "$lab/list.json" .points.length
}

# point_dir POINT: the directory that holds it.
point_dir ()
{
  local dirs dir
  mapfile -t dirs < <(find "$store" -mindepth 2 -maxdepth 2 -name "${1##*@}" -type d)
  for dir in "${dirs[@]}"; do
    # Two domains can be backed up in the same second.
    if [ ${#dirs[@]} = 1 ] || [ "$(json_get "$dir/manifest.json" .domain.name)" = "${1%@*}" ]; then
      echo "$dir"
    fi
  done
}

# shellcheck source=domains.sh
. "$lab_sources/domains.sh"
# shellcheck source=jobs.sh
. "$lab_sources/jobs.sh"

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What every test of the command line starts with:
#
#   . "$(dirname "$0")/lib.sh"
#
# These tests need no libvirtd.  Results are TAP on stdout; the name of a test is
# its claim.  Environment: VIRT_KEEP is the program under test, G_TEST_SRCDIR the
# tests directory of the source.
set -u
export LC_ALL=C.UTF-8
unset VIRT_KEEP_STORE VIRSH_DEFAULT_CONNECT_URI LIBVIRT_DEFAULT_URI

source_dir=${G_TEST_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}/..
# shellcheck source=../tap.sh
. "$source_dir/tests/tap.sh"

VIRT_KEEP=${VIRT_KEEP:-$source_dir/build/tool/virt-keep}
[ -x "$VIRT_KEEP" ] || bail "VIRT_KEEP names no program: $VIRT_KEEP"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/virt-keep-cli.XXXXXX") || bail "no directory for the test's files"
cleanup_fn rm -rf "$scratch"
out=$scratch/stdout
err=$scratch/stderr
code=

# keep ARGUMENT...: runs virt-keep; $code is its exit code, the files $out and
# $err are its output.
keep ()
{
  timeout 60 "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# exits CODE CLAIM: the last virt-keep ended so.
exits ()
{
  if [ "$code" = "$1" ]; then
    ok "$2"
  else
    not_ok "$2"
    diag "exit code $code, expected $1"
    diag "stdout: $(head -c 1000 "$out")"
    diag "stderr: $(head -c 1000 "$err")"
  fi
}

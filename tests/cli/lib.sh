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
VIRT_KEEP=${VIRT_KEEP:-$source_dir/build/tool/virt-keep}
if ! [ -x "$VIRT_KEEP" ]; then
  echo "Bail out! VIRT_KEEP names no program: $VIRT_KEEP"
  exit 99
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/virt-keep-cli.XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
out=$scratch/stdout
err=$scratch/stderr
code=

tests_run=0
tests_failed=0

diag ()
{
  printf '%s\n' "$*" | sed 's/^/# /'
}

ok ()
{
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1"
}

not_ok ()
{
  tests_run=$((tests_run + 1))
  tests_failed=$((tests_failed + 1))
  echo "not ok $tests_run - $1"
}

skip ()
{
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1 # SKIP $2"
}

# is GOT EXPECTED CLAIM
is ()
{
  if [ "$1" = "$2" ]; then
    ok "$3"
  else
    not_ok "$3"
    diag "     got: $1"
    diag "expected: $2"
  fi
}

# like TEXT REGEX CLAIM
like ()
{
  if [[ $1 =~ $2 ]]; then
    ok "$3"
  else
    not_ok "$3"
    diag "           got: $1"
    diag "does not match: $2"
  fi
}

# unlike TEXT REGEX CLAIM
unlike ()
{
  if ! [[ $1 =~ $2 ]]; then
    ok "$3"
  else
    not_ok "$3"
    diag "    got: $1"
    diag "matches: $2"
  fi
}

# holds CLAIM COMMAND...: COMMAND succeeds.
holds ()
{
  local claim=$1 said
  shift
  if said=$("$@" 2>&1); then
    ok "$claim"
  else
    not_ok "$claim"
    diag "failed: $*"
    [ -z "$said" ] || diag "$said"
  fi
}

done_testing ()
{
  echo "1..$tests_run"
  [ "$tests_failed" = 0 ]
  exit
}

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

# json FILE PATH...: the value at each PATH like .error.class in the one JSON
# document that FILE holds, a line each; "(none)" where there is none, "(not JSON)"
# when FILE holds anything else.
json ()
{
  perl -MJSON::PP -e '
    my ($file, @paths) = @ARGV;
    open my $in, "<:raw", $file or die "$file: $!";
    local $/;
    my $document = eval { JSON::PP->new->utf8->decode (<$in>) };
    if ($@) { print "(not JSON)\n"; exit }
    PATH: for my $path (@paths) {
      my $value = $document;
      for my $step ($path =~ /(\.[^.\[]+|\[\d+\])/g) {
        if ($step =~ /^\.(.+)/ && ref $value eq "HASH" && exists $value->{$1}) { $value = $value->{$1} }
        elsif ($step =~ /^\[(\d+)\]/ && ref $value eq "ARRAY" && $1 < @$value) { $value = $value->[$1] }
        else { print "(none)\n"; next PATH }
      }
      if (!defined $value) { print "null\n" }
      elsif (JSON::PP::is_bool ($value)) { print $value ? "true\n" : "false\n" }
      elsif (ref $value) { print lc ref $value, "\n" }
      else { utf8::encode ($value); print "$value\n" }
    }' "$@"
}

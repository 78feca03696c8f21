# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests of every kind write their results with: TAP on stdout, the name of a
# test is its claim.  Sourced by the lib.sh of each kind.

# The configuration of this host is none of the tests' business.
export VIRT_KEEP_CONFIG=''

tests_run=0
tests_failed=0

# diag TEXT...: a comment in the TAP stream.
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

skip_all ()
{
  echo "1..0 # SKIP $1"
  exit 0
}

# bail TEXT: the test cannot go on; the plan is missing, which is an error.
bail ()
{
  echo "Bail out! $1"
  exit 99
}

# The exit code is 0 even if results are bad: they are in the TAP stream, and
# automake counts another exit code as one error more.
done_testing ()
{
  [ "$tests_failed" = 0 ] || diag "$tests_failed of $tests_run failed"
  echo "1..$tests_run"
  exit 0
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
    diag "          got: $1"
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

# cleanup_fn COMMAND...: run when the test ends.
cleanups=()
cleanup_fn ()
{
  cleanups+=("$(printf '%q ' "$@")")
}

# shellcheck disable=SC2317  # called by the trap
run_cleanups ()
{
  local i
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
    eval "${cleanups[i]}" >/dev/null 2>&1
  done
}
trap run_cleanups EXIT

# wait_for SECONDS COMMAND...: until COMMAND succeeds; false when it never does.
wait_for ()
{
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.05
  done
}

# at_least N FILE: FILE holds a number of at least N.
at_least ()
{
  [ "$(cat "$2" 2>/dev/null || echo 0)" -ge "$1" ]
}

# json_get FILE PATH...: the value at each PATH like .disks[0].target in FILE's JSON,
# a line each; "(none)" where there is none, "(not JSON)" when FILE holds anything
# else, canonical JSON for objects and arrays, and ".length" at the end for the
# number of an array's elements.
json_get ()
{
  perl -MJSON::PP -e '
    my ($file, @paths) = @ARGV;
    open my $in, "<:raw", $file or die "$file: $!";
    local $/;
    my $json = JSON::PP->new->utf8->allow_nonref->canonical;
    my $document = eval { $json->decode (<$in>) };
    if ($@) { print "(not JSON)\n"; exit }
    PATH: for my $path (@paths) {
      my $value = $document;
      for my $step ($path =~ /(\.[^.\[]+|\[\d+\])/g) {
        if ($step eq ".length" && ref $value eq "ARRAY") { $value = @$value }
        elsif ($step =~ /^\.(.+)/ && ref $value eq "HASH" && exists $value->{$1}) { $value = $value->{$1} }
        elsif ($step =~ /^\[(\d+)\]/ && ref $value eq "ARRAY" && $1 < @$value) { $value = $value->[$1] }
        else { print "(none)\n"; next PATH }
      }
      if (!defined $value) { print "null\n" }
      elsif (JSON::PP::is_bool ($value)) { print $value ? "true\n" : "false\n" }
      elsif (ref $value) { print $json->encode ($value), "\n" }
      else { utf8::encode ($value); print "$value\n" }
    }' "$@"
}

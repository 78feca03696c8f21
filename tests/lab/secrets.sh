#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the password of a repository, from the environment or from a file, stands in no
# program's arguments, in no other program's environment than restic's, in nothing that is
# printed, and in no file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
. "$(dirname "$0")/secrets-lib.sh"

printf '%s\n' "$canary" >"$lab/password"
make_domain guest vda:qcow2:16M
guest_write guest vda 0x42 1M 1M

trace_programs

# whole_set ARGUMENT...: the commands of a point's life; what they print is in $lab/said.
whole_set ()
{
  local command
  for command in init "backup guest" "backup guest" list "show guest" "verify guest --data" "doctor guest" "restore guest --to $lab/to" "prune guest --keep-last 1"; do
    # shellcheck disable=SC2086  # words
    keep --store "$store" --json "$@" $command
    exits 0 "$command${1:+ with $1}"
    cat "$out" "$err" >>"$lab/said"
  done
  rm -rf "$lab/to"
}

export RESTIC_PASSWORD=$canary
whole_set
take_traces
holds "what the children are started with is seen" grep -q "^[^ ]*/nbdkit .*RESTIC_REPOSITORY" "$lab/execs"
is "$(in_arguments)" "" "it is in no arguments"
is "$(in_environment restic "${real##*/}")" "" "and in the environment of restic alone"
rm -rf "$repository"
unset RESTIC_PASSWORD
whole_set --password-file "$lab/password"
take_traces
is "$(in_arguments)" "" "from a file it is in no arguments either"
is "$(in_environment restic)" "" "and in the environment of restic alone"
rm "$lab/execs"
is "$(grep -F "$canary" "$lab/said")" "" "it is not printed"
is "$(grep -rlF "$canary" "$lab" | grep -v "^$lab/password$"; find /var/tmp -maxdepth 1 -name 'virt-keep-*' ! -path "${lab%/*}*" -newer "$lab/password" -exec grep -rlF "$canary" {} + 2>/dev/null)" "" "and lies in no file"

done_testing

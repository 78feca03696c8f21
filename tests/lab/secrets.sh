#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the password of a repository, from the environment or from a file, stands in no
# program's arguments, in no other program's environment than restic's, in nothing that is
# printed, and in no file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

command -v strace >/dev/null || skip_all "strace is not installed"
canary=Kanarienvogel-$$-$RANDOM
printf '%s\n' "$canary" >"$lab/password"
make_domain guest vda:qcow2:16M
guest_write guest vda 0x42 1M 1M

# Every execve(2) of virt-keep's and of its children, arguments and environment.
cat >"$lab/traced" <<END
#!/bin/bash
exec strace -f -qq -v -s 65536 -e trace=execve -o "\$(mktemp "$lab/trace.XXXXXX")" "$VIRT_KEEP" "\$@"
END
chmod +x "$lab/traced"
real=$VIRT_KEEP
export ASAN_OPTIONS=detect_leaks=0 # LeakSanitizer cannot look at a process that is traced
VIRT_KEEP=$lab/traced

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

# execs: what was executed: the program and its arguments, and after a tab the environment.
execs ()
{
  cat "$lab"/trace.* | sed -n 's/^[0-9]* *execve("\([^"]*\)", \(\[.*\]\), \(\[.*\]\)) = 0$/\1 \2\t\3/p'
}

# with_canary: the programs but restic that have it in their environment.
with_canary ()
{
  grep -F "$canary" "$lab/execs" | cut -f1 | grep -v "^[^ ]*/restic "
}

export RESTIC_PASSWORD=$canary
whole_set
execs >"$lab/execs"
holds "what the children are started with is seen" grep -q "^[^ ]*/nbdkit .*RESTIC_REPOSITORY" "$lab/execs"
is "$(cut -f1 "$lab/execs" | grep -F "$canary")" "" "it is in no arguments"
is "$(with_canary | grep -v "^$real ")" "" "and in the environment of restic alone"
rm "$lab"/trace.*
rm -rf "$repository"
unset RESTIC_PASSWORD
whole_set --password-file "$lab/password"
execs >"$lab/execs"
is "$(cut -f1 "$lab/execs" | grep -F "$canary")" "" "from a file it is in no arguments either"
is "$(with_canary)" "" "and in the environment of restic alone"
rm "$lab"/trace.*
rm "$lab/execs"
is "$(grep -F "$canary" "$lab/said")" "" "it is not printed"
is "$(grep -rlF "$canary" "$lab" | grep -v "^$lab/password$"; find /var/tmp -maxdepth 1 -name 'virt-keep-*' ! -path "${lab%/*}*" -newer "$lab/password" -exec grep -rlF "$canary" {} + 2>/dev/null)" "" "and lies in no file"

done_testing

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of secrets have in common, after lib.sh: a record of every program that
# virt-keep and its children start, with arguments and environment, and the word that is looked
# for in it.
# shellcheck disable=SC2154  # lab is lib.sh's

command -v strace >/dev/null || skip_all "strace is not installed"
canary=Kanarienvogel-$$-$RANDOM

# trace_programs: from now on "keep" is traced; $real is the program itself.
trace_programs ()
{
  cat >"$lab/traced" <<END
#!/bin/bash
exec strace -f --seccomp-bpf -qq -v -s 65536 -e trace=execve -o "\$(mktemp "$lab/trace.XXXXXX")" "$VIRT_KEEP" "\$@"
END
  chmod +x "$lab/traced"
  real=$VIRT_KEEP
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # LeakSanitizer cannot look at a process that is traced
  VIRT_KEEP=$lab/traced
}

# take_traces: $lab/execs has what was executed since the last time: the program and its
# arguments, and after a tab the environment.
take_traces ()
{
  cat "$lab"/trace.* | sed -n 's/^[0-9]* *execve("\([^"]*\)", \(\[.*\]\), \(\[.*\]\)) = 0$/\1 \2\t\3/p' >"$lab/execs"
  rm "$lab"/trace.*
}

# in_arguments: the programs that have the canary there.
in_arguments ()
{
  cut -f1 "$lab/execs" | grep -F "$canary"
}

# in_environment PROGRAM...: the programs but these that have it there.
in_environment ()
{
  local program known=()
  for program; do known+=(-e "^[^ ]*/$program "); done
  grep -F "$canary" "$lab/execs" | cut -f1 | grep -v "${known[@]}"
}

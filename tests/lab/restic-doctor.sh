#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: doctor finds the stale lock of a process that was killed in a restic repository, and
# removes it, but no lock that somebody holds.  So does prune, before it calls restic, and a
# backup that it is in the way of.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

repo_tool=$(dirname "$VIRT_KEEP")/../tests/restic/repo-tool
[ -x "$repo_tool" ] || bail "there is no $repo_tool: make check builds it"

make_domain guest vda:qcow2:64M
guest_write guest vda 0x42 0 4M
restic -q init -r "$repository"
keep --store "$store" --json backup guest
exits 0 "a backup"
keep --store "$store" --json doctor guest
exits 0 "nothing is wrong"

coproc HOLDER { exec "$repo_tool" lock "$repository" exclusive 0; }
read -r _ <&"${HOLDER[0]}" || bail "no lock is taken"
# shellcheck disable=SC2153  # coproc sets it
holder=$HOLDER_PID
keep --store "$store" --json doctor guest --fix
exits 0 "a lock that somebody holds is no problem"
is "$(restic_json list locks --no-lock | wc -l)" 1 "and is left alone"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
keep --store "$store" --json doctor guest
exits 12 "the lock of a process that was killed is a problem"
like "$(cat "$out")" "stale lock, an exclusive one, of .*process $holder" "which says whose it is"
keep --store "$store" --json doctor guest --fix
exits 0 "--fix mends it"
is "$(restic_json list locks --no-lock | wc -l)" 0 "the lock is gone"
keep --store "$store" --json backup guest
exits 0 "and the next backup succeeds"
repository_is_sound "after that"

coproc HOLDER { exec "$repo_tool" lock "$repository" shared 0; }
read -r _ <&"${HOLDER[0]}" || bail "no lock is taken"
holder=$HOLDER_PID
keep --store "$store" --json prune guest --keep-last 1
exits 9 "a lock that somebody holds keeps a prune from starting"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
keep --store "$store" --json prune guest --keep-last 1
exits 0 "the lock of a process that was killed does not"
is "$(restic_json list locks --no-lock | wc -l)" 0 "it is gone, too"

# A prune that is killed as soon as restic has its lock, and restic with it.
head -c 64M /dev/urandom >"$lab/random"
chmod 0644 "$lab/random"
guest_io guest vda "write -s $lab/random 0 64M"
keep --store "$store" --json backup guest
exits 0 "a backup of other bytes"
mkdir "$lab/bin"
cat >"$lab/bin/restic" <<END
#!/bin/sh
[ "\$1" != prune ] || (until ls $repository/locks | grep -qx '[0-9a-f]\{64\}'; do :; done; kill -KILL \$\$ \$PPID) &
exec $(command -v restic) "\$@"
END
chmod +x "$lab/bin/restic"
PATH=$lab/bin:$PATH keep --store "$store" --json prune guest --keep-last 1
is "$code" 137 "a prune is killed"
like "$(restic_json cat lock "$(restic_json list locks --no-lock)" --no-lock)" '"exclusive": *true' "restic's exclusive lock is left"
shadow guest vda "$lab/then.raw"
keep --store "$store" --json backup guest
exits 0 "the next backup succeeds without a person"
is "$(restic_json list locks --no-lock | wc -l)" 0 "and has removed it"
holds "the bytes of its instant are there" dumps_to "$(json .point)" vda "$lab/then.raw"
keep --store "$store" --json prune guest --keep-last 1
exits 0 "so does the next prune"
repository_is_sound "after all that"

done_testing

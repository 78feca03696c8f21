#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: locks of restic are respected both ways, and two writers with a restic prune
# beside them lose nothing.
# VIRT_KEEP_SECONDS is how long they run, else until each has done so often enough.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

repo_tool=$(dirname "$VIRT_KEEP")/../tests/restic/repo-tool
[ -x "$repo_tool" ] || bail "there is no $repo_tool: make check builds it"

make_domain one vda:qcow2:200M
make_domain two vda:qcow2:200M vdb:qcow2:40M vdc:raw:8M
for domain in one two; do
  guest_write $domain vda 0x11 0 10M
done
restic -q init -r "$repository"

# ---- one lock -------------------------------------------------------------------

# hold SHARED-OR-EXCLUSIVE, release: somebody has a lock.
hold ()
{
  coproc HOLDER { exec "$repo_tool" lock "$repository" "$1" 0; }
  read -r _ <&"${HOLDER[0]}" || bail "no lock is taken"
  # shellcheck disable=SC2153  # coproc sets it
  holder=$HOLDER_PID release_fd=${HOLDER[1]}
}

release ()
{
  exec {release_fd}>&-
  wait "$holder" 2>/dev/null
}

hold exclusive
keep --store "$store" --json backup one
exits 4 "an exclusive lock keeps a backup from starting"
like "$(cat "$err")" "lock" "and the message says so"
is "$(checkpoints one)" "" "nothing was begun"
keep_in_background --store "$store" --json backup one --retry-lock 60s
sleep 1
release
keep_ends 60
exits 0 "with --retry-lock it waits"
hold shared
keep --store "$store" --json backup one
exits 0 "a shared one does not matter"
keep --store "$store" forget one@latest
exits 9 "but restic itself refuses to remove then"
release
is "$(points)" 2 "and all points are there"

head -c 150M /dev/urandom >"$lab/random"
chmod 0644 "$lab/random"
guest_io one vda "write -s $lab/random 20M 150M"
keep_in_background --store "$store" --json backup one
wait_for 30 has_job one
kill -STOP "$keeper"
said=$("$VIRT_KEEP" --store "$store" backup one 2>&1)
is $? 4 "a second backup of the domain from this host is busy"
like "$said" "another virt-keep|job" "and says so"
kill -CONT "$keeper"
keep_ends 60
exits 0 "the first one goes on"

# ---- all at once ------------------------------------------------------------------

end=$((SECONDS + ${VIRT_KEEP_SECONDS:-120}))

# enough: each writer has worked beside prunes, and these beside both.
enough ()
{
  [ -z "${VIRT_KEEP_SECONDS:-}" ] && at_least 4 "$lab/count.one" && at_least 4 "$lab/count.two" && at_least 3 "$lab/count.prune"
}

# writes DOMAIN: one backup after the other, with changes between.
writes ()
{
  trap - EXIT
  local n=0
  while [ $SECONDS -lt $end ] && ! enough; do
    guest_write "$1" vda $((RANDOM % 255 + 1)) $((RANDOM % 180))M $((RANDOM % 3 + 1))M
    "$VIRT_KEEP" --store "$store" --retry-lock 5m backup "$1" >"$lab/writes.$1" 2>&1 </dev/null || return 1
    n=$((n + 1))
    echo $n >"$lab/count.$1"
  done
}

prunes ()
{
  trap - EXIT
  local n=0
  while [ $SECONDS -lt $end ] && ! enough; do
    restic -q -r "$repository" forget --tag virt-keep --keep-last 3 >>"$lab/prunes" 2>&1
    if restic -q -r "$repository" prune --max-unused 0 >>"$lab/prunes" 2>&1; then
      n=$((n + 1))
      echo $n >"$lab/count.prune"
    fi
    sleep 0.2
  done
}

writes one & one=$!
writes two & two=$!
prunes & pruner=$!
wait $one
is $? 0 "every backup of one writer succeeds"
wait $two
is $? 0 "and of the other"
wait $pruner
diag "backups: $(cat "$lab/count.one") and $(cat "$lab/count.two"), prunes: $(cat "$lab/count.prune")"
holds "there were prunes between them" test "$(cat "$lab/count.prune")" -ge 2
repository_is_sound "after it"
for domain in one two; do
  shadow $domain vda "$lab/$domain.raw"
  keep --store "$store" --json backup $domain
  holds "$domain: the next incremental is the disk" dumps_to "$(json .point)" vda "$lab/$domain.raw"
done
for disk in vdb vdc; do
  shadow two $disk "$lab/$disk.raw"
  holds "$disk is what it is" dumps_to "$(json .point)" $disk "$lab/$disk.raw"
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what the core writes is a repository to restic, what restic writes and
# changes is one to the core, and they respect each other's locks.
# shellcheck disable=SC2317  # functions are called by holds
# shellcheck source-path=SCRIPTDIR source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

tool=${G_TEST_BUILDDIR:-$source_dir/build/tests}/restic/repo-tool
if ! command -v restic >/dev/null; then
  echo "1..0 # SKIP restic is not installed"
  exit 0
fi
if ! [ -x "$tool" ]; then
  echo "Bail out! no $tool"
  exit 99
fi

unset RESTIC_PASSWORD_FILE RESTIC_PASSWORD_COMMAND RESTIC_REPOSITORY_FILE
export HOME=$scratch XDG_CACHE_HOME=$scratch/cache RESTIC_PASSWORD=secret
export RESTIC_REPOSITORY=$scratch/repo RESTIC_PROGRESS_FPS=0.01
repo=$RESTIC_REPOSITORY
chunk=$((1 << 20))

# core ARGUMENT...: runs the core; what it says goes to $out and $err.
core ()
{
  # shellcheck disable=SC2086  # VG is a command with its options
  timeout 120 ${VG:-} "$tool" "$@" >"$out" 2>"$err" </dev/null
}

# The test's disk: random, zeros, compressible, and an end that is no whole chunk.
make_disk ()
{
  head -c $((9 * chunk)) /dev/urandom
  head -c $((8 * chunk)) /dev/zero
  yes 'the same line over and over' | head -c $((4 * chunk))
  head -c $((2 * chunk)) /dev/zero
  echo 'the end'
}

# save FILE: a snapshot of it, whose id is printed.
save ()
{
  core save "$repo" "$1" $chunk && cat "$out"
}

# core_dump SNAPSHOT PATH FILE: the core gives back that file.
core_dump ()
{
  core dump "$repo" "$1" "$2" && cmp "$out" "$3"
}

restic_dump ()
{
  restic dump "$1" "$2" | cmp - "$3"
}

restic_check ()
{
  restic check --read-data
}

fails_saying ()
{
  local words=$1
  shift
  ! "$@" && grep -q -- "$words" "$err"
}

# hold KIND: a process of the core holds a lock until let_go; $holder is its id.
hold ()
{
  mkfifo "$scratch/hold"
  "$tool" lock "$repo" "$1" 0 <"$scratch/hold" >"$scratch/held" 2>&1 &
  holder=$!
  exec 9>"$scratch/hold"
  rm "$scratch/hold"
  wait_for grep -q locked "$scratch/held"
}

let_go ()
{
  exec 9>&-
  wait "$holder"
}

wait_for ()
{
  local i
  for ((i = 0; i < 200; i++)); do
    "$@" && return
    sleep 0.1
  done
  return 1
}

make_disk >"$scratch/disk1"
cp "$scratch/disk1" "$scratch/disk2"
head -c $chunk /dev/urandom | dd of="$scratch/disk2" bs=$chunk seek=3 conv=notrunc status=none
blobs ()
{
  core index "$repo" && cat "$out"
}

# ---- a repository of ours --------------------------------------------------------

holds "a repository is made" core init "$repo"
holds "it is not made twice" fails_saying "already" core init "$repo"
holds "restic finds nothing wrong with it while it is empty" restic_check
first=$(save "$scratch/disk1")
like "$first" '^[0-9a-f]{64}$' "a disk is saved"
before=$(blobs)
second=$(save "$scratch/disk2")
is "$(($(blobs) - before))" 2 "a disk of which a chunk has changed adds a chunk and a tree"
holds "restic check --read-data finds nothing wrong" restic_check
holds "restic dump gives back the first disk" restic_dump "$first" /vda.raw "$scratch/disk1"
holds "restic dump gives back the second disk" restic_dump "$second" /vda.raw "$scratch/disk2"
holds "restic restore does" restic restore "$second" --target "$scratch/restored"
holds "and what it restores is the disk" cmp "$scratch/restored/vda.raw" "$scratch/disk2"
holds "the core gives back the first disk" core_dump "$first" /vda.raw "$scratch/disk1"
holds "the core gives back the second disk" core_dump "$second" /vda.raw "$scratch/disk2"
like "$(restic snapshots --tag virt-keep --host a-host)" "2 snapshots" "restic finds the snapshots by tag and host"
is "$(find "$repo" -type f ! -perm 600; find "$repo" -mindepth 1 -type d ! -perm 700)" "" "nobody else can read the files"

# ---- keys ------------------------------------------------------------------------

echo 'another one' >"$scratch/password"
holds "restic adds a key" restic key add --new-password-file "$scratch/password"
holds "the new password opens it" env RESTIC_PASSWORD= RESTIC_PASSWORD_FILE="$scratch/password" "$tool" index "$repo"
holds "and so does one from a command" env RESTIC_PASSWORD= RESTIC_PASSWORD_COMMAND="cat '$scratch/password'" "$tool" index "$repo"
holds "the old password still opens it" core index "$repo"
echo 'a third one' >"$scratch/password"
holds "restic changes the password" restic key passwd --new-password-file "$scratch/password"
holds "the old one does not open it any more" fails_saying "wrong password" core index "$repo"
RESTIC_PASSWORD='a third one'
holds "the changed one does" core_dump "$second" /vda.raw "$scratch/disk2"
RESTIC_PASSWORD=wrong
holds "a wrong password is refused" fails_saying "wrong password" core list "$repo"
RESTIC_PASSWORD='a third one'

# ---- restic at work in it ----------------------------------------------------------

restic backup --stdin --stdin-filename disk.img <"$scratch/disk2" >"$out" 2>&1
theirs=$(restic snapshots --json --path /disk.img | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
core list "$repo"
like "$(cat "$out")" "$theirs [^ ]+  /disk.img" "the core lists restic's own snapshot"
holds "and reads it" core_dump "$theirs" /disk.img "$scratch/disk2"
(cd "$source_dir/tool" && restic backup --tag 'with "quotes"' base) >"$out" 2>&1
core list "$repo"
like "$(cat "$out")" 'with "quotes"' "the core lists a backup of a directory"
tree=$(restic snapshots --json --tag 'with "quotes"' | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
holds "and reads a file out of it" core_dump "$tree" /base/json.c "$source_dir/tool/base/json.c"
holds "restic forgets the first snapshot and prunes" restic forget --prune "$first"
holds "restic prunes whatever can be packed better" restic prune --max-unused 0
holds "the second disk is still there" core_dump "$second" /vda.raw "$scratch/disk2"
third=$(save "$scratch/disk1")
holds "the first disk can be saved again" core_dump "$third" /vda.raw "$scratch/disk1"
holds "restic rebuilds the index from our packs" restic rebuild-index --read-all-packs
holds "and the disk is found with that" core_dump "$third" /vda.raw "$scratch/disk1"
holds "restic tags a snapshot" restic tag --add seen "$third"
core list "$repo"
like "$(cat "$out")" "a-host virt-keep,a-domain,seen" "the core sees the tag"
holds "restic check --read-data finds nothing wrong after all that" restic_check

# ---- locks -----------------------------------------------------------------------

hold shared
! restic prune >"$out" 2>&1
is $? 0 "a shared lock of ours keeps restic prune away"
like "$(cat "$out")" "locked" "restic says why"
holds "it does not keep restic backup away" restic backup --quiet "$scratch/password"
holds "nor us" core index "$repo"
let_go
is "$(ls "$repo/locks")" "" "the lock is removed at the end"
hold exclusive
! restic backup --quiet "$scratch/password" >"$out" 2>&1
is $? 0 "an exclusive lock of ours keeps restic backup away"
holds "it keeps a shared one of ours away" fails_saying "locked exclusively by .* process $holder, since" core lock "$repo" shared 0
# Whoever has this end of the pipe open keeps the lock: now only sleep does.
sleep 2 &
exec 9>&-
holds "which waits for it when told to" core lock "$repo" shared 60
wait "$holder"

restic check --read-data --limit-download 100 >/dev/null 2>&1 &
holder=$!
wait_for sh -c "ls $repo/locks | grep -q ." || diag "restic takes no lock"
holds "restic's exclusive lock is respected" fails_saying "locked exclusively by .*process $holder" core lock "$repo" shared 0
kill -9 $holder
wait $holder 2>/dev/null
holds "until restic was killed" core lock "$repo" shared 0
is "$(ls "$repo/locks")" "" "its lock is removed"
: >"$repo/locks/$(printf 0%.0s {1..64})"
holds "an empty lock is passed over" core lock "$repo" exclusive 0

# ---- a file system without nameless files -------------------------------------------

repo=$scratch/plain RESTIC_REPOSITORY=$scratch/plain
if strace -o /dev/null true 2>"$err"; then
  # LeakSanitizer cannot look for leaks in a process that is traced.
  # core_renaming ARGUMENT...: the core, for which no file can be given a name later.
  core_renaming ()
  {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 timeout 120 strace -f -o /dev/null -e trace=linkat -e inject=linkat:error=EPERM "$tool" "$@" >"$out" 2>"$err" </dev/null
  }
  holds "a repository is made by renaming" core_renaming init "$repo"
  holds "it is not made twice" fails_saying "already" core_renaming init "$repo"
  holds "a disk is saved so" core_renaming save "$repo" "$scratch/disk1" $chunk
  is "$(find "$repo" -name '*tmp*')" "" "no temporary file is left"
  holds "restic finds nothing wrong with that" restic_check

  # A thread that links its Nth file is killed with its process before it does.
  core list "$repo"
  cp "$out" "$scratch/before"
  head -c $((12 * chunk)) /dev/urandom >"$scratch/disk3"
  wrong=
  for n in 1 2 3 4 5; do
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 \
      timeout 120 strace -f -o /dev/null -e trace=linkat -e inject=linkat:signal=KILL:when=$n "$tool" save "$repo" "$scratch/disk3" $chunk >"$out" 2>"$err" && break
    restic unlock >/dev/null
    core list "$repo" && cmp -s "$out" "$scratch/before" || wrong="$wrong; killed at $n: another list"
    restic check >"$out" 2>&1 || wrong="$wrong; killed at $n: $(cat "$out")"
  done
  is "$wrong" "" "a writer that is killed leaves a repository without fault, and no snapshot"
  like "$n" '^[3-5]$' "it was killed at more than one of them"
  fifth=$(save "$scratch/disk3")
  holds "what it left does not disturb the next one" core_dump "$fifth" /vda.raw "$scratch/disk3"
  holds "restic prunes what it left" restic prune
  holds "and nothing else" restic_dump "$fifth" /vda.raw "$scratch/disk3"
else
  skip "a repository is made by renaming" "strace does not work here: $(cat "$err")"
fi

# ---- restic's repositories --------------------------------------------------------

repo=$scratch/theirs RESTIC_REPOSITORY=$scratch/theirs
holds "restic makes a repository" restic init
fourth=$(save "$scratch/disk1")
holds "the core saves a disk into it" core_dump "$fourth" /vda.raw "$scratch/disk1"
holds "restic finds nothing wrong with that" restic_check
holds "restic gives it back" restic_dump "$fourth" /vda.raw "$scratch/disk1"
repo=$scratch/old RESTIC_REPOSITORY=$scratch/old
restic init --quiet --repository-version 1
holds "version 1 is refused" fails_saying "format version 1.*upgrade_repo_v2" core index "$repo"
restic migrate --quiet upgrade_repo_v2 >/dev/null
holds "restic turns it into version 2" core index "$repo"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever the umask, files that virt-keep makes have the mode 0600, and directories 0700,
# or 0711 where QEMU's user passes through; others may read what is made for them, and no more.
# What is copied out of a guest has the guest's modes, and a disk that is restored in place its own.
# shellcheck disable=SC2031  # code is set by keep, here
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
. "$(dirname "$0")/boot-lib.sh"

make_domain guest vda:qcow2:32M
make_big_domain big
guest_write guest vda 0x42 1M 1M
uuid=$(virsh domuuid big | head -c 8)
disk=${disk_file[guest:vda]}

# open_ones FILE...: what there is below with another mode.  What restic stores is read-only, and a
# socket is executable; that of the backup job is QEMU's.
open_ones ()
{
  find "$@" '(' -type f ! -perm 0600 ! -perm 0400 -o -type d ! -perm 0700 ! -perm 0711 \
    -o -type s ! -name nbd.sock -perm /0077 ')' -printf '%m %p\n' 2>&1
}

# sound WHAT FILE...: something is there, and nothing below is open.
sound ()
{
  local what=$1
  shift
  if ls -d "$@" >/dev/null; then
    is "$(open_ones "$@")" "" "$mask: $what: no mode is another one"
  else
    not_ok "$mask: $what: is there"
  fi
}

# under MASK: from now on everything is done with this umask, below $home.
under ()
{
  mask=$1
  home=$lab/$mask
  umask 022
  mkdir -m 0711 "$home"
  mkdir "$home/metrics"
  export VIRT_KEEP_STATE_DIR=$home/state XDG_CACHE_HOME=$home/cache
  boots=$VIRT_KEEP_STATE_DIR/boots
  umask "$mask"
}

for mask in 077 000; do
  under $mask
  store=$home/images
  for arguments in "" "--mode pull" "--max-chain 2 --synthetic-full"; do
    # shellcheck disable=SC2086  # words
    keep --store "$store" --json backup guest $arguments --metrics "$home/metrics/virt-keep.prom"
    exits 0 "$mask: backup guest $arguments"
  done
  is "$(json .synthetic)" true "$mask: the last one is a synthetic full"
  sound "the store" "$store"
  is "$(stat -c %a "$home/metrics/virt-keep.prom")" 644 "$mask: collectors can read the metrics"
  sound "what lies beside them" "$home/metrics/".*.lock
  keep --store "$store" report --html "$home/report.html"
  is "$code $(stat -c %a "$home/report.html")" "0 644" "$mask: others can read the page of report"
  keep --store "$store" restore guest --to "$home/restored"
  exits 0 "$mask: a restore"
  sound "what is restored" "$home/restored"
  boots guest "$mask: a boot"
  sound "its door, its disk and what is written down of it" "$boots" "$(dirname "$(json .overlays.vda)")"
  virsh -q destroy "$booted"
  keep boot --discard "$booted"
  keep backup guest --to "$home/guest.tar"
  exits 0 "$mask: a backup into a tar archive"
  sound "the archive" "$home/guest.tar"
  keep_in_background --store "$store" export guest --socket "$home/door"
  wait_for 30 test -S "$home/door" || bail "export: $(cat "$err")"
  sound "the socket of an export" "$home/door"
  kill -TERM "$keeper"
  keep_ends 30
  printf '[store here]\nurl=%s\n' "$store" >"$home/config"
  chmod 0600 "$home/config"
  before=$(find "$home" | sort)
  HOME=$home XDG_CONFIG_HOME=$home/none keep --config "$home/config" config check
  is "$code $(find "$home" | sort)" "0 $before" "$mask: config makes no file"
done

# ---- in place ----------------------------------------------------------------------------

virsh -q destroy guest
wait_for 60 guest_is_off guest
chmod 0640 "$disk"
owner=$(stat -c %u:%g:%a "$disk")
if command -v strace >/dev/null; then
  VG="strace -f -qq -o /dev/null -e trace=renameat2,rename -e inject=renameat2,rename:signal=KILL:when=1" \
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 keep --store "$store" restore guest --in-place
  is "$code" 137 "a restore in place is killed when all is written and nothing is in its place"
  sound "what it has written beside the disk" "$(dirname "$disk")"/.virt-keep-in-place-*
else
  skip "what a restore in place has written beside the disk" "strace is not installed"
fi
keep --store "$store" restore guest --in-place
exits 0 "a restore in place"
is "$(stat -c %u:%g:%a "$disk")" "$owner" "owner and mode of the disk are as they were"
virsh -q start guest || bail "guest does not start"

# ---- files of a guest --------------------------------------------------------------------

# private_of_guestfish: sets $private, the directory of the door that guestfish reads from, which
# is in its command line.
# shellcheck disable=SC2317  # called by wait_for
private_of_guestfish ()
{
  local child
  # shellcheck disable=SC2013  # words, not lines
  for child in $(cat "/proc/$keeper"/task/*/children); do
    private=$(tr '\0' '\n' <"/proc/$child/cmdline" | sed -n 's|^nbd:.*=\(.*\)/disk$|\1|p')
    [ -z "$private" ] || return 0
  done
  return 1
}

if command -v guestfish >/dev/null && PATH=$PATH:/usr/sbin:/sbin command -v mke2fs >/dev/null; then
  # Its virtual machine is emulated like all others here.
  export LIBGUESTFS_CACHEDIR=/var/tmp LIBGUESTFS_BACKEND_SETTINGS=force_tcg
  mkdir -p "$home/files/odd"
  for mode in 600 644 4755; do
    echo $mode >"$home/files/odd/$mode"
    chmod $mode "$home/files/odd/$mode"
  done
  chmod 750 "$home/files/odd"
  make_domain web vda:raw:16M
  virsh -q destroy web
  PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F -t ext4 -d "$home/files" "${disk_file[web:vda]}" || bail "no file system"
  virsh -q start web
  keep --store "$store" backup web
  exits 0 "a domain with files is backed up"
  mkdir "$home/copies"
  for arguments in "ls web /odd" "get web /odd $home/copies/odd"; do
    # shellcheck disable=SC2086  # words
    keep_in_background --store "$store" $arguments
    wait_for 60 private_of_guestfish || bail "guestfish does not run: $(cat "$err")"
    sound "what ${arguments%% *} makes for a while" "$private"
    keep_ends 300
    exits 0 "${arguments%% *}"
  done
  is "$(find "$home/copies" -mindepth 1 -printf '%P %m\n' | sort | xargs)" "odd 750 odd/4755 755 odd/600 600 odd/644 644" \
     "what get copies has the modes of the guest, without set-user-id bits"
  if command -v strace >/dev/null; then
    VG="strace -qq -o /dev/null -e trace=renameat2,rename -e inject=renameat2,rename:signal=KILL:when=1" \
      ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 keep --store "$store" get web /odd "$home/copies/again"
    is "$code" 137 "a copy is killed when it is complete and not in its place"
    is "$(find "$home/copies" -maxdepth 1 -name '.virt-keep-*' -printf '%m ')" "700 " "until it has its modes, nobody else reaches it"
  else
    skip "a copy that is not in its place" "strace is not installed"
  fi
else
  skip "files of a guest" "guestfish or mke2fs is not installed"
fi

# ---- what others do with a point -----------------------------------------------------------

keep --store "$store" protect "$("$VIRT_KEEP" --store "$store" --json list >"$lab/list.json"; json_get "$lab/list.json" '.points[0].point')"
exits 0 "a point is protected"
keep --store "$store" prune guest --keep-last 1
exits 0 "a prune"
keep --store "$store" --json prove guest --expect console:never --timeout 1 --evidence "$home/evidence"
exits 13 "a proof of what says nothing"
sound "its evidence" "$home/evidence"
sound "what virt-keep knows" "$VIRT_KEEP_STATE_DIR"
for mode in push pull; do
  held_backup $mode big
  sound "the store, while a backup in $mode mode runs" "$store"
  [ $mode = push ] || sound "and its private directories" /var/tmp/virt-keep-*-"$uuid"-*
  let_go big
  keep_ends 300
  exits 0 "it succeeds"
done
sound "after all of this the store" "$store"

store=restic:$home/repository
mkdir -m 0711 "$home/scratch"
keep --store "$store" --json init
for number in 1 2; do
  keep --store "$store" --json backup guest --scratch-dir "$home/scratch"
  exits 0 "backup $number into a restic store"
done
keep --store "$store" restore guest --to "$home/from-restic"
exits 0 "a restore from there"
keep --store "$store" prune guest --keep-last 1
exits 0 "a prune there"
sound "the repository" "$home/repository"
sound "what is restored from there" "$home/from-restic"
sound "what is kept beside a repository" "$XDG_CACHE_HOME/virt-keep"

done_testing

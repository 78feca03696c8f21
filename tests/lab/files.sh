#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: files are listed and copied out of a restore point of either store without
# restoring it, whatever their names are, and nothing half-copied stays.
# Five emulated machines are started in it.
export VIRT_KEEP_LAB_TIMEOUT=${VIRT_KEEP_LAB_TIMEOUT:-1200}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manual-lib.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v mke2fs >/dev/null || skip_all "mke2fs is not installed"

# ---- two file systems ------------------------------------------------------------

# An operating system, as far as libguestfs can tell.
mkdir -p "$lab/system"/{etc,bin,usr,var} "$lab/data/odd/deeper"
echo web >"$lab/system/etc/hostname"
echo 12.4 >"$lab/system/etc/debian_version"
echo "/dev/vda / ext4 defaults 0 1" >"$lab/system/etc/fstab"
echo "a hundred" >"$lab/data/ledger"
# shellcheck disable=SC2016  # as they are
names=($'new\nline' -dash "q\"uo'te" ' \ $HOME `id` * {a,b} ' ümlaut '#' '<!x' '|cat' : $'\t\001')
for name in "${names[@]}"; do
  printf '%s' "$name" >"$lab/data/odd/$name"
done
touch -d 2001-02-03 "$lab/data/odd/ümlaut"
chmod 4750 "$lab/data/odd/ümlaut"
head -c 300000 /dev/urandom >"$lab/data/odd/deeper/random"
ln -s deeper/random "$lab/data/odd/link"
ln -s /odd "$lab/data/absolute"
mkfifo "$lab/data/odd/fifo"

# file_system DIRECTORY IMAGE SIZE: of what is in the directory.
file_system ()
{
  { truncate -s "$3" "$2" && mke2fs -q -F -t ext4 -d "$1" "$2"; } || bail "cannot make a file system"
}

make_domain web vda:qcow2:32M vdb:raw:16M
virsh -q destroy web >/dev/null
file_system "$lab/system" "$lab/system.raw" 32M
file_system "$lab/data" "${disk_file[web:vdb]}" 16M
qemu-img convert -f raw -O qcow2 "$lab/system.raw" "${disk_file[web:vda]}"
virsh -q start web >/dev/null || bail "cannot start the machine"
keep --store "$store" --json backup web
exits 0 "a backup"
point=$(json .point)

# ---- what is refused before anything starts ----------------------------------------

mkdir "$lab/few"
for program in qemu-img qemu-nbd; do
  ln -s "$(command -v $program)" "$lab/few"
done
PATH=$lab/few keep --store "$store" --json ls web /
exits 5 "without guestfish ls is refused"
like "$(json .error.message)" "install the package guestfish" "which names the package"
echo precious >"$lab/file"
keep --store "$store" --json get web /etc/hostname "$lab/file"
exits 5 "a copy over a file is refused"
is "$(cat "$lab/file")" precious "which stays"
keep --store "$store" --json get web /etc/hostname "$lab/no/where"
exits 3 "so is one into a directory that is not there"

if ! command -v guestfish >/dev/null; then
  [ "${VIRT_KEEP_LAB_MUST_WORK:-}" != 1 ] || bail "guestfish is not installed"
  skip "files of a restore point" "guestfish is not installed"
  done_testing
fi
# Its virtual machine is emulated like all others here, and made once.
export LIBGUESTFS_CACHEDIR=/var/tmp LIBGUESTFS_BACKEND_SETTINGS=force_tcg
# left_over: private directories beside copies, and $private.  Others may have theirs
# in /var/tmp.
left_over ()
{
  find "$lab" "$root" -maxdepth 1 -name '.virt-keep-*'
  [ -z "$private" ] || ls -d -- "$private" 2>/dev/null
}
private=

# ---- the manual ------------------------------------------------------------------

follow "A FILE IS LOST" "On a disk without an operating system"
exits 0 "the steps of the manual succeed"
like "$(cat "$out")" "-rw-r--r-- [ 0-9]* 4 [-0-9]+ [0-9:]+ hostname" "ls tells about a file of the operating system"
is "$(cat "$root/hostname" "$root/ledger" | xargs)" "web a hundred" "get copies it, and one of a disk without an operating system"
is "$(left_over)" "" "nothing is left"

# ---- names -------------------------------------------------------------------------

keep --store "$store" get web --disk vdb --filesystem /dev/sda /absolute "$lab/copy" --progress json
exits 0 "a directory behind a link is copied"
is "$(grep -c '"event":"phase".*"phase":"\(open\|copy\)"' "$err") $(grep -c '"event":"progress".*"bytes":[0-9]*,"total":0' "$err" | sed 's/^[1-9][0-9]*$/some/') $(grep -c '"event":"done"' "$err")" \
   "2 some 1" "its progress is told, in bytes"
for name in "${names[@]}"; do
  is "$(cat "$lab/copy/$name")" "$(cat "$lab/data/odd/$name")" "with a file called $(printf %q "$name")"
done
holds "with what is below it" cmp "$lab/copy/deeper/random" "$lab/data/odd/deeper/random"
is "$(readlink "$lab/copy/link")" deeper/random "with its links"
is "$(stat -c '%a %u %Y' "$lab/copy/ümlaut")" "750 $(id -u) $(stat -c %Y "$lab/data/odd/ümlaut")" "with modes and times, but no set-user-id bit and our own owner"
holds "and without a fifo" test ! -e "$lab/copy/fifo"

keep_in_background --store "$store" --json get web --disk vdb /ledger "$lab/nothing"
# The directory is in the command line of guestfish.
# shellcheck disable=SC2317  # called by wait_for
guestfish_runs ()
{
  local child
  # shellcheck disable=SC2013  # words, not lines
  for child in $(cat "/proc/$keeper"/task/*/children); do
    private=$(tr '\0' '\n' <"/proc/$child/cmdline" | sed -n 's|^nbd:.*=\(.*\)/disk$|\1|p')
    [ -z "$private" ] || return 0
  done
  return 1
}
wait_for 60 guestfish_runs
holds "guestfish runs" test -d "$private"
kill -TERM "$keeper"
keep_ends 120
exits 143 "SIGTERM ends a copy"
is "$(ls -d "$lab/nothing" 2>/dev/null)$(left_over)" "" "and nothing is left of it"

# ---- restic ------------------------------------------------------------------------

if ! command -v restic >/dev/null || ! [ -e "$VIRT_KEEP_NBDKIT_PLUGIN" ]; then
  skip "files of a restic store" "it is not built, or restic is not installed"
  done_testing
fi
store=restic:$repository
keep --store "$store" init
keep --store "$store" backup web
keep --store "$store" --json ls web vdb /odd
exits 0 "restic store: the only file system of a disk is found"
is "$(json .files.length)" $((${#names[@]} + 3)) "restic store: with all files in the directory"
mapfile -t sorted < <(cd "$lab/data/odd" && printf '%q\n' * | sort)
is "$(for ((i = 0; i < ${#names[@]} + 3; i++)); do name=$(json ".files[$i].name"; echo .); name=${name%??}; printf '%q\n' "$name"; done | sort)" \
   "$(printf '%s\n' "${sorted[@]}")" "restic store: under their names"
is "$(for ((i = 0; i < ${#names[@]} + 3; i++)); do json ".files[$i].type"; done | sort | uniq -c | xargs)" \
   "1 directory 1 fifo $((${#names[@]})) file 1 link" "restic store: with their types"

done_testing

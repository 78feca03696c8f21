#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the commands of virt-keep-recovery(7) bring back what they say that they
# bring back, also where there is no virt-keep any more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manual-lib.sh"

# lose_machine: its definition, its first disk and what has been brought back of them.
lose_machine ()
{
  remove_domain web >/dev/null 2>&1
  remove_domain web2 >/dev/null 2>&1
  rm -rf "$images"/web "$images"/web.* "$images"/web2.* "$images/restored" "$root"/*.xml "$root/restored"
}

# back_up: in full, and then what has changed; $lab/vda.raw has the bytes of the
# instant of $point.
back_up ()
{
  guest_write web vda 0x11 1M 5M
  keep --store "$store" backup web
  exits 0 "a full backup"
  guest_write web vda 0x21 3M 1M
  shadow web vda "$lab/vda.raw"
  keep --store "$store" --json backup web
  exits 0 "and one of what has changed"
  point=$(json .point)
}

# has_come_back CLAIM MACHINE FILE FORMAT: the machine runs, and has the disk of the
# instant in that file.
has_come_back ()
{
  is "$(guest_state "$2")" running "$1: $2 runs"
  holds "$1: it uses $(basename "$3")" eval "virsh -q domblklist $2 | grep -qF $3"
  holds "$1: which has the bytes of the instant" qemu-img compare -U -f "$4" -F raw "$3" "$lab/vda.raw"
}

make_web
back_up
cp -a "$store" "$lab/store-before"
lose_machine
follow "VIRT-KEEP IS LOST, AN IMAGE STORE IS LEFT" "Beside a machine that is still there"
exits 0 "only qemu-img: the steps succeed"
without_virt_keep "only qemu-img"
is "$(grep -c ' OK$' "$out")" 2 "only qemu-img: both images of the chain are found sound"
has_come_back "only qemu-img" web "$images/web.qcow2" qcow2

has_come_back "a second machine" web2 "$images/web2.qcow2" qcow2
is "$(guest_state web)" running "a second machine: the first one still runs"

guest_write web vda 0x66 0 64M
follow "A DISK IS LOST"
exits 0 "a lost disk: the steps succeed"
has_come_back "a lost disk" web "$images/web.qcow2" qcow2
keep --store "$store" --json backup web
exits 0 "a lost disk: the next backup succeeds"
is "$(json .level)" full "a lost disk: and is a full one"
point=$(json .point)

lose_machine
follow "With an image store"
exits 0 "the host is lost: the steps succeed"
has_come_back "the host is lost" web "$images/web/vda.qcow2" qcow2
holds "the first points are as they were" diff -r "$lab/store-before" "$store" --exclude "${point#*@}" --exclude lock
lose_machine

# ---- a second disk, and the restic store ---------------------------------------

make_web data
guest_write web vdb 0x31 2M 3M
shadow web vdb "$lab/vdb.raw"
keep --store "$store" backup web
truncate -s 16M "$lab/device"
follow "A disk that is no file"
exits 0 "a disk that is no file: the steps succeed"
holds "a disk that is no file: it has the bytes of the instant" cmp "$lab/device" "$lab/vdb.raw"

if ! command -v restic >/dev/null || ! [ -e "$VIRT_KEEP_NBDKIT_PLUGIN" ]; then
  skip "with a restic store" "it is not built, or restic is not installed"
  done_testing
fi
store=restic:$repository
keep --store "$store" init
back_up
snapshot=$(restic -q -r "$repository" snapshots --json | perl -MJSON::PP -e 'print substr ((sort { $a->{time} cmp $b->{time} } @{decode_json (join "", <STDIN>)})[-1]{id}, 0, 8)')
lose_machine
follow "VIRT-KEEP IS LOST, A RESTIC STORE IS LEFT" "All files of the restore point"
exits 0 "only restic: the steps succeed"
without_virt_keep "only restic"
has_come_back "only restic" web "$images/web.raw" raw
holds "only restic: zeroes take no room" test "$(du -k "$images/web.raw" | cut -f1)" -lt $((8 * 1024))
holds "only restic: all files come at once as well" cmp "$root/restored/vda.raw" "$lab/vda.raw"

lose_machine
rm -f "$images/web-data"
follow "With a restic store"
exits 0 "the host is lost, with a restic store: the steps succeed"
has_come_back "the host is lost, with a restic store" web "$images/web/vda.qcow2" qcow2

done_testing

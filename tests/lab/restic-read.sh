#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: every point of a restic store comes back byte for byte, as images and as a
# domain, and what is damaged in the repository is named and never restored.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
[ -e "${VIRT_KEEP_NBDKIT_PLUGIN:=$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}" ] || skip_all "the nbdkit plugin is not built"
command -v nbdkit >/dev/null || skip_all "nbdkit is not installed"
export VIRT_KEEP_NBDKIT_PLUGIN

make_domain guest vda:qcow2:200M vdb:raw:33M
guest_write guest vda 0x11 1M 5M
guest_write guest vda 0x12 199M 1M
guest_write guest vdb 0x13 32M 1M
keep --store "$store" init
restic -q -r "$repository" backup --stdin --stdin-filename vda.raw </etc/passwd

# take LEVEL: backs up, with the bytes of the instant in $lab/POINT.vda and .vdb.
take ()
{
  local dev
  for dev in vda vdb; do
    shadow guest $dev "$lab/now.$dev"
  done
  keep --store "$store" --json backup guest
  exits 0 "a backup"
  is "$(json .level)" "$1" "which is $1"
  for dev in vda vdb; do
    mv "$lab/now.$dev" "$lab/$(json .point).$dev"
  done
}

# to NAME: a directory for a restore that QEMU can reach.
to ()
{
  mkdir -m 0711 "$lab/$1" && echo "$lab/$1"
}

# restored POINT DIRECTORY FORMAT: both disks are those of the instant.
restored ()
{
  local dev
  for dev in vda vdb; do
    same_bytes "$2/$dev.$3" "$lab/$1.$dev" || return
  done
}

# locks: how many locks there are in the repository.
locks ()
{
  find "$repository/locks" -type f | wc -l
}

take full
first=$(json .point)
guest_write guest vda 0x21 3M 64k
guest_write guest vda 0 5M 2M
guest_write guest vdb 0x22 0 64k
take incremental
second=$(json .point)
guest_write guest vda 0x31 150M 3M
take incremental
third=$(json .point)

keep --store "$store" --json list guest
exits 0 "the points are listed"
is "$(json '.points.length') $(json '.points[0].point') $(json '.points[2].point')" "3 $first $third" "all three and nobody else's, oldest first"
is "$(json '.points[1].state')" ok "and sound"
keep --store "$store" --json show "$second"
exits 0 "a point is shown"
is "$(json .manifest.disks.length)" 2 "with its disks"
keep --store "$store" show "$second"
like "$(cat "$out")" "Disk vda" "also as text"

keep --store "$store" --json verify --all
exits 0 "verify finds no damage"
keep --store "$store" --json verify guest --data
exits 0 "nor does it when it reads everything"
is "$(json .points.length) $(json .damages.length)" "3 0" "in three points"

for point in $first $second $third; do
  dir=$(to "raw-$point")
  keep --store "$store" --json restore "$point" --to "$dir" --format raw
  exits 0 "$point is restored into raw"
  holds "with the bytes of its instant" restored "$point" "$dir" raw
done
holds "holes stay holes" test "$(du -k "$dir/vda.raw" | cut -f1)" -lt $((30 * 1024))
holds "the domain's XML is back" grep -q "<name>guest</name>" "$dir/domain.xml"
dir=$(to qcow2)
keep --store "$store" --json restore "$second" --to "$dir" --define --name twin
exits 0 "a restore into qcow2, defined as a domain"
holds "has the bytes of the instant" restored "$second" "$dir" qcow2
is "$(virsh -q domblklist twin | grep -c "$dir")" 2 "the domain has the disks"
virsh -q start twin >/dev/null
is "$(guest_state twin)" running "and starts"
virsh -q destroy twin >/dev/null
virsh -q undefine twin >/dev/null
dir=$(to one)
# Others restore at the same time: which directory is ours the system calls tell.
VG="strace -f -qq -o $lab/made -e trace=mkdir,mkdirat" ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 keep --store "$store" restore guest --disk vdb --to "$dir"
exits 0 "one disk of the newest point is restored"
is "$(ls "$dir")" vdb.qcow2 "and nothing else"
is "$(locks)" 0 "no lock is left in the repository"
mapfile -t private < <(sed -n 's|.*mkdir[a-z]*(.*"\(/var/tmp/virt-keep-restore-[^"/]*\)".* = 0$|\1|p' "$lab/made")
holds "it had a private directory" test ${#private[@]} -gt 0
is "$(find "${private[@]}" -maxdepth 0 2>/dev/null | wc -l)" 0 "and no socket"

id=$(snapshot_of "$third")
# by_hand PARAMETER...: the size of what the plugin serves, as an administrator asks.
by_hand ()
{
  timeout 60 nbdkit -U - "$VIRT_KEEP_NBDKIT_PLUGIN" "$repository" snapshot="$id" "$@" --run 'nbdinfo --size $uri' 2>&1
}
is "$(by_hand file=/vda.raw)" $((200 << 20)) "nbdkit serves a disk by hand"
like "$(by_hand file=/vdz.raw)" "no 'vdz.raw'" "of a file that is not there it says so, and ends"
like "$(RESTIC_PASSWORD=wrong by_hand file=/vda.raw)" "password" "as it does with a wrong password"

restic -q -r "$repository" forget --prune --max-unused 0 "$(snapshot_of "$first")"
keep --store "$store" --json verify guest --data
exits 0 "the others outlive restic's forget and prune of one"
restic -q init -r "$lab/other" >/dev/null
RESTIC_FROM_PASSWORD=$RESTIC_PASSWORD restic -q -r "$lab/other" copy --from-repo "$repository" "$(snapshot_of "$third")"
dir=$(to copied)
keep --store "restic:$lab/other" restore guest --to "$dir" --format raw
exits 0 "a point that restic copied to another repository is restored from there"
holds "byte for byte" restored "$third" "$dir" raw

RESTIC_PASSWORD=wrong keep --store "$store" list
exits 5 "a wrong password is refused"
env -u RESTIC_PASSWORD "$VIRT_KEEP" --store "$store" complete points </dev/null >"$out" 2>"$err"
is "$(cat "$out")" "" "without a password nothing is completed, nor asked"
is "$("$VIRT_KEEP" --store "$store" complete points | tail -n 1)" "$third" "with one the points are"

# damage CLAIM: what has been done to the repository is found by verify and by a
# restore of the third point, which is not half there afterwards.
damage ()
{
  keep --store "$store" --json verify guest --data
  exits 12 "$1: verify finds it"
  like "$(json .damages)" "'vda.raw' of guest@[0-9TZ]+ bytes [0-9]+ to [0-9]+" "$1: the bytes are named"
  like "$(json .damages)" "$third" "$1: and the point"
  damaged=$((damaged + 1))
  dir=$(to "damaged-$damaged")
  keep --store "$store" --json restore "$third" --to "$dir"
  exits 9 "$1: the restore fails"
  like "$(json .error.message)" "'vda.raw' of snapshot .* bytes [0-9]+ to [0-9]+" "$1: it names the bytes"
  is "$(ls -A "$dir")" "" "$1: and leaves nothing"
}
damaged=0

# pack_and_offset BLOB: where restic says that the blob lies.
pack_and_offset ()
{
  local index
  for index in $(restic -q -r "$repository" list index); do
    restic -q -r "$repository" cat index "$index" | perl -MJSON::PP -e '
      my ($blob) = @ARGV;
      for my $pack (@{JSON::PP->new->decode (join "", <STDIN>)->{packs}}) {
        $_->{id} eq $blob and print "$pack->{id} $_->{offset}\n" for @{$pack->{blobs}}
      }' "$1"
  done
}

# The chunk at 3 MiB of the first disk.
tree=$(restic -q -r "$repository" cat snapshot "$(snapshot_of "$third")" | json_get /dev/stdin .tree)
blob=$(restic -q -r "$repository" cat blob "$tree" | perl -MJSON::PP -e '
  $_->{name} eq "vda.raw" and print $_->{content}[6] for @{JSON::PP->new->decode (join "", <STDIN>)->{nodes}}')
read -r pack offset < <(pack_and_offset "$blob")
pack=$repository/data/${pack:0:2}/$pack
cp -p "$pack" "$lab/pack"
chmod u+w "$pack"
printf '\377\001' | dd of="$pack" bs=1 seek=$((offset + 20)) conv=notrunc status=none
damage "two changed bytes"
cp "$lab/pack" "$pack"
rm "$pack"
damage "a lost pack"
head -c $((offset + 20)) "$lab/pack" >"$pack"
damage "a pack that was cut off"
cp "$lab/pack" "$pack"
keep --store "$store" verify guest --data
exits 0 "with the pack back everything is well"

done_testing

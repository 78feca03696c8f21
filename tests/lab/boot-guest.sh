#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a real Linux boots from a full, from the fifth incremental and from a point of a
# restic store; it goes on writing where the point ends, and while it is moved to permanent
# disks no record that it has on stable storage is lost, on either store.
# shellcheck disable=SC2016,SC2031  # what eval expands
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
image_store=$store
# shellcheck source=restic-lib.sh
. "$lab_sources/restic-lib.sh"
restic_store=$store
# shellcheck source=boot-lib.sh
. "$lab_sources/boot-lib.sh"
[ -e "$VIRT_KEEP_NBDKIT_PLUGIN" ] || skip_all "the nbdkit plugin is not built"

# writes_on NAME: the guest has three more records on its disk than now.
writes_on ()
{
  guest_says "$1" "RECORD $(($(last_record "$1") + 3))"
}

# backed_up STORE NAME: makes a point, which is in $point then; $written is the record that
# was on the disk before.
backed_up ()
{
  written=$(last_record "$2")
  keep --store "$1" --json backup "$2" --max-chain 10
  [ "$code" = 0 ] || bail "backup: $(cat "$out")"
  point=$(json .point)
}

# comes_up POINT RECORD CLAIM: boots it from $store in the place of the original; what the
# guest writes next follows on what the point has, which is RECORD at the least.
comes_up ()
{
  local first
  rm -f "$lab/web.console"
  boots "$1" "$3: it is booted"
  is "$booted" web "$3: in the place of the original"
  guest_says web "GUEST: READY"
  guest_says web "RECORD "
  first=$(sed -n 's/^RECORD \([0-9]*\).*/\1/p' "$lab/web.console" | head -n 1)
  holds "$3: the guest goes on after the records that it had" test "$first" -gt "$2"
}

# is_moved STORE-PATH CLAIM: moves the guest that writes to permanent disks, and then lets
# it go on without the store.
is_moved ()
{
  local before after last to=$lab/$2
  mkdir "$to"
  writes_on web
  before=$(last_record web)
  keep --json boot --finish web --to "$to"
  exits 0 "$2: the guest is moved to permanent disks"
  after=$(last_record web)
  holds "$2: it has written records meanwhile" test "$after" -gt "$before"
  holds "$2: no door is left, and nothing else of the boot" no_boot_left
  mv "$1" "$1.moved"
  writes_on web
  unlike "$(virsh dumpxml web; virsh dumpxml --inactive web)" "urn:virt-keep|nbd" "$2: it goes on without the store, and nothing in it tells of the boot"
  # As the power fails: what was acknowledged has to be there.
  virsh -q destroy web
  last=$(last_record web)
  holds "$2: the new disk stands alone" eval '! qemu-img info "$to/vda.qcow2" | grep -q backing'
  has_records "$to/vda.qcow2" "$last" "$2: no record is lost"
  mv "$1.moved" "$1"
  rm "$lab/web.console"
  virsh -q start web || bail "the moved domain does not start"
  guest_says web "RECORD $((last + 3))"
  virsh -q destroy web
  has_records "$to/vda.qcow2" "$((last + 3))" "$2: nor after it has started from its new disk"
  virsh -q undefine web
}

# has_records IMAGE LAST CLAIM: all of them up to LAST are there; one more may have been
# written before it was spoken of.
has_records ()
{
  local found
  found=$(records_of "$1")
  diag "$2 records were acknowledged, ${found:-none} found"
  holds "$3" test "${found:-0}" -ge "$2"
}

keep --store "$restic_store" init
make_guest web records
# Something to copy, which takes a moment: behind what the guest uses.
virsh -q blockresize web vda 512M
guest_write web vda 0x61 128M 256M
guest_says web "RECORD 3"
backed_up "$image_store" web
full=$point full_has=$written
backed_up "$restic_store" web
for _ in 1 2 3 4 5; do
  writes_on web
  backed_up "$image_store" web
done
fifth=$point fifth_has=$written
is "$(json .disks[0].level)" incremental "a guest that writes is backed up, the fifth time after the full incrementally"
writes_on web
backed_up "$restic_store" web
incremental=$point incremental_has=$written
is "$(json .level)" incremental "in a restic store, too"
remove_domain web

store=$image_store
comes_up "$full" "$full_has" "a full"
keep --json boot --discard web
exits 0 "it is thrown away"
comes_up "$fifth" "$fifth_has" "the fifth incremental"
is_moved "$image_store" image-store
store=$restic_store
comes_up "$incremental" "$incremental_has" "a point of a restic store"
is_moved "$repository" restic-store
repository_is_sound "in the end"

done_testing

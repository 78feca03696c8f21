#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what moves a disk about between two backups (external snapshots, commit, pull,
# copy with a pivot), or makes libvirt forget the domain, never makes an incremental
# lie: it has the exact bytes, or the backup is a full that says why.
. "$(dirname "$0")/lib.sh"

# write_somewhere DOMAIN: as a guest, at random.
write_somewhere ()
{
  guest_write "$1" vda $((RANDOM % 255 + 1)) $((RANDOM % 28))M $((RANDOM % 900 + 100))k
  guest_discard "$1" vda $((RANDOM % 28))M 700k
  guest_io "$1" vda "write -z $((RANDOM % 28))M 300k"
}

# right CLAIM DOMAIN ARGUMENT...: the next backup has the bytes of the instant, and is
# an incremental or says why it is not.  Its level is in $level.
right ()
{
  local claim=$1 domain=$2
  shift 2
  shadow "$domain" vda "$lab/then.raw"
  keep --store "$store" --json backup "$domain" "$@"
  exits 0 "$claim: the backup succeeds"
  level=$(json .level)
  if [ "$level" = incremental ]; then
    ok "$claim: is incremental"
  else
    like "$(json .reason)" "." "$claim: is full and says why ($(json .reason))"
  fi
  holds "$claim: has the exact bytes" same_bytes "$(point_dir "$(json .point)")/vda.qcow2" "$lab/then.raw"
}

# overlay DOMAIN: an external snapshot; the disk is a new image then.
overlay ()
{
  local file
  file=$lab/overlay.$((++overlays)).qcow2
  virsh -q snapshot-create-as "$1" --disk-only --no-metadata --diskspec "vda,file=$file" >"$lab/said" 2>&1 \
    || bail "no snapshot: $(cat "$lab/said")"
  disk_file["$1:vda"]=$file
}

quietly ()
{
  "$@" >"$lab/said" 2>&1 || bail "$*: $(cat "$lab/said")"
}

overlays=0
for mode in push pull; do
  make_domain $mode vda:qcow2:32M
  original=${disk_file[$mode:vda]}
  write_somewhere $mode
  right "$mode: to begin with" $mode --mode $mode
  write_somewhere $mode
  right "$mode: undisturbed" $mode --mode $mode
  is "$level" incremental "$mode: as an incremental"

  write_somewhere $mode
  overlay $mode
  write_somewhere $mode
  right "$mode: after an external snapshot" $mode --mode $mode
  write_somewhere $mode
  right "$mode: and once more" $mode --mode $mode
  is "$level" incremental "$mode: as an incremental on the overlay"

  write_somewhere $mode
  quietly virsh -q blockcommit $mode vda --active --pivot --wait --base "$original"
  disk_file[$mode:vda]=$original
  write_somewhere $mode
  right "$mode: after the overlay was committed" $mode --mode $mode
  write_somewhere $mode
  right "$mode: and once more" $mode --mode $mode

  write_somewhere $mode
  overlay $mode
  write_somewhere $mode
  quietly virsh -q blockcommit $mode vda --active --pivot --wait --base "$original"
  disk_file[$mode:vda]=$original
  write_somewhere $mode
  right "$mode: after a snapshot that was committed at once" $mode --mode $mode

  # A chain of three, its middle committed.
  overlay $mode
  middle=${disk_file[$mode:vda]}
  write_somewhere $mode
  overlay $mode
  write_somewhere $mode
  right "$mode: on two overlays" $mode --mode $mode
  write_somewhere $mode
  quietly virsh -q blockcommit $mode vda --base "$original" --top "$middle" --wait
  write_somewhere $mode
  right "$mode: after the middle was committed" $mode --mode $mode

  write_somewhere $mode
  quietly virsh -q blockpull $mode vda --wait
  write_somewhere $mode
  right "$mode: after everything was pulled into the overlay" $mode --mode $mode
  write_somewhere $mode
  right "$mode: and once more" $mode --mode $mode
  is "$level" incremental "$mode: as an incremental"

  write_somewhere $mode
  quietly virsh -q blockcopy $mode vda "$lab/copy.$mode.qcow2" --format qcow2 --transient-job --wait --pivot
  disk_file[$mode:vda]=$lab/copy.$mode.qcow2
  write_somewhere $mode
  right "$mode: after a copy with a pivot" $mode --mode $mode
  write_somewhere $mode
  right "$mode: and once more" $mode --mode $mode
  is "$level" incremental "$mode: as an incremental on the copy"

  # There and back again: the path is the one of the base, the image is not.
  write_somewhere $mode
  quietly virsh -q blockcopy $mode vda "$lab/there.$mode.qcow2" --format qcow2 --transient-job --wait --pivot
  disk_file[$mode:vda]=$lab/there.$mode.qcow2
  write_somewhere $mode
  rm "$lab/copy.$mode.qcow2"
  quietly virsh -q blockcopy $mode vda "$lab/copy.$mode.qcow2" --format qcow2 --transient-job --wait --pivot
  disk_file[$mode:vda]=$lab/copy.$mode.qcow2
  write_somewhere $mode
  right "$mode: after a copy there and back" $mode --mode $mode
done

# ---- libvirt's memory ------------------------------------------------------------

virsh -q checkpoint-create-as push foreign --diskspec vda,checkpoint=bitmap
write_somewhere push
right "beside a foreign checkpoint" push
virsh dumpxml push --inactive --security-info >"$lab/push.xml"
write_somewhere push
guest_flush push vda
quietly virsh -q destroy push
quietly virsh -q undefine push --checkpoints-metadata
quietly virsh -q define "$lab/push.xml"
quietly virsh -q start push
write_somewhere push
right "undefined and defined again" push
is "$level" incremental "as an incremental, from the bitmap in the image"
quietly virsh -q undefine push --checkpoints-metadata
write_somewhere push
right "transient" push
guest_flush push vda
quietly virsh -q destroy push
quietly virsh -q create "$lab/push.xml"
write_somewhere push
right "a transient domain after a restart" push
is "$level" incremental "as an incremental, from the bitmap in the image"
is "$(checkpoints push)" "$(json .checkpoint)" "and one checkpoint is alive in libvirt"
like "$(qemu-img info -U "${disk_file[push:vda]}")" "name: foreign" "the foreign bitmap is still in the image"
bitmaps=$(qemu-img info -U --output=json "${disk_file[push:vda]}" | grep -c '"granularity"')
holds "no dead bitmaps of ours pile up in the image" test "$bitmaps" -le 2

keep --store "$store" verify --all --data
exits 0 "every restore point verifies"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what a LUKS disk holds lies in the clear neither in a store nor in a scratch file:
# an image store keeps it encrypted with its own key, and restores it so; a restic store takes it, and gives it back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

secret=0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f
printf 'correct horse' >"$lab/key"
make_domain guest vda:qcow2:32M
virsh -q destroy guest
image=${disk_file[guest:vda]}
# Where clocks are coarse, qemu-img cannot always measure how fast the machine is.
make_image ()
{
  qemu-img create -q --object "secret,id=s,file=$lab/key" -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$image" 32M 2>"$lab/words"
}
for _ in {1..10}; do
  make_image && break
  grep -q "accurate CPU" "$lab/words" || skip_all "qemu-img makes no LUKS image here"
done
printf "<secret ephemeral='no' private='no'><uuid>%s</uuid><usage type='volume'><volume>%s</volume></usage></secret>" $secret "$image" >"$lab/secret.xml"
virsh -q secret-define "$lab/secret.xml" >/dev/null || bail "no secret"
cleanup_fn virsh -q secret-undefine $secret
virsh -q secret-set-value $secret --file "$lab/key" --plain >/dev/null
virsh dumpxml --inactive guest | sed "s|<source file=\(.*\)/>|<source file=\1><encryption format='luks'><secret type='passphrase' uuid='$secret'/></encryption></source>|" >"$lab/guest.xml"
virsh -q define "$lab/guest.xml"
virsh -q start guest || bail "the domain with an encrypted disk does not start"
guest_write guest vda 0x42 1M 12M

# in_the_clear DIRECTORY: files below with what the guest has written.
in_the_clear ()
{
  LC_ALL=C grep -rlaP 'B{512}' "$@"
}
cp --sparse=always "$image" "$lab/encrypted"
is "$(in_the_clear "$lab/encrypted")" "" "the disk is encrypted"
printf '%1024s' '' | tr ' ' B >"$lab/clear"
is "$(in_the_clear "$lab/clear")" "$lab/clear" "and it would be seen if it were not"
rm "$lab/clear"

# Images with the disk's own key.
# check_bytes IMAGE BYTE...: what the guest has written at 1M and at 20M, read with the key.
check_bytes ()
{
  local image=$1 byte at=(1 20)

  shift
  qemu-img convert --object "secret,id=s,file=$lab/key" --image-opts -O raw "driver=qcow2,file.filename=$image,encrypt.format=luks,encrypt.key-secret=s" "$lab/raw" || return
  for byte; do
    [ "$(dd if="$lab/raw" bs=1M skip="${at[0]}" count=1 status=none | tr -d "$byte" | wc -c)" = 0 ] || return
    at=("${at[@]:1}")
  done
  rm "$lab/raw"
}
images="$lab/images"
keep --store "$images" --json backup guest
exits 0 "push: an image store takes the disk"
is "$(json .level)" full "as a full one"
guest_write guest vda 0x44 20M 1M
keep --store "$images" --json backup guest --level incremental
exits 0 "and again, incrementally"
keep --store "$images" --json backup guest --level incremental --mode pull
exits 0 "and in pull mode"
is "$(in_the_clear "$images"; LC_ALL=C grep -rlaP 'D{512}' "$images")" "" "nothing lies in the clear in the store"
is "$(LC_ALL=C grep -rla 'correct horse' "$images" "$XDG_CACHE_HOME" 2>/dev/null; cat "$out" "$err" | grep 'correct horse')" "" "and the key lies nowhere"
keep --store "$images" --json doctor guest
like "$(cat "$out")" "is encrypted: in an image store so are its images" "doctor says so"
is "$(find "$images" -name manifest.json -exec grep -l "$secret" {} + | wc -l)" 3 "the manifests name the secret"
keep --store "$images" --json backup guest --level differential
exits 5 "a differential is refused"
like "$(json .error.message)" "no differentials" "which is said"
keep --store "$images" --json list
mapfile -t points < <(for i in 0 1 2; do json ".points[$i].point"; done)
keep --store "$images" verify --data "${points[1]}"
exits 0 "verify reads a point"
keep --store "$images" restore "${points[0]}" --to "$lab/image-full"
exits 0 "the full one is restored"
holds "encrypted with the same key, and is what the guest saw at its instant" check_bytes "$lab/image-full/vda.qcow2" B '\0'
keep --store "$images" restore "${points[2]}" --to "$lab/image-new" --define --name image-new --start
exits 0 "the last one runs as a domain"
cleanup_fn remove_domain image-new
like "$(virsh dumpxml image-new)" "<encryption format='luks'.*|secret type='passphrase' uuid='$secret'" "whose disk is encrypted"
is "$(in_the_clear "$lab/image-new" "$lab/image-full")" "" "nothing of it lies in the clear"
virsh -q destroy image-new
holds "and is what the guest saw" check_bytes "$lab/image-new/vda.qcow2" B D
keep --store "$images" --json restore "${points[1]}" --to "$lab/no" --format raw
exits 5 "a raw image, which would be in the clear, is refused"
like "$(json .error.message)" "vda is encrypted.*as qcow2" "with what to do instead"
keep --store "$images" --json boot "${points[1]}"
exits 5 "boot is refused, too"
like "$(json .error.message)" "vda.*is encrypted.*restore it" "with what to do instead"
keep --store "$images" forget "${points[0]}"
exits 0 "a point that others build on is removed"
is "$(in_the_clear "$images")" "" "and nothing of it lies in the clear"
keep --store "$images" restore "${points[1]}" --to "$lab/image-merged"
exits 0 "one that was merged is restored"
holds "and is what the guest saw" check_bytes "$lab/image-merged/vda.qcow2" B D
printf 'another' >"$lab/other-key"
virsh -q secret-set-value $secret --file "$lab/other-key" --plain >/dev/null
keep --store "$images" --json backup guest
like "$(json .level) $(json .disks[0].reason) $(json .reason)" "full.*assword" "with another value of the secret a backup is a full one, and says why"
keep --store "$images" --json list
mapfile -t points < <(for i in 0 1 2; do json ".points[$i].point"; done)
keep --store "$images" verify "${points[0]}"
exits 0 "verify without --data needs no key"
keep --store "$images" --json verify --data "${points[0]}"
exits 5 "verify --data does not call a wrong key damage"
like "$(json .error.message)" "the key is wrong for .*virsh secret-set-value" "but says that it is wrong"
keep --store "$images" --json restore "${points[0]}" --to "$lab/wrong"
is "$([ "$code" != 0 ] && json .ok)" false "nor does a restore succeed with it"
like "$(json .error.message)" "the key is wrong for .*virsh secret-set-value" "which says so, too"
holds "nothing is left of the restore" test ! -e "$lab/wrong/vda.qcow2"
virsh -q secret-set-value $secret --file "$lab/key" --plain >/dev/null

keep --store "$store" init
mkdir "$lab/scratch"
chmod 0711 "$lab/scratch"
job_is_seen ()
{
  virsh backup-dumpxml guest >"$lab/job.xml"
}
scratch_holds ()
{
  [ "$(find "$lab/scratch" -name '*.scratch' -printf '%b\n')" -ge $((6 * 2048)) ]
}
keep_in_background --store "$store" --json backup guest --scratch-dir "$lab/scratch" --max-rate 1M
wait_for 120 job_is_seen
guest_write guest vda 0x43 5M 8M
holds "the scratch file gets what the guest overwrites" wait_for 60 scratch_holds
is "$(in_the_clear "$lab/scratch")" "" "where it does not lie in the clear"
keep_ends 300
exits 0 "a restic store takes the disk"
like "$(cat "$lab/job.xml")" "<encryption format='luks'.*$secret" "with a scratch file that is encrypted by the disk's own secret"
is "$(in_the_clear "$repository"; in_the_clear "$XDG_CACHE_HOME")" "" "nothing lies in the clear in the repository"
guest_write guest vda 0x44 1M 1M
keep --store "$store" --json backup guest
exits 0 "and again"
like "$(cat "$out")" '"level" : "incremental"' "incrementally"
unlike "$(cat "$out" "$err")" "correct horse" "the key is not shown"

first=$("$VIRT_KEEP" --store "$store" --json list </dev/null >"$lab/list.json"; json_get "$lab/list.json" '.points[0].point')
keep --store "$store" restore "$first" --to "$lab/to" --format raw
exits 0 "the first point is restored"
is "$(dd if="$lab/to/vda.raw" bs=1M skip=1 count=12 status=none | tr -d B | wc -c)" 0 "and is what the guest saw at its instant"
keep --store "$store" restore guest --to "$lab/new" --define --name new --start
exits 0 "the second one runs as a domain"
cleanup_fn remove_domain new
unlike "$(virsh dumpxml new)" "<encryption" "whose disk is not encrypted"
unlike "$(cat "$lab/new/domain.xml")" "correct horse" "and whose document does not hold the key"

done_testing

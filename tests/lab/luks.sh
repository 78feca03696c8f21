#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what a LUKS disk holds lies in the clear neither in a store nor in a scratch file:
# an image store is refused, a restic store takes it, and gives it back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

secret=0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f
printf 'correct horse' >"$lab/key"
make_domain guest vda:qcow2:32M
virsh -q destroy guest
image=${disk_file[guest:vda]}
qemu-img create -q --object "secret,id=s,file=$lab/key" -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$image" 32M \
  || skip_all "qemu-img makes no LUKS image here"
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
  LC_ALL=C grep -rlaP 'B{512}' "$1"
}
cp --sparse=always "$image" "$lab/encrypted"
is "$(in_the_clear "$lab/encrypted")" "" "the disk is encrypted"
printf '%1024s' '' | tr ' ' B >"$lab/clear"
is "$(in_the_clear "$lab/clear")" "$lab/clear" "and it would be seen if it were not"
rm "$lab/clear"

for mode in push pull; do
  keep --store "$lab/images" --json backup guest --mode $mode
  exits 5 "$mode: an image store is refused"
  like "$(json .error.message)" "'vda' of 'guest' is encrypted.*restic store, which encrypts.*--exclude" "$mode: with what to do instead"
done
is "$(find "$lab/images" -name '*.qcow2' 2>/dev/null)" "" "and nothing of the disk is there"
keep --store "$lab/images" init
keep --store "$lab/images" --json doctor guest
like "$(cat "$out")" "it cannot be backed up: the disk .vda. of .guest. is encrypted" "doctor says so beforehand"

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

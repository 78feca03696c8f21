#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: doctor says whether a host and its domains can be backed up, finds what backups
# that are gone have left, mends it with --fix, and leaves alone what is not certainly ours.
. "$(dirname "$0")/lib.sh"

# found CHECK [SUBJECT]: "STATE FIXED" of each such finding that doctor --json has printed
# last, one a line.
found ()
{
  perl -MJSON::PP -e '
    my ($check, $subject) = @ARGV;
    my $result = JSON::PP->new->utf8->decode (join "", <STDIN>);
    for (@{$result->{checks}}) {
      next if $_->{check} ne $check || (defined $subject && $_->{subject} ne $subject);
      print $_->{state}, ($_->{fixed} ? " fixed" : ""), "\n";
    }' "$@" <"$out"
}

# says CHECK: their texts and advice.
says ()
{
  perl -MJSON::PP -e '
    my ($check) = @ARGV;
    my $result = JSON::PP->new->utf8->decode (join "", <STDIN>);
    print "$_->{text}: ", $_->{advice} // "", "\n" for grep { $_->{check} eq $check } @{$result->{checks}}' "$1" <"$out"
}

name='a<b&c'
make_domain "$name" vda:qcow2:64M vdb:raw:16M sda:cdrom:
guest_write "$name" vda 0x42 0 4M
uuid=$(virsh domuuid "$name" | head -n 1)

# ---- nothing is wrong ------------------------------------------------------------

keep --json doctor
exits 0 "nothing is wrong with a host without a store"
is "$(found libvirt) $(found qemu) $(found backup-support) $(found events) $(found qemu-img)" "ok ok ok ok ok" "its programs, versions and events are good"
is "$(found store)" note "that no store is named is worth a note"
keep --store "$store" --json doctor
exits 0 "nor with a store that is still to be made"
is "$(found store)" note "which is worth a note"

keep --store "$store" --json backup "$name"
exits 0 "a backup"
keep --store "$store" --json doctor "$name"
exits 0 "nothing is wrong with a domain that was backed up"
is "$(found state) $(found level) $(found checkpoint) $(found leftovers)" "ok ok ok ok" "it runs, its bitmap is sound, and the next backup is incremental"
is "$(found agent)" note "that it has no guest agent is worth a note"
like "$(says agent)" "org.qemu.guest_agent.0" "which says what to do"
is "$(found disk | xargs)" "ok note ok" "so is a raw disk; an empty drive is not"
like "$(says disk)" "vdb is raw.*reads all of it" "and the note says what that means"
is "$(found reach domain | sort -u)" ok "its QEMU can get at the store and at the scratch directory"
keep --store "$store" doctor --all
exits 0 "the same for all domains, for people"
like "$(cat "$out")" "domain a<b&c" "with the name of the domain"
like "$(cat "$out")" "  ok  .*next backup \\(auto\\) is incremental" "and what its next backup is"

keep --store "$store" --json doctor nosuch
exits 3 "a domain that there is not is not found"
keep --store "$store" --json doctor "$name" --all
exits 2 "a domain and --all contradict each other"

# ---- a QEMU that was killed ---------------------------------------------------------

kill_qemu "$name"
keep --store "$store" --json doctor "$name"
exits 0 "a domain that is shut off can be backed up"
is "$(found state)" note "with a note"
virsh -q start "$name"
keep --store "$store" --json doctor "$name"
is "$code $(found checkpoint)" "0 note" "after a QEMU that was killed, a bitmap is broken"
like "$(says level)" "is full" "so that the next backup is full"
keep --store "$store" --json backup "$name"
exits 0 "which it is"
is "$(json .level)" full "indeed"

# ---- what a backup has left ------------------------------------------------------------

virsh -q checkpoint-create-as "$name" mine --diskspec vda,checkpoint=bitmap --diskspec vdb,checkpoint=no >"$lab/said" 2>&1 || bail "$(cat "$lab/said")"
id=$(json_get "$store/virt-keep-store.json" .id)
ours=virt-keep-$id-20200101T000000Z
run=/var/tmp/virt-keep-$id-${uuid:0:8}-lab
cleanup_fn rm -rf "$run"
domain_dir=$(find "$store" -mindepth 1 -maxdepth 1 -name "*.$uuid")

# begin_job DIR CHECKPOINT: a pull job whose files lie in DIR.
begin_job ()
{
  mkdir -p "$1"
  chmod 0777 "$1"
  cat >"$lab/job.xml" <<END
<domainbackup mode='pull'><server transport='unix' socket='$1/nbd'/>
<disks><disk name='vda' backup='yes' type='file'><scratch file='$1/vda.scratch'/></disk><disk name='vdb' backup='no'/></disks></domainbackup>
END
  cat >"$lab/checkpoint.xml" <<END
<domaincheckpoint><name>$2</name><disks><disk name='vda' checkpoint='bitmap'/><disk name='vdb' checkpoint='no'/></disks></domaincheckpoint>
END
  virsh -q backup-begin "$name" "$lab/job.xml" "$lab/checkpoint.xml" >"$lab/said" 2>&1 || bail "backup-begin: $(cat "$lab/said")"
}

begin_job "$run" "$ours"
mkdir "$domain_dir/.partial-20200101T000000Z"
touch "$domain_dir/.partial-20200101T000000Z/vda.qcow2"
keep --store "$store" --json doctor
exits 12 "what a backup that is gone has left is a problem"
is "$(found stale-job) $(found run-directory) $(found dead-checkpoint) $(found half-point)" "problem problem problem problem" "its job, its directory, its checkpoint and its half point"
is "$(json .problems) $(json .error.class)" "4 damaged" "which are counted"
holds "nothing is done about it without being asked" has_job "$name"
is "$(checkpoints "$name" | grep -c -e mine -e "$ours")" 2 "nor about the checkpoints"
keep --store "$store" doctor
exits 12 "for people"
like "$(cat "$out")" "problem .*private directory '$run'" "it is said"
like "$(cat "$out")" "-> virt-keep doctor --fix" "with what to do"
keep --store "$store" --json doctor "$name" --fix
exits 0 "with --fix"
is "$(found stale-job) $(found run-directory) $(found dead-checkpoint) $(found half-point)" "problem fixed problem fixed problem fixed problem fixed" "it is mended"
holds "the job is gone" no_job "$name"
is "$(find "$store" "$run" -name '*20200101T*' 2>/dev/null)$(ls -d "$run" 2>/dev/null)" "" "so are the files"
is "$(checkpoints "$name" | grep -c -e "$ours")" 0 "and the checkpoint"
is "$(checkpoints "$name" | grep -c -e mine)" 1 "but somebody else's is not"
keep --store "$store" --json doctor "$name"
exits 0 "then nothing is wrong"
keep --store "$store" --json backup "$name"
exits 0 "and the next backup succeeds"

begin_job "$lab/foreign" foreign
keep --store "$store" --json doctor "$name" --fix
exits 12 "somebody else's job is in the way"
is "$(found foreign-job)" problem "it is found"
holds "and left alone" has_job "$name"
is "$(checkpoints "$name" | grep -c -e mine -e foreign)" 2 "and so are the checkpoints"
virsh -q domjobabort "$name"
wait_for 10 no_job "$name"

# ---- a virt-keep that is killed, and one that lives ---------------------------------------

make_big_domain big
keep --store "$store" --json backup big
exits 0 "a backup of another domain"
for mode in push pull; do
  held_backup $mode big
  "$VIRT_KEEP" --store "$store" --json doctor big --fix >"$lab/doctor" 2>&1
  is "$(json_get "$lab/doctor" .ok)" true "$mode: a virt-keep at work is no problem"
  like "$(cat "$lab/doctor")" "a virt-keep is at work" "$mode: it is noticed"
  holds "$mode: and its job runs on" has_job big
  kill -KILL "$keeper"
  wait "$keeper" 2>/dev/null
  keep --store "$store" --json doctor --fix
  exits 0 "$mode: what it leaves when it is killed can be mended"
  keep --store "$store" --json doctor big
  exits 0 "$mode: and is"
  holds "$mode: no job is left" no_job big
  is "$(find "$store" -name '.partial-*')$(ls -d "/var/tmp/virt-keep-$id-"* 2>/dev/null)" "" "$mode: nor a file"
  keep --store "$store" --json backup big --mode $mode
  exits 0 "$mode: the next backup succeeds"
done

# ---- tar archives: the directories of commands that were killed --------------------------

mkdir -m 0711 "$lab/streams" "$lab/streams/virt-keep-stream-killed" "$lab/streams/virt-keep-stream-lives" "$lab/streams/other"
echo image >"$lab/streams/virt-keep-stream-killed/image"
exec 8<"$lab/streams/virt-keep-stream-lives"
flock -n 8 || bail "no lock"
keep --json doctor --scratch-dir "$lab/streams"
exits 12 "what a stream that was killed has left is a problem"
is "$(found stream-directory)" problem "it is found, and one that is used is not"
like "$(says stream-directory)" "'$lab/streams/virt-keep-stream-killed'.*doctor --fix" "it says where, and what to do"
keep --json doctor --scratch-dir "$lab/streams" --fix
exits 0 "with --fix"
is "$(found stream-directory)" "problem fixed" "it is removed"
is "$(cd "$lab/streams" && echo *)" "other virt-keep-stream-lives" "and nothing else"
exec 8<&-

# ---- directories that QEMU cannot reach ------------------------------------------------------

keep --store "$store" --json doctor --mode pull --scratch-dir "$lab/missing"
exits 12 "a scratch directory that is not there is a problem"
like "$(says directory)" "$lab/missing" "which names it"
if [ "$(id -u)" = 0 ]; then
  mkdir -m 0700 "$lab/locked"
  keep --store "$lab/locked/store" --json init
  keep --store "$lab/locked/store" --json doctor big --mode push
  exits 12 "a store that QEMU's user cannot reach is a problem"
  is "$(found reach store) $(found reach domain)" "problem problem" "for any domain and for this one"
  like "$(says reach)" "cannot pass through '$lab/locked'.*chmod o\\+x '$lab/locked'" "which names the directory in the way"
  keep --store "$lab/locked/store" --json doctor --mode pull
  exits 0 "in pull mode it is none"
  mkdir -m 0711 "$lab/late"
  if mount -t tmpfs -o size=128M,mode=0711 none "$lab/late" 2>/dev/null; then
    cleanup_fn umount "$lab/late"
    keep --store "$store" --json doctor big --mode pull --scratch-dir "$lab/late"
    exits 12 "so is a scratch directory that was mounted after the domain was started"
    is "$(found reach scratch | xargs) $(found reach domain | xargs)" "ok ok ok problem" "for this domain"
    keep --store "$store" --json backup big --mode pull --scratch-dir "$lab/late"
    exits 5 "and a backup says so before it begins"
    like "$(json .error.message)" "mounted after the domain was started" "in so many words"
  else
    skip "a scratch directory that was mounted later is a problem" "cannot mount"
  fi
else
  skip "a store that QEMU's user cannot reach is a problem" "QEMU is the same user"
fi

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the file systems of a guest whose agent answers are frozen for the instant of a
# backup and for no longer, whatever happens; the result says so; and what a killed backup
# has left frozen is thawed by the next.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"


# freeze_status NAME: "frozen" or "thawed".
freeze_status ()
{
  virsh qemu-agent-command "$1" '{"execute":"guest-fsfreeze-status"}' 2>/dev/null | sed 's/.*"return":"\([a-z]*\)".*/\1/'
}

# fs_of IMAGE: the guest's file system becomes $lab/fs.
fs_of ()
{
  qemu-img dd -f "$(image_format "$1")" -O raw bs=1M skip=33 count=48 if="$1" of="$lab/fs" >"$lab/said" 2>&1 || bail "$1: $(cat "$lab/said")"
}

# More records than there were come from the guest.
# shellcheck disable=SC2317  # called by wait_for
writes_on ()
{
  [ "$(last_record web)" -gt "$before" ]
}

goes_on ()
{
  before=$(last_record web)
  holds "$1" wait_for 60 writes_on
}

make_guest web records
make_domain bare vda:qcow2:16M
guest_says web "RECORD 3"
guest_agent web

# ---- a frozen instant ------------------------------------------------------------

for mode in push pull; do
  before=$(last_record web)
  keep --store "$store" --json backup web --mode $mode --level full --quiesce require
  exits 0 "$mode: a backup that has to be of a frozen guest succeeds"
  is "$(json .quiesce.frozen)/$(json .quiesce.filesystems)/$(json .quiesce.reason)" "true/1/null" "its result says that the file system was frozen"
  holds "and for how many milliseconds" test "$(json .quiesce.milliseconds)" -gt 0
  image=$(point_dir "$(json .point)")/vda.qcow2
  is "$(json_get "$(dirname "$image")/manifest.json" .quiesce.frozen)" true "so does the manifest"
  fs_of "$image"
  unlike "$(dumpe2fs -h "$lab/fs" 2>/dev/null)" needs_recovery "the file system in it has an empty journal: there is nothing to replay"
  holds "e2fsck has nothing to mend in it" e2fsck -fn "$lab/fs"
  records=$(records_of "$image")
  holds "and it has every record that was written before" test "${records:-0}" -ge "$before"
  is "$(freeze_status web)" thawed "the guest is thawed"
  goes_on "and writes on"
  is "$(find "$VIRT_KEEP_STATE_DIR/frozen" -type f)" "" "nothing is written down about it any more"
done

keep --store "$store" backup web
exits 0 "auto freezes as well"
like "$(cat "$out")" 'had frozen 1 file system for the instant, for [0-9]+ ms' "and says so"
keep --store "$store" show web
like "$(cat "$out")" 'Frozen +1 file system, for [0-9]+ ms' "show tells it, too"
keep --store "$store" --json backup web --freeze-mount /mnt --quiesce require
is "$code/$(json .quiesce.filesystems)" 0/1 "a file system is named by where it is mounted"
keep --store "$store" --json backup web --freeze-mount /nowhere --quiesce require
exits 6 "where nothing is mounted there is nothing to freeze, and the backup is not kept"
is "$(freeze_status web)" thawed "nor is the guest left frozen"
keep --store "$store" --json backup web --quiesce never
is "$code/$(json .quiesce.frozen)/$(json .quiesce.reason)" "0/false/--quiesce never" "never does not"
fs_of "$(point_dir "$(json .point)")/vda.qcow2"
diag "without a freeze: $(dumpe2fs -h "$lab/fs" 2>/dev/null | grep -o needs_recovery)"

# ---- no agent ----------------------------------------------------------------------

keep --store "$store" --json backup bare
is "$code/$(json .quiesce.frozen)" 0/false "a guest without an agent is backed up as it is"
like "$(json .quiesce.reason)" 'no channel' "the result says why it was not frozen"
keep --store "$store" --json backup bare --quiesce require
exits 5 "a backup that has to be of a frozen guest is refused"
remember web
virsh -q suspend web
keep --store "$store" --json backup web
is "$code/$(json .quiesce.frozen)" 0/false "the agent of a paused guest cannot answer"
like "$(json .quiesce.reason)" 'paused' "the result says that it is paused"
keep --store "$store" --json backup web --quiesce require
exits 5 "and the backup that needs it is refused"
virsh -q resume web
guest_agent web

# ---- frozen by somebody else ---------------------------------------------------------

virsh -q domfsfreeze web >"$lab/said" 2>&1
keep --store "$store" --json backup web
is "$code/$(json .quiesce.frozen)" 0/false "a guest that somebody else has frozen is backed up"
is "$(freeze_status web)" frozen "and left frozen"
virsh -q domfsthaw web >"$lab/said" 2>&1

# ---- begins that fail ------------------------------------------------------------------

# What libvirt refuses only when it is asked for the job.
mkdir "$lab/templates"
sed "s|file='[$]{target-file}'|file='/nowhere\${target-file}'|" "$lab_sources/../../xml-templates/domainbackup-push.xml" >"$lab/templates/domainbackup-push.xml"
keep --store "$store" --json backup web --mode push --progress json --templates "$lab/templates"
exits 9 "a backup that cannot begin fails"
like "$(cat "$err")" '"phase":"freeze"' "after the guest was frozen"
is "$(freeze_status web)" thawed "and leaves it thawed"
goes_on "and writing"

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: when virt-keep is killed, its guard ends the job, and nothing but that job; when
# it is not, the guard goes with it.
. "$(dirname "$0")/lib.sh"

# guards: how many run for this test.
guards ()
{
  guard_pids | wc -l
}

# shellcheck disable=SC2317  # called by wait_for
no_guard ()
{
  [ "$(guards)" = 0 ]
}

# slow MODE: a backup that lasts, until its job is well under way.
slow ()
{
  keep_in_background --store "$store" --json backup guest --mode "$1" --level full --max-rate 64K --progress json
  wait_for 60 grep -q '"phase":"copy"' "$err" || bail "no copy"
}

make_big_domain guest
keep --store "$store" --json backup guest
exits 0 "a backup before"
holds "its guard is gone" wait_for 10 no_guard

for mode in push pull; do
  slow $mode
  is "$(guards)" 1 "$mode: a guard watches"
  kill -KILL "$keeper"
  wait "$keeper" 2>/dev/null
  holds "$mode: when virt-keep is killed the job ends" wait_for 60 no_job guest
  holds "$mode: and then the guard" wait_for 10 no_guard
  is "$(guest_state guest)" running "$mode: the guest runs"
  keep --store "$store" --json backup guest --mode $mode
  exits 0 "$mode: the next backup succeeds"
  is "$(checkpoints guest)" "$(json .checkpoint)" "$mode: and clears away the checkpoint"
done

# Somebody else's job, in the place of ours.
mkdir -m 1777 "$lab/foreign"
slow pull
kill -STOP "$keeper"
virsh -q domjobabort guest
wait_for 10 no_job guest
cat >"$lab/foreign.xml" <<END
<domainbackup mode='pull'><server transport='unix' socket='$lab/foreign/sock'/>
<disks><disk name='vda' type='file'><scratch file='$lab/foreign/scratch'/></disk></disks></domainbackup>
END
virsh -q backup-begin guest "$lab/foreign.xml" >/dev/null || bail "no foreign job"
kill -KILL "$keeper"
wait "$keeper" 2>/dev/null
holds "the guard of a job that is over ends" wait_for 30 no_guard
holds "and leaves another job alone" has_job guest
virsh -q domjobabort guest

# A guard that cannot connect to libvirt: only the first connection succeeds.
cat >"$lab/once" <<END
#!/bin/sh
mkdir "$lab/taken" 2>/dev/null || exit 1
exec virt-ssh-helper qemu:///system
END
chmod +x "$lab/once"
guest_write guest vda 0x51 1M 64k
keep --store "$store" --json --connect "qemu+ext:///system?command=$lab/once" backup guest
exits 0 "a backup whose guard cannot connect succeeds"
like "$(cat "$out")" "nobody would have ended the job, had virt-keep been killed: .*connect" "and warns of that"

# libvirt refuses the job, and virt-keep is killed before it has dismissed its guard.
mkdir "$lab/templates" "$lab/hooks"
sed "s|file='[$]{target-file}'|file='/nowhere\${target-file}'|" "$lab_sources/../../xml-templates/domainbackup-push.xml" >"$lab/templates/domainbackup-push.xml"
cat >"$lab/hooks/50-hold" <<END
#!/bin/sh
[ "\$1" != thawed ] || { touch "$lab/refused"; exec sleep 60; }
END
chmod +x "$lab/hooks/50-hold"
keep_in_background --store "$store" --json backup guest --mode push --templates "$lab/templates" --hook-dir "$lab/hooks"
wait_for 60 test -e "$lab/refused" || bail "libvirt refuses nothing: $(cat "$err")"
is "$(guards)" 1 "a guard watches over a begin"
kill -KILL "$keeper"
wait "$keeper" 2>/dev/null
since=$SECONDS
holds "when that was refused, it does not wait for a job any more" wait_for 20 no_guard
diag "it took $((SECONDS - since)) s"

done_testing

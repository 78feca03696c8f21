#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the playbooks and the role of examples/ansible do what they say on a real host, by
# their defaults, and change nothing when they run again.
#
# The host is this one, below overlays that only this test sees: what the role installs and
# writes is gone afterwards.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "only root can put overlays over /usr and /etc"
for program in ansible-playbook dpkg-deb systemctl; do
  command -v "$program" >/dev/null || skip_all "there is no $program"
done
examples=$lab_sources/../../examples/ansible

# overlay DIRECTORY: what is written below it from now on goes into memory; what libvirt has
# there stays.
overlay ()
{
  local upper
  upper=$(mktemp -d /dev/shm/overlay.XXXXXX)
  mkdir "$upper/upper" "$upper/work" "$upper/libvirt"
  chmod 755 "$upper/upper"
  if mountpoint -q "$1/libvirt"; then
    mount --bind "$1/libvirt" "$upper/libvirt" || return
  fi
  mount -t overlay -o "lowerdir=$1,upperdir=$upper/upper,workdir=$upper/work" overlay "$1" || return
  if mountpoint -q "$upper/libvirt"; then
    mount --move "$upper/libvirt" "$1/libvirt" || return
  fi
}

for directory in /usr /etc /var/cache /var/log /var/lib/apt /var/lib/dpkg; do
  overlay "$directory" 2>"$lab/said" || skip_all "no overlay can be put over $directory: $(cat "$lab/said")"
done

# ---- a package to install ------------------------------------------------------------

# As packaging/build-deb makes it, but of the program that is tested.
make_package ()
{
  local tree=$lab/package units
  units=$(dirname "$VIRT_KEEP")/../systemd
  install -D "$VIRT_KEEP" "$tree/usr/bin/virt-keep"
  install -d "$tree/usr/lib/systemd/system" "$tree/DEBIAN"
  install -m 644 "$units"/*.service "$lab_sources"/../../systemd/*.timer "$tree/usr/lib/systemd/system" || return
  cat >"$tree/DEBIAN/control" <<CONTROL
Package: virt-keep
Version: 0.1.0-1
Architecture: $(dpkg --print-architecture)
Maintainer: Nobody <nobody@example.com>
Description: back up libvirt domains while they run
CONTROL
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$lab/virt-keep_0.1.0-1.deb" >"$lab/said" 2>&1
}

make_package || bail "no package: $(cat "$lab/said")"
rm -f /usr/bin/virt-keep

make_guest web
make_domain 'd&b' vda:qcow2:16M
guest_write 'd&b' vda 0x42 1M 1M
guest_agent web
# It would write to its disk some time.
virsh -q suspend web

# ---- Ansible -------------------------------------------------------------------------

cat >"$lab/vars.json" <<VARS
{ "virt_keep_package_file": "$lab/virt-keep_0.1.0-1.deb", "virt_keep_restore_dir": "$lab", "domains": ["web"], "virt_keep_commands": ["backup", "prove"], "virt_keep_on_calendar": {"prove": "Mon *-*-* 07:00"},
  "virt_keep_config": { "virt-keep": { "store": "$store" }, "backup": { "max-rate": ["500M", "vda=400M"], "paranoid": true }, "prune": { "keep-daily": 7 } } }
VARS

# play ARGUMENT...: runs playbooks; $code, and what is said is in $out.
play ()
{
  # The program that is tested may have been built for another directory than /etc.
  env VIRT_KEEP_CONFIG=/etc/virt-keep.conf LC_ALL=C.UTF-8 HOME="$lab/home" SYSTEMD_OFFLINE=1 ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 \
    ansible-playbook -i localhost, --connection local -e ansible_python_interpreter=/usr/bin/python3 -e @"$lab/vars.json" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# recap WORD: its number in the last line, such as that of tasks that have changed something.
recap ()
{
  sed -n "s/^localhost .*\\b$1=\\([0-9]*\\).*/\\1/p" "$out" | tail -n 1
}

mkdir "$lab/home"
play --syntax-check "$examples/site.yml" "$examples/backup.yml"
exits 0 "Ansible has nothing against the playbooks"

play "$examples/site.yml" "$examples/backup.yml"
exits 0 "virt-keep is installed, configured and scheduled, and everything is backed up"
holds "the program is there" cmp -s "$VIRT_KEEP" /usr/bin/virt-keep
is "$(grep -v '^#' /etc/virt-keep.conf | grep . | xargs)" \
   "[virt-keep] store=$store [backup] max-rate=500M;vda=400M paranoid=true [prune] keep-daily=7" "so is its configuration"
is "$(stat -c %a /etc/virt-keep.env)" 600 "with a file of variables that only root reads"
is "$(find /etc/systemd/system/timers.target.wants -name 'virt-keep*' -printf '%f\n' | sort | xargs)" \
   "virt-keep-prove.timer virt-keep.timer" "the timers are enabled"
is "$(grep -h OnCalendar= /etc/systemd/system/virt-keep-prove.timer.d/*.conf | xargs -d '\n')" "OnCalendar= OnCalendar=Mon *-*-* 07:00" "at the time that is asked for"
is "$(points)" 2 "each domain has a restore point"
unlike "$(recap changed)" '^0?$' "and Ansible says that something was changed"

restore_tests='{"virt_keep_restore_domains": ["d&b"], "virt_keep_prove_domains": ["web"]}'
play "$examples/site.yml" "$examples/backup.yml" -e "$restore_tests"
exits 0 "the same again, and the domains are seen to come back"
is "$(recap changed) $(recap failed)" "0 0" "changes nothing"
is "$(points)" 2 "not even the store, where nothing is new"
like "$(cat "$out")" "ok: \[localhost\] => \(item=.*/0/vda.qcow2\)" "the image of one was checked"
is "$(find "$lab" -name 'virt-keep-restore-test.*')" "" "and is removed again"
"$VIRT_KEEP" --store "$store" --json list web >"$out" 2>/dev/null
is "$(json '.points[0].verdict.proven')" true "the domain with an operating system is proven"

# ---- changes and failures ------------------------------------------------------------

guest_write 'd&b' vda 0x43 2M 1M
# shellcheck disable=SC2016  # of the file
play "$examples/site.yml" "$examples/backup.yml" -e '{"virt_keep_package_file": "", "virt_keep_schedule": "cron", "virt_keep_environment": {"A_KEY": "it'\''s $HOME"}}' \
  -e "{\"virt_keep_config\": {\"virt-keep\": {\"store\": \"$store\"}, \"backup web\": {\"quiesce\": \"require\"}, \"prune\": {\"keep-last\": 1}}, \"keep\": [\"--keep-last\", \"1\"], \"domains\": []}"
exits 2 "a domain that cannot be backed up is a failure"
like "$(cat "$out")" "1 of 2 domains were not backed up: 'web'" "which is named"
is "$(recap failed)" 1 "but only at the end"
is "$(points)" 2 "when the other is backed up, and its old restore point is removed"
is "$(grep -c 'virt-keep .* --all --quiet' /etc/cron.d/virt-keep)" 2 "cron can do it as well"
# shellcheck disable=SC2016  # of the file
is "$(sh -c 'set -a; . /etc/virt-keep.env; echo "$A_KEY"')" "it's \$HOME" "with the variables as they are"

cp /etc/virt-keep.conf "$lab/before"
play "$examples/site.yml" --tags configure -e '{"virt_keep_config": {"backup": {"exlude": "vda"}}}'
exits 2 "a configuration that virt-keep does not understand is a failure"
holds "and does not come into place" cmp -s "$lab/before" /etc/virt-keep.conf

done_testing

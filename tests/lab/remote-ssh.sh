#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: with a qemu+ssh URI a backup host with nothing shared with the hypervisor reads its
# domains through ssh alone, into either store, whole and in increments; it fetches what lies
# beside the disks there; and whatever ends it, nothing is left on either host.
. "$(dirname "$0")/lib.sh"
# shellcheck source=remote-lib.sh
. "$lab_sources/remote-lib.sh"

command -v restic >/dev/null || skip_all "restic is not installed"
ssh_prepare
# Firmware that halts, and variables that are no real ones.
{
  head -c $((262144 - 16)) /dev/zero
  printf '\xfa\xf4\xeb\xfd'
  head -c 12 /dev/zero
} >"$hyper/code.fd"
head -c 131072 /dev/urandom >"$hyper/the guest's vars.fd"
chmod 0644 "$hyper/code.fd"
vars=$(digest "$hyper/the guest's vars.fd")
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/var/tmp/code.fd</loader><nvram>/var/tmp/the guest&apos;s vars.fd</nvram>$boot_os</os>"
make_boot_files
hypervisor_start "${ssh_start[@]}"
make_domain guest vda:qcow2:64M vdb:raw:16M
holds "its disk is no file of this host" test ! -e "$(as_libvirt_sees "${disk_file[guest:vda]}")"
guest_write guest vda 0x11 1M 8M
guest_write guest vdb 0x12 2M 1M

# back_up WHEN LEVEL [ARGUMENT...]: a backup through ssh, and its bytes.
back_up ()
{
  local when=$1 level=$2 dev
  shift 2
  for dev in vda vdb; do shadow guest $dev "$lab/$dev.raw"; done
  keep -c "$ssh_uri" --store "$store" --json backup guest "$@"
  exits 0 "$when: a backup"
  is "$(json .mode) $(json .transport) $(json .level) $(json .closed.method) $(json .closed.proven)" "pull ssh $level monitor true" "$when: it is $level, in pull mode, and QEMU says that it is closed"
  is "$(json .warnings)" "${warnings:-[]}" "$when: with no other warning"
  nothing_left guest "$when:"
  point=$(json .point)
  moved=$(json '.disks[0].bytes_moved')
  rm -rf "$lab/to"
  keep --store "$store" restore "$point" --to "$lab/to" --format raw
  for dev in vda vdb; do
    holds "$when: $dev has its exact bytes" cmp "$lab/to/$dev.raw" "$lab/$dev.raw"
  done
  is "$(digest "$lab/to/nvram.fd")" "$vars" "$when: the firmware variables were fetched"
  holds "$when: and so were the kernel, the initrd and the device tree" has_boot_files "$lab/to"
}

# in_store IMAGE-OR-RESTIC: full, and then an increment.
in_store ()
{
  back_up "$1 store, full" full
  guest_write guest vda 0x21 3M 1M
  back_up "$1 store, incremental" incremental
  is "$moved" "$((1 << 20))" "$1 store: no more was read than had changed"
}

in_store image

# ---- what libvirt itself connects with ------------------------------------------

parameters="known_hosts=$lab/known&sshauth=privkey"
for scheme in libssh2 libssh; do
  scheme_uri="qemu+$scheme${ssh_uri#qemu+ssh}&$parameters"
  virsh -q -c "$scheme_uri" list >"$lab/said" 2>&1
  if grep -q "transport support was not enabled" "$lab/said"; then
    skip "qemu+$scheme" "this libvirt is built without it"
    continue
  fi
  guest_write guest vda 0x22 4M 1M
  ssh_uri=$scheme_uri back_up "qemu+$scheme" incremental
done

# ---- what lies beside the disks, and what is not there ------------------------------

if command -v swtpm_setup >/dev/null; then
  make_domain chip vda:qcow2:16M
  give_tpm chip
  # Its firmware starts the TPM up, which changes the state.
  virsh -q suspend chip
  state=$(tpm_state chip)
  keep -c "$ssh_uri" --store "$store" --json backup chip
  exits 0 "a domain with an emulated TPM"
  like "$(json .warnings)" '^\["the state of the emulated TPM was copied while swtpm runs[^"]*"\]$' "the one warning is that its state may be newer than the disks"
  is "$(digest "$(point_dir "$(json .point)")/swtpm-tpm2-00.permall")" "$state" "its state was fetched"
  on_hypervisor mount -t tmpfs none "/var/lib/libvirt/swtpm"
  keep -c "$ssh_uri" --store "$store" --json backup chip
  exits 0 "without its state"
  like "$(json .warnings)" "/tpm2' lies on another host and was not stored: .*can't cd to" "a warning says what is not in the point, and why"
  on_hypervisor umount "/var/lib/libvirt/swtpm"
else
  skip "a domain with an emulated TPM" "swtpm is missing"
fi
mv "$hyper/boot/initrd" "$hyper/boot/away"
keep -c "$ssh_uri" --store "$store" --json backup guest
exits 0 "without the initrd"
like "$(json .warnings)" "^\\[\"'/var/tmp/boot/initrd' lies on another host and was not stored: .*cannot be read" "a warning names it, and why"
mv "$hyper/boot/away" "$hyper/boot/initrd"

# ---- a stream, through ssh both ways ---------------------------------------------

guest_write guest vda 0x31 9M 1M
for dev in vda vdb; do shadow guest $dev "$lab/$dev.raw"; done
# Where it lies here may be hidden there.
cp "$VIRT_KEEP" "$hyper/virt-keep"
"$VIRT_KEEP" -c "$ssh_uri" backup guest --to - --quiet 2>"$err" </dev/null |
  ssh -p "$ssh_port" -i "$lab/a key" root@127.0.0.1 /var/tmp/virt-keep restore - /var/tmp/piped --format raw >"$out" 2>&1
is "${PIPESTATUS[*]}" "0 0" "a domain of another host is read through ssh, and restored through another one"
for dev in vda vdb; do
  holds "stream: $dev has its exact bytes" cmp "$hyper/piped/$dev.raw" "$lab/$dev.raw"
done
is "$(digest "$hyper/piped/nvram.fd")" "$vars" "stream: the firmware variables were fetched"
nothing_left guest "stream:"
is "$(find "$hyper" -maxdepth 1 -name 'virt-keep-stream-*')" "" "and no images on that host"
keep -c "$ssh_uri" backup guest --to - --mode push --progress none
exits 2 "QEMU would not write the images here: push mode is refused"

# ---- scratch files, and what cannot be

dir="/var/tmp/it's a \"dir\""
on_hypervisor mkdir "$dir"
keep -c "$ssh_uri" --store "$store" --json backup guest --scratch-dir "$dir"
exits 0 "a place for scratch files with blanks and quotes in its name"
is "$(on_hypervisor find "$dir" | xargs -d '\n')" "$dir" "nothing is left in it"
nothing_left guest "and beside it"

# fails CODE REGEX CLAIM ARGUMENT...
fails ()
{
  local expected=$1 regex=$2 claim=$3
  shift 3
  keep -c "$ssh_uri" --store "$store" --json backup guest "$@"
  exits "$expected" "$claim"
  like "$(json .error.message)" "$regex" "$claim: it says so"
  nothing_left guest "$claim:"
}

fails 2 "does not begin with a slash" "a place for scratch files that is relative" --scratch-dir dir
fails 5 "QEMU cannot be given a directory in '/nowhere' on '127.0.0.1'" "one that is not there" --scratch-dir /nowhere
fails 15 "too little room for scratch files" "one that has too little room" --scratch-reserve 1000T
fails 2 "only QEMU itself can tell" "not to ask QEMU" --monitor never
fails 9 "use --mode pull" "push into a store that is not there" --mode push --level full
cp "$lab/a key" "$lab/other key"
ssh-keygen -q -t ed25519 -N '' -f "$lab/other key" <<<y >/dev/null
keep -c "${ssh_uri/a%20key/other%20key}" --store "$store" --json backup guest
exits 8 "a key that is not let in"

# ---- push, into a store that both hosts have under the same path

shadow guest vda "$lab/vda.raw"
keep -c "$ssh_uri" --store "$shared/store" backup guest --mode push
exits 0 "push into shared storage"
like "$(cat "$out")" "QEMU has written the images on hypervisor, into $shared/store as it is there" "it says where the images are"
rm -rf "$lab/to"
keep --store "$shared/store" restore guest --to "$lab/to" --format raw
holds "it has its exact bytes" cmp "$lab/to/vda.raw" "$lab/vda.raw"
is "$(digest "$lab/to/nvram.fd")" "$vars" "the firmware variables were fetched"

# ---- a domain that is shut off

virsh -q destroy guest
fails 5 "lies on another host: back it up with --start-paused" "a domain that is shut off"
keep -c "$ssh_uri" --store "$store" --json backup guest --start-paused
exits 0 "with --start-paused it is backed up"
virsh -q start guest

# ---- how it ends when it does not end well -------------------------------------

make_domain big vda:qcow2:64M
guest_write big vda 0x42 0 32M

# slow_backup: a backup of big, which reads slowly, and has begun to.
slow_backup ()
{
  remember big
  keep_in_background -c "$ssh_uri" --store "$store" --json backup big --level full --max-rate 1M
  wait_for 60 has_read || bail "nothing is read: $(cat "$err")"
}

# shellcheck disable=SC2317  # called by wait_for
has_read ()
{
  [ "$(cat "$store"/*/.partial-*/vda.qcow2 2>/dev/null | head -c 2000000 | wc -c)" = 2000000 ]
}

# ssh_of_keeper: the ssh of virt-keep's own that carries the data.
ssh_of_keeper ()
{
  local child
  # shellcheck disable=SC2013  # words, not lines
  for child in $(cat "/proc/$keeper"/task/*/children); do
    tr '\0' ' ' <"/proc/$child/cmdline" | grep -q -- ' -N -M ' && echo "$child"
  done
}

slow_backup
kill -INT "$keeper"
keep_ends 60
exits 130 "Ctrl-C: the backup ends"
no_trace big "Ctrl-C:"
nothing_left big "Ctrl-C:"

slow_backup
kill -KILL "$(ssh_of_keeper)"
keep_ends 60
exits 8 "ssh is killed amid the transfer: the backup fails"
like "$(json .error.message)" "the ssh connection to '127.0.0.1', through which the disks of 'big' are read, ended" "ssh is killed: it says so"
no_trace big "ssh is killed:"
nothing_left big "ssh is killed:"

slow_backup
kill -KILL "$keeper"
keep_ends 60
holds "virt-keep is killed: its guard ends the job there" wait_for 60 no_job big
keep -c "$ssh_uri" --store "$store" --json backup big
exits 0 "virt-keep is killed: the next backup succeeds"
nothing_left big "virt-keep is killed: after the next backup"

# ---- the restic store, of which the functions have other places ----------------

# shellcheck source=restic-lib.sh
. "$lab_sources/restic-lib.sh"
keep --store "$store" init
in_store restic
done_testing

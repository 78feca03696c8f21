# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Another host, for tests that source lib.sh first: a libvirtd in namespaces of its own, whose
# /var/tmp is not ours and which sees nothing of the lab, so that whoever takes a path of one
# host for one of the other finds nothing there.  Its /var/tmp is $hyper here; for the tests
# alone, virsh gets at it through a socket there.
# shellcheck disable=SC2154  # lab and its like are lib.sh's
# shellcheck disable=SC2034  # what the tests use
# shellcheck disable=SC2317  # cleanups

[ "$(id -u)" = 0 ] || skip_all "only root can have another host: it needs namespaces"

hyper=$lab/hyper
disks_parent=$hyper
mkdir -m 1777 "$hyper"
# The one place that both hosts share, under the same path.
shared=$lab/shared
mkdir -m 0711 "$shared"
mkdir "$hyper/run"

as_libvirt_sees ()
{
  echo "/var/tmp${1#"$hyper"}"
}

# What its libvirtd.conf has besides, so that it listens.
hypervisor_conf=

# hypervisor_start [COMMAND...]: starts it, and COMMAND on it.
hypervisor_start ()
{
  cat >"$hyper/start" <<'SCRIPT'
set -e
hyper=$1 lab=$2 shared=$3 daemon=$4
shift 4
hostname hypervisor
mount --bind "$shared" /mnt
mount --bind "$hyper" /var/tmp
if [ -d /etc/pki ]; then mount -t tmpfs -o mode=755 virt-keep /etc/pki; fi
mount -t tmpfs -o mode=755 virt-keep "$lab" 2>/dev/null || true
mkdir -p "$shared"
mount --bind /mnt "$shared"
umount /mnt
mount -t tmpfs -o mode=755 virt-keep /run
mount -t tmpfs -o mode=700 virt-keep "$(getent passwd root | cut -d: -f6)"
mkdir /run/sshd /run/libvirt
for dir in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  mount -t tmpfs -o mode=755 virt-keep $dir
done
ln -s /var/tmp/run/libvirt-sock /run/libvirt/libvirt-sock
if [ $# -gt 0 ]; then "$@"; fi
exec env -u TMPDIR "$daemon" $LISTEN --pid-file /run/hypervisor.pid --config /var/tmp/libvirtd.conf
SCRIPT
  sed '/^log_outputs/d' /etc/libvirt/libvirtd.conf >"$hyper/libvirtd.conf"
  cat >>"$hyper/libvirtd.conf" <<CONF
unix_sock_dir = "/var/tmp/run"
host_uuid = "5a9e1c0e-0c7e-4f6e-9b0a-0d8c6b3b7f12"
log_outputs = "3:file:/var/tmp/log"
$hypervisor_conf
CONF
  LISTEN=${hypervisor_conf:+--listen} unshare --mount --uts bash "$hyper/start" "$hyper" "$VIRT_KEEP_LAB" "$shared" "$(command -v libvirtd || command -v virtqemud)" "$@" </dev/null >"$lab/hypervisor.said" 2>&1 &
  hypervisor=$!
  cleanup_fn kill "$hypervisor"
  here=$LIBVIRT_DEFAULT_URI
  export LIBVIRT_DEFAULT_URI="qemu+unix:///system?socket=$hyper/run/libvirt-sock"
  wait_for 30 hypervisor_answers || bail "the hypervisor does not answer: $(tail -n 1 "$lab/hypervisor.said" "$hyper/log")"
}

hypervisor_answers ()
{
  [ "$(virsh -q hostname 2>&1)" = hypervisor ]
}

# on_hypervisor COMMAND...
on_hypervisor ()
{
  nsenter --mount="/proc/$hypervisor/ns/mnt" --uts="/proc/$hypervisor/ns/uts" "$@"
}

# make_boot_files: what a domain is booted with, in /var/tmp/boot there, where $boot_os, part of its <os>,
# names it.  QEMU takes the kernel for one of Linux, which it is not.
boot_os="<kernel>/var/tmp/boot/the kernel</kernel><initrd>/var/tmp/boot/initrd</initrd><dtb>/var/tmp/boot/dtb</dtb>"
make_boot_files ()
{
  mkdir "$hyper/boot"
  # Its signature, the version of its header, and the highest address of an initrd.
  {
    head -c $((0x202)) /dev/zero
    printf 'HdrS\x0c\x02'
    head -c $((0x22c - 0x208)) /dev/zero
    printf '\xff\xff\xff\x7f'
    head -c 60000 /dev/urandom
  } >"$hyper/boot/the kernel"
  head -c 30000 /dev/urandom >"$hyper/boot/initrd"
  head -c 5000 /dev/urandom >"$hyper/boot/dtb"
  chmod 0755 "$hyper/boot"
  chmod 0644 "$hyper/boot"/*
}

# has_boot_files DIRECTORY: whether they are there.
has_boot_files ()
{
  cmp "$1/kernel" "$hyper/boot/the kernel" && cmp "$1/initrd" "$hyper/boot/initrd" && cmp "$1/dtb" "$hyper/boot/dtb"
}

# tpm_state DOMAIN: the digest of what its emulated TPM keeps there.
tpm_state ()
{
  on_hypervisor sha256sum "/var/lib/libvirt/swtpm/$(virsh domuuid "$1" | head -n 1)/tpm2/tpm2-00.permall" | cut -d' ' -f1
}

# nothing_left DOMAIN WHEN: of a backup, on either host.
nothing_left ()
{
  is "$(find "$hyper" -mindepth 1 -maxdepth 2 -name 'virt-keep-*' ! -name 'virt-keep-lab.*' | xargs)" "" "$2 nothing is left on the hypervisor"
  is "$(run_dirs "$1")" "" "$2 nothing is left on this host"
}

# run_dirs DOMAIN: the private directories of its backups on this host.
run_dirs ()
{
  local uuid
  uuid=$(virsh -q domuuid "$1" | head -n 1)
  find /var/tmp -maxdepth 1 -name "virt-keep-*-${uuid:0:8}-*" | xargs
}

# ---- sshd ---------------------------------------------------------------------

# What libvirt and virt-keep find as ssh in PATH: the real one, which knows this sshd's key.
# $ssh_uri leads to the hypervisor; its key file needs quoting.
ssh_port=2222
sshd=$(PATH=$PATH:/usr/sbin command -v sshd)
ssh_prepare ()
{
  [ -n "$sshd" ] || skip_all "sshd is not installed (Debian: openssh-server)"
  mkdir "$lab/bin" "$hyper/sshd"
  ssh-keygen -q -t ed25519 -N '' -f "$hyper/sshd/host"
  ssh-keygen -q -t ed25519 -N '' -f "$lab/a key"
  cp "$lab/a key.pub" "$hyper/sshd/authorized"
  cat >"$hyper/sshd/config" <<CONF
Port $ssh_port
ListenAddress 127.0.0.1
HostKey /var/tmp/sshd/host
AuthorizedKeysFile /var/tmp/sshd/authorized
PidFile /var/tmp/sshd/pid
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
CONF
  echo "[127.0.0.1]:$ssh_port $(cut -d' ' -f1,2 "$hyper/sshd/host.pub")" >"$lab/known"
  echo "Host *" >"$lab/ssh.conf"
  printf '  %s\n' "UserKnownHostsFile $lab/known" "GlobalKnownHostsFile /dev/null" "IdentityFile none" "StrictHostKeyChecking yes" >>"$lab/ssh.conf"
  cat >"$lab/bin/ssh" <<SCRIPT
#!/bin/sh
exec $(command -v ssh) -F '$lab/ssh.conf' "\$@"
SCRIPT
  chmod +x "$lab/bin/ssh"
  PATH=$lab/bin:$PATH
  ssh_uri="qemu+ssh://root@127.0.0.1:$ssh_port/system?keyfile=$lab/a%20key"
}

# The words for hypervisor_start that start it.
ssh_start=("$sshd" -f /var/tmp/sshd/config -E /var/tmp/sshd/log)

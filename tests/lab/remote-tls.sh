#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: with the certificates that virt-keep-remote(7) shows how to make, a backup host reads the domains
# of another host over TLS, several at once, and nobody does who has no certificate or meets another
# host; what lies beside the disks comes through libvirt.
. "$(dirname "$0")/lib.sh"
# shellcheck source=remote-lib.sh
. "$lab_sources/remote-lib.sh"

command -v certtool >/dev/null || skip_all "certtool is not installed (Debian: gnutls-bin)"
command -v libvirtd >/dev/null || skip_all "there is no libvirtd that listens by itself"

# ---- what the manual says, with our places and names

pki=$lab/pki
group=$(getent group libvirt-qemu qemu kvm | head -n 1 | cut -d: -f1)
commands ()
{
  local heading
  for heading; do
    awk -v heading="$heading" '/^=head/ { inside = substr ($0, 8) == heading } inside && /^ / { print substr ($0, 2) }' "$lab_sources/../../man/virt-keep-remote.pod"
  done | sed "s|/root/hypervisor-pki|/var/tmp/hypervisor-pki|g; s|/root/pki|$pki|g; s|192.0.2.7|127.0.0.1|g; s|chgrp libvirt-qemu|chgrp $group|"
}
commands "The authority" "The certificate of a hypervisor" "The certificate of the backup host" >"$lab/make"
bash -e "$lab/make" >"$lab/said" 2>&1 || bail "the manual's commands for certificates fail: $(tail -n 3 "$lab/said")"
ok "certificates are made as the manual says"
mkdir "$hyper/hypervisor-pki"
cp "$pki"/{ca-cert,server-cert,server-key}.pem "$hyper/hypervisor-pki/"
commands "On the hypervisor" >"$hyper/install"

# ---- libvirt's own, with the same certificates

tls_port=16514
mkdir "$lab/libvirt-pki"
cp "$pki/ca-cert.pem" "$lab/libvirt-pki/cacert.pem"
cp "$pki/client-cert.pem" "$lab/libvirt-pki/clientcert.pem"
cp "$pki/client-key.pem" "$lab/libvirt-pki/clientkey.pem"
hypervisor_conf="
listen_tls = 1
listen_tcp = 0
listen_addr = \"127.0.0.1\"
tls_port = \"$tls_port\"
ca_file = \"/var/tmp/hypervisor-pki/ca-cert.pem\"
cert_file = \"/var/tmp/hypervisor-pki/server-cert.pem\"
key_file = \"/var/tmp/hypervisor-pki/server-key.pem\"
tls_no_sanity_certificate = 1"
tls_uri="qemu+tls://127.0.0.1:$tls_port/system?pkipath=$lab/libvirt-pki"
mkdir -p /etc/pki
{
  head -c $((262144 - 16)) /dev/zero
  printf '\xfa\xf4\xeb\xfd'
  head -c 12 /dev/zero
} >"$hyper/code.fd"
chmod 0644 "$hyper/code.fd"
mkdir -m 0755 "$hyper/vars"
make_boot_files
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/var/tmp/code.fd</loader><nvram>/var/tmp/vars/vars.fd</nvram>$boot_os</os>"
hypervisor_start bash -e /var/tmp/install
holds "libvirt is reached over TLS" virsh -q -c "$tls_uri" list || tail -n 3 "$hyper/log"
# A storage pool that does not know yet what is in its directory.
virsh -q pool-create-as vars dir --target /var/tmp/vars
head -c 131072 /dev/urandom >"$hyper/vars/vars.fd"
vars=$(digest "$hyper/vars/vars.fd")
make_domain guest vda:qcow2:64M
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type></os>"
make_domain other vda:qcow2:64M
guest_write guest vda 0x11 1M 8M
guest_write other vda 0x12 2M 1M

# back_up WHEN LEVEL [ARGUMENT...]: over TLS, and its bytes.
back_up ()
{
  local when=$1 level=$2
  shift 2
  shadow guest vda "$lab/vda.raw"
  keep -c "$tls_uri" --store "$store" --json backup guest --tls-creds "$pki" "$@"
  exits 0 "$when: a backup"
  is "$(json .mode) $(json .transport) $(json .level) $(json .closed.method)" "pull tls $level monitor" "$when: it is $level, over TLS"
  is "$(json .warnings)" "[]" "$when: without a warning"
  nothing_left guest "$when:"
  rm -rf "$lab/to"
  point=$(json .point)
  keep --store "$store" restore "$point" --to "$lab/to" --format raw
  holds "$when: it has its exact bytes" cmp "$lab/to/vda.raw" "$lab/vda.raw"
  is "$(digest "$lab/to/nvram.fd")" "$vars" "$when: the firmware variables came through libvirt"
  holds "$when: and so did the kernel, the initrd and the device tree" has_boot_files "$lab/to"
}

back_up "full" full
guest_write guest vda 0x21 3M 1M
back_up "incremental" incremental --data-address 127.0.0.1:10907 --scratch-dir /var/tmp
is "$(virsh pool-list --all --name | xargs)" vars "no storage pool is left but the one that was there"

if command -v swtpm_setup >/dev/null; then
  make_domain chip vda:qcow2:16M
  give_tpm chip
  # Its firmware starts the TPM up, which changes the state.
  virsh -q suspend chip
  state=$(tpm_state chip)
  keep -c "$tls_uri" --store "$store" --json backup chip --tls-creds "$pki"
  exits 0 "a domain with an emulated TPM"
  is "$(digest "$(point_dir "$(json .point)")/swtpm-tpm2-00.permall")" "$state" "its state came through libvirt"
else
  skip "a domain with an emulated TPM" "swtpm is missing"
fi

keep -c "$tls_uri" --store "$store" --json backup guest other --jobs 2 --tls-creds "$pki"
exits 0 "two domains at once"
is "$(json '.results[0].transport') $(json '.results[1].transport')" "tls tls" "both over TLS"
nothing_left other "two at once:"

# ---- who gets nothing

make_domain big vda:qcow2:64M
guest_write big vda 0x42 0 32M
remember big
keep_in_background -c "$tls_uri" --store "$store" --json backup big --tls-creds "$pki" --max-rate 1M
wait_for 60 has_job big || bail "no job: $(cat "$err")"
port=$(virsh backup-dumpxml big | sed -n "s/.*<server .*port='\([0-9]*\)'.*/\1/p")
mkdir "$lab/nobody"
cp "$pki/ca-cert.pem" "$lab/nobody/"
is "$(nbdinfo --size "nbds://127.0.0.1:$port/vda?tls-certificates=$pki")" $((64 << 20)) "who has a certificate can read while a backup runs"
is "$(nbdinfo --size "nbds://127.0.0.1:$port/vda?tls-certificates=$lab/nobody" 2>/dev/null)" "" "who has none cannot"
is "$(nbdinfo --size "nbd://127.0.0.1:$port/vda" 2>/dev/null)" "" "nor can anybody without TLS"
kill -INT "$keeper"
keep_ends 60
exits 130 "Ctrl-C: the backup ends"
no_trace big "Ctrl-C:"
nothing_left big "Ctrl-C:"

# refused CLAIM CODE REGEX ARGUMENT...: a backup of guest that fails and leaves nothing.
refused ()
{
  local claim=$1 expected=$2 regex=$3
  shift 3
  keep --store "$store" --json backup guest "$@"
  exits "$expected" "$claim"
  like "$(json .error.message)" "$regex" "$claim: it says so"
  holds "$claim: no job is left" no_job guest
}

mkdir "$lab/impostor"
cp "$pki"/client-* "$lab/impostor/"
sed "s|$pki|$lab/impostor-pki|g" "$lab/make" >"$lab/make-impostor"
bash -e "$lab/make-impostor" >/dev/null 2>&1
cp "$lab/impostor-pki/ca-cert.pem" "$lab/impostor/"
refused "a server whose authority is another one" 1 "cannot connect to the NBD export nbds://" -c "$tls_uri" --tls-creds "$lab/impostor"
refused "a server under a name that its certificate has not" 1 "cannot connect to the NBD export nbds://" -c "$tls_uri" --tls-creds "$pki" --data-address localhost
refused "no certificates" 5 "the certificates of this client are not in" -c "$tls_uri" --tls-creds "$lab/nobody"
refused "an address that is not the hypervisor's" 1 "name that with --data-address" -c "$tls_uri" --tls-creds "$pki" --data-address 192.0.2.99
refused "ssh where there is none" 2 "--transport ssh is for connections through ssh" -c "$tls_uri" --transport ssh
refused "a unix socket of another host" 2 "--transport unix is for domains on this host" -c "$tls_uri" --transport unix

# ---- in the clear, when it is asked for

shadow guest vda "$lab/vda.raw"
keep -c "$tls_uri" --store "$store" --json backup guest --transport tcp --level full
exits 0 "in the clear, when that is asked for"
is "$(json .transport)" tcp "the result says so"
point=$(json .point)
rm -rf "$lab/to"
keep --store "$store" restore "$point" --to "$lab/to" --format raw
holds "it has its exact bytes" cmp "$lab/to/vda.raw" "$lab/vda.raw"
done_testing

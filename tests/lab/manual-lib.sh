# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What follows virt-keep-recovery(7), or another page of the manual that $manual names,
# after lib.sh: the commands of the page with
# directories of the test in the place of the manual's, and what $uuid, $point and
# $snapshot say in the place of its names.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

manual=$lab_sources/../../man/virt-keep-recovery.pod

# What stands in the place of the manual's directories.
images=$lab/images
root=$lab/root
repository=$lab/repository
uuid= point= snapshot=
mkdir -m 0711 "$images" "$root"
mkdir "$lab/bin"
ln -s "$VIRT_KEEP" "$lab/bin/virt-keep"
echo "correct horse" >"$root/password"
export RESTIC_PASSWORD_FILE=$root/password XDG_CACHE_HOME=$lab/cache
: "${VIRT_KEEP_NBDKIT_PLUGIN:=$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}"
export VIRT_KEEP_NBDKIT_PLUGIN

# commands HEADING...: those in these sections of the manual, with our places and names.
commands ()
{
  local heading
  for heading; do
    awk -v heading="$heading" '/^=head/ { inside = substr ($0, 8) == heading } inside && /^ / { print substr ($0, 2) }' "$manual"
  done | sed -e "s|/var/lib/libvirt/images|$images|g; s|/srv/backup|$lab/store|g; s|/srv/repository|$repository|g; s|/root\\b|$root|g" \
          -e "s|/dev/vg/web-data|$lab/device|g; s|3c6e2b7a-5f6a-4b62-9d5c-5d3f6f0a2c11|$uuid|g" \
          -e "s|20261123T181400Z|${point#*@}|g; s|5f1c0b7e|$snapshot|g"
}

# follow HEADING...: does what the manual says, in a shell that has nothing of this test, but
# for VIRT_KEEP_STORE if it is set.
follow ()
{
  commands "$@" >"$lab/commands"
  [ -s "$lab/commands" ] || bail "the manual has no commands in: $*"
  env -i PATH="$lab/bin:$PATH" HOME="$root" TERM=dumb LIBVIRT_DEFAULT_URI="$LIBVIRT_DEFAULT_URI" XDG_CACHE_HOME="$lab/empty-cache" \
    ${VIRT_KEEP_STORE:+VIRT_KEEP_STORE="$VIRT_KEEP_STORE"} VIRT_KEEP_NBDKIT_PLUGIN="$VIRT_KEEP_NBDKIT_PLUGIN" LIBGUESTFS_CACHEDIR=/var/tmp LIBGUESTFS_BACKEND_SETTINGS=force_tcg \
    bash -e -u -o pipefail "$lab/commands" >"$out" 2>"$err" </dev/null
  code=$?
}

# without_virt_keep CLAIM: what was followed last had no use for it.
without_virt_keep ()
{
  is "$(grep -E "(^|[ |;(])virt-keep( |\$)" "$lab/commands")" "" "$1: without virt-keep"
}

# make_web [data]: the machine of the manual, with a second disk or without.
make_web ()
{
  local data=
  new_image "$images/web.qcow2" qcow2 64M
  if [ $# = 1 ]; then
    new_image "$images/web-data" raw 16M
    data="<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$images/web-data'/><target dev='vdb' bus='virtio'/></disk>"
  fi
  cat >"$lab/web.xml" <<XML
<domain type='qemu'><name>web</name>${uuid:+<uuid>$uuid</uuid>}<memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='$images/web.qcow2'/><target dev='vda' bus='virtio'/></disk>
$data<memballoon model='none'/></devices></domain>
XML
  { virsh -q define "$lab/web.xml" && virsh -q start web; } >/dev/null || bail "cannot make the machine"
  # shellcheck disable=SC2034  # shadow reads them
  disk_file[web:vda]=$images/web.qcow2 disk_format[web:vda]=qcow2 disk_file[web:vdb]=$images/web-data disk_format[web:vdb]=raw
  uuid=$(virsh domuuid web | head -n 1)
}
cleanup_fn remove_domain web
cleanup_fn remove_domain web2

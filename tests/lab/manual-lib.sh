# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What follows virt-keep-recovery(7), after lib.sh: the commands of the manual with
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

# follow HEADING...: does what the manual says, in a shell that has nothing of this test.
follow ()
{
  commands "$@" >"$lab/commands"
  [ -s "$lab/commands" ] || bail "the manual has no commands in: $*"
  env -i PATH="$lab/bin:$PATH" HOME="$root" TERM=dumb LIBVIRT_DEFAULT_URI="$LIBVIRT_DEFAULT_URI" XDG_CACHE_HOME="$lab/empty-cache" \
    VIRT_KEEP_NBDKIT_PLUGIN="$VIRT_KEEP_NBDKIT_PLUGIN" LIBGUESTFS_CACHEDIR=/var/tmp LIBGUESTFS_BACKEND_SETTINGS=force_tcg \
    bash -e -u -o pipefail "$lab/commands" >"$out" 2>"$err" </dev/null
  code=$?
}

# without_virt_keep CLAIM: what was followed last had no use for it.
without_virt_keep ()
{
  is "$(grep -E "(^|[ |;(])virt-keep( |\$)" "$lab/commands")" "" "$1: without virt-keep"
}

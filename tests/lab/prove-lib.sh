# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of prove have in common, after lib.sh.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

# shellcheck source=boot-lib.sh
. "$lab_sources/boot-lib.sh"

own_domains=(web)

# nothing_left WHEN: no domain but the test's own, no door, no file.
nothing_left ()
{
  is "$(virsh list --all --name | grep . | sort | xargs)" "$(printf '%s\n' "${own_domains[@]}" | sort | xargs)" "$1 no other domain is there"
  holds "$1 no door is open" wait_for 30 no_doors
  is "$(find "$boots" "$VIRT_KEEP_STATE_DIR/proofs" -mindepth 1 2>/dev/null)" "" "$1 no file is left"
}

# digests_of POINT...: of every file that the backup wrote, not of what is said about it.
digests_of ()
{
  local point
  for point; do
    (cd "$(point_dir "$point")" && find . -type f ! -name annotations.json ! -name screenshot.png -exec sha256sum {} + | sort)
  done
}

is_png ()
{
  [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]
}

# change_guest NAME [WORD...]: stops the domain and gives it another guest; what virt-keep
# had of its dirty bitmaps is gone with the old one, so the next backup is full.
change_guest ()
{
  local name=$1
  shift
  virsh -q destroy "$name"
  virsh -q checkpoint-list "$name" --name | grep . | xargs -rn 1 virsh -q checkpoint-delete "$name" --metadata
  guest_disk "$lab/$name.qcow2" "$@"
  virsh -q start "$name" || bail "cannot start $name again"
}

# zero_boot_sector DOMAIN: as its guest would.
zero_boot_sector ()
{
  guest_io "$1" vda "write -z 0 512"
  guest_flush "$1" vda
}

# no_other_domain NAME
# shellcheck disable=SC2317  # called by wait_for
no_other_domain ()
{
  ! virsh list --all --name | grep . | grep -vx "$1"
}

# other_domain_runs NAME
# shellcheck disable=SC2317  # called by wait_for
other_domain_runs ()
{
  virsh list --name | grep . | grep -qvx "$1"
}

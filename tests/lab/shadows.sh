# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is listed in an image store, with the points of one domain, and whether it has its exact
# bytes; after lib.sh.
# shellcheck disable=SC2154  # lab and its like are lib.sh's

# By the time of a point: where the bytes of its disks lie, as in $prefix.vda.raw.  A point that
# is new shows the disks as they are, $lab/now.
declare -A shadows=()
shadow_disks=(vda vdb)
compare_options=()

# look: sets $listed, the names that list shows, and a word about what is damaged.
look ()
{
  local lines
  mapfile -t lines < <("$VIRT_KEEP" --store "$store" --json list 2>&1 </dev/null | sed -n 's/.*"point" : "\(.*\)".*/\1/p; s/.*"damage" : "\(.*\)".*/DAMAGED: \1/p')
  listed="${lines[*]}"
}

# remember_shadow POINT: the disks as they are belong to it.
remember_shadow ()
{
  local dev
  shadows[${1#*@}]=$lab/${1#*@}
  for dev in "${shadow_disks[@]}"; do cp --sparse=always "$lab/now.$dev.raw" "$lab/${1#*@}.$dev.raw"; done
}

# is_listed TIME: among what look has found.
is_listed ()
{
  [[ " $listed " == *"@$1 "* ]]
}

# compare_points POINT...: sets $differs, what does not have the bytes of its shadow, for qemu-img
# alone.  A disk is read through images of its own point and of older ones, so where each of these
# has the name, the size and the time of the last write with which the disk was right before, it is
# not read again: nobody has written there.  forget_compared makes everything be read.
declare -A compared=()
compare_points ()
{
  local point id dev line so_far='' right dir
  local -A images=()
  differs=
  while read -r line; do
    id=${line#*/}
    id=${id%%/*}
    so_far+="$line;"
    images[$id]=$so_far
  done < <(find "$store" -mindepth 3 -maxdepth 3 -name '*.qcow2' ! -path "$store/*/.*" -printf '%P %s %T@\n' 2>/dev/null | LC_ALL=C sort)
  for point; do
    [[ $point == *@* ]] || continue
    id=${point#*@}
    [ -z "${compared["$id ${images[$id]:-}"]:-}" ] || continue
    dir=("$store"/*/"$id")
    right=yes
    for dev in "${shadow_disks[@]}"; do
      qemu-img compare "${compare_options[@]}" -q -f qcow2 -F raw "${dir[0]}/$dev.qcow2" "${shadows[$id]:-$lab/now}.$dev.raw" && continue
      right=no
      differs+="$point: $dev differs; "
    done
    [ $right = no ] || compared["$id ${images[$id]:-}"]=yes
  done
}

forget_compared ()
{
  compared=()
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a clock that was set back, and a store that another version of virt-keep has
# written to, lose no point and lead to no wrong one; the next backup succeeds.
. "$(dirname "$0")/lib.sh"

# newest: the name of the newest point.
newest ()
{
  list_points >/dev/null
  echo "${listed[-1]}"
}

# order: the names of the points as list shows them.
order ()
{
  list_points >/dev/null
  printf '%s\n' "${listed[@]}"
}

fault_lab image

# ---- the clock ---------------------------------------------------------------------

# Only that of virt-keep: libvirt and QEMU keep the kernel's.
if command -v faketime >/dev/null; then
  for mode in push pull; do
    before=$(order | xargs)
    fault "the clock is set back by a day, $mode"
    VG="faketime -f -1d" keep --store "$store" --json backup "$victim" --mode "$mode"
    exits 0 "$fault_name: a backup succeeds"
    is "$(order | sort -u | wc -l)" "$(($(wc -w <<<"$before") + 1))" "$fault_name: its point has a name of its own"
    after_fault --mode "$mode"

    fault "the clock shows the second of an older point, $mode"
    second=$(newest)
    second=${second#*@}
    VG="faketime ${second:0:4}-${second:4:2}-${second:6:2}T${second:9:2}:${second:11:2}:${second:13:2}" \
      TZ=UTC keep --store "$store" --json backup "$victim" --mode "$mode"
    exits 0 "$fault_name: a backup succeeds"
    after_fault --mode "$mode"
  done
else
  skip "the clock is set back" "faketime is not installed"
fi

# ---- another version ------------------------------------------------------------------

# of_version VERSION POINT: its manifest says that it is of that version of the format,
# and of a virt-keep that wrote it then.
of_version ()
{
  local manifest
  manifest=$(point_dir "$2")/manifest.json
  cp -p "$manifest" "$lab/manifest.json"
  chmod u+w "$manifest"
  perl -pi -e 'BEGIN { $version = shift } s/^(  "version" : )\d+/$1$version/; s/("virt_keep" : )"[^"]*"/$1"$version.0"/' "$1" "$manifest"
  cmp -s "$manifest" "$lab/manifest.json" && bail "the manifest has no version"
}

for mode in push pull; do
  fault "a point of the first version of the format, $mode"
  earlier=$(newest)
  of_version 1 "$earlier"
  keep --store "$store" --json backup "$victim" --mode "$mode"
  exits 0 "$fault_name: a backup succeeds"
  is "$(json .level)" incremental "$fault_name: it builds on the point"
  holds "$fault_name: whose manifest is as it was" grep -q '^  "version" : 1\b' "$(point_dir "$earlier")/manifest.json"
  after_fault --mode "$mode"
done

fault "a manifest of a later version"
later=$(newest)
of_version 999 "$later"
had=${known["$later"]}
keep --store "$store" --json list "$victim"
exits 0 "$fault_name: list succeeds"
like "$(cat "$out")" "manifest version 999 was written by virt-keep 999.0" "$fault_name: and says so in a sentence"
keep --store "$store" --json backup "$victim"
exits 0 "$fault_name: the next backup succeeds"
is "$(json .level)" full "$fault_name: it does not build on what it cannot read"
like "$(json .reason)" "version 999" "$fault_name: and says why ($(json .reason))"
keep --store "$store" --json prune "$victim" --keep-last 1
holds "$fault_name: prune keeps the point (exit status $code: $(head -c 300 "$err"))" test -e "$(point_dir "$later")/vdb.qcow2"
cp -p "$lab/manifest.json" "$(point_dir "$later")/manifest.json"
known["$later"]=$had
list_points
for point in "${!known[@]}"; do
  [[ " ${listed[*]} " == *" $point "* ]] || unset "known[$point]"
done
after_fault

faults_done

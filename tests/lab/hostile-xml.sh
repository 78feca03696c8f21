#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the documents of a restore point are data from anybody, also where the manifest vouches for
# them: entities that swell, entities that are files, and elements in elements without end are
# refused with a sentence, before anything is defined, started or written.
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:16M
guest_write guest vda 0x42 1M 1M
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
point=$(json .point)
dir=$(point_dir "$point")
cp -a "$dir" "$lab/sound"
echo "SSSSSSSS" >"$lab/outside"

billion_laughs ()
{
  local n
  printf '<!DOCTYPE %s [<!ENTITY l0 "ha">' "$1"
  for n in {1..9}; do printf '<!ENTITY l%d "%s">' "$n" "$(printf "&l$((n - 1));%.0s" {1..10})"; done
  printf ']><%s><name>&l9;</name></%s>' "$1" "$1"
}

from_a_file ()
{
  printf '<!DOCTYPE %s [<!ENTITY f SYSTEM "file://%s">]><%s><name>&f;</name></%s>' "$1" "$lab/outside" "$1" "$1"
}

nested ()
{
  printf '<%s>' "$1"
  printf '<a>%.0s' {1..100000}
  printf '</a>%.0s' {1..100000}
  printf '</%s>' "$1"
}

# put FILE MAKER ROOT: the document into the point, and its size and digest into the manifest, which
# is of a version that has no digest of itself then.
put ()
{
  local file
  rm -rf "$dir"
  cp -a "$lab/sound" "$dir"
  for file in $1; do
    "$2" "$3" >"$dir/$file"
    perl -0pi -e 'BEGIN { ($name, $size, $sum) = splice @ARGV, 0, 3 } s/("name" : "\Q$name\E",\s*"role" : "[^"]*",\s*"size" : )\d+(,\s*"sha256" : ")[0-9a-f]*/$1$size$2$sum/ or die' \
      "$file" "$(stat -c %s "$dir/$file")" "$(digest "$dir/$file")" "$dir/manifest.json" || bail "no $file in the manifest"
  done
  perl -pi -e 's/^(  "version" : )2/${1}1/' "$dir/manifest.json"
}

domains ()
{
  virsh -q list --all --name | grep . | sort
}

# in_bounds ARGUMENT...: keep, with so little memory and time that nothing can swell.
in_bounds ()
{
  (
    ldd "$VIRT_KEEP" | grep -q libasan || ulimit -v $((4 << 20))
    timeout 60 "$VIRT_KEEP" --store "$store" --json "$@" >"$out" 2>"$err" </dev/null
  )
  code=$?
}

had=$(domains)
for maker in billion_laughs from_a_file nested; do
  put "domain.xml domain-inactive.xml" $maker domain
  for command in "restore $point --to $lab/to --define --name other" "boot $point --name other" "prove $point"; do
    # shellcheck disable=SC2086  # words
    in_bounds $command
    like "$code" '^([1-9]|1[0-5])$' "$maker, ${command%% *}: is refused ($code)"
    like "$(json .error.message)" "domain.*(xml|XML).*(document type|depth)" "$maker, ${command%% *}: with a sentence that names the document"
    is "$(domains)" "$had" "$maker, ${command%% *}: no domain is defined or started"
  done
  for command in "show $point" "verify $point --data" "ls $point"; do
    # shellcheck disable=SC2086
    in_bounds $command
    like "$code" '^([0-9]|1[0-5])$' "$maker, ${command%% *}: ends ($code)"
    unlike "$(cat "$out" "$err")" "SSSS|(ha){50}" "$maker, ${command%% *}: and shows nothing of it"
  done
  holds "$maker: no disk is left of the restore" test ! -e "$lab/to/vda.qcow2"
  rm -rf "$lab/to"

  # The checkpoint is made known anew from its document.
  put checkpoint.xml $maker domaincheckpoint
  virsh -q checkpoint-delete guest "$(checkpoints guest)" --metadata || bail "the checkpoint stays"
  in_bounds backup guest
  exits 0 "$maker: the next backup does without such a checkpoint"
  is "$(json .level)" full "$maker: and is a full one"
  unlike "$(cat "$out" "$err")" "SSSS|(ha){50}" "$maker: and shows nothing of it"
  in_bounds forget "$(json .point)"
  for name in $(checkpoints guest); do virsh -q checkpoint-delete guest "$name"; done
  keep --store "$store" --json backup guest --level full
  rm -rf "$lab/sound"
  point=$(json .point)
  dir=$(point_dir "$point")
  cp -a "$dir" "$lab/sound"
done

done_testing

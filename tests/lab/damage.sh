#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whichever single file of a chain is truncated, flipped in one byte or missing,
# verify names it, and exactly the restore points that it makes unusable; list and
# restore notice what concerns them; and nothing crashes.
#
# VIRT_KEEP_SEED repeats the places of the flipped bytes.
. "$(dirname "$0")/lib.sh"

seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
RANDOM=$seed
diag "seed $seed"

# 0 full <- 1 incremental <- 2 incremental, 3 a differential on 0
make_domain guest vda:qcow2:16M vdb:qcow2:8M
made=()
for level in full incremental incremental differential; do
  guest_write guest vda $((RANDOM % 255 + 1)) ${#made[@]}M 1M
  guest_write guest vdb $((RANDOM % 255 + 1)) ${#made[@]}M 64k
  keep --store "$store" backup guest --level $level
  [ "$code" = 0 ] || bail "no backup: $(cat "$err")"
  keep --store "$store" --json show guest
  made+=("guest@$(json .manifest.id)")
done
keep --store "$store" verify --all --data
exits 0 "the chain is sound"
above=("0 1 2 3" "1 2" "2" "3") # what is read through the images of each

# flip FILE: one byte becomes another one.
flip ()
{
  perl -e '
    my ($file, $random) = @ARGV;
    open my $out, "+<:raw", $file or die;
    my $at = $random % -s $file;
    seek $out, $at, 0;
    read $out, my $byte, 1;
    seek $out, $at, 0;
    print $out chr (ord ($byte) ^ (1 << $random % 7))' "$1" $((RANDOM * 32768 + RANDOM))
}

cut ()
{
  truncate -s $(($(stat -c %s "$1") * (RANDOM % 100) / 100)) "$1"
}

# crashed: the last virt-keep was ended by a signal.
crashed ()
{
  [ "$code" -ge 128 ]
}

# named: the restore points that verify has called unusable, each once, sorted.
named ()
{
  perl -MJSON::PP -e '
    local $/;
    open my $in, "<", shift or die;
    my %names = map { $_ => 1 } map { @{$_->{affects}} } @{decode_json (<$in>)->{damages}};
    print join " ", sort keys %names' "$out"
}

# try NUMBER NAME HOW: damages a file of that point, asks everybody, and mends it.
try ()
{
  local file expected=() n concerned="$1"
  file=$(point_dir "${made[$1]}")/$2
  case $2 in
    # What builds on a point whose manifest cannot be read cannot be used either.
    *.qcow2 | manifest.json) concerned=${above[$1]} ;;
  esac
  for n in $concerned; do expected+=("${made[n]}"); done
  cp -p "$file" "$lab/good"
  case $3 in
    missing) rm "$file" ;;
    truncated) cut "$file" ;;
    flipped) flip "$file" ;;
  esac
  tried=$((tried + 1))
  keep --store "$store" --json verify --all
  if [ "$code" != 12 ]; then
    bad+="$1/$2: verify exits with $code; "
  elif [ "$(named | sed "s/[0-9a-f-]\{36\}@/guest@/g")" != "${expected[*]}" ]; then
    bad+="$1/$2: named: $(named), not ${expected[*]}; "
  fi
  keep --store "$store" --json list
  [ "$code" = 0 ] || bad+="$1/$2: list exits with $code; "
  if [[ $2 == *.qcow2 || $2 == manifest.json ]]; then
    keep --store "$store" restore "${made[$1]}" --to "$lab/out" --format raw
    [ "$code" != 0 ] && ! crashed || bad+="$1/$2: restore exits with $code; "
    rm -rf "$lab/out"
  fi
  rm -f "$file"
  cp -p "$lab/good" "$file"
}

for how in missing truncated flipped; do
  bad='' tried=0
  for number in "${!made[@]}"; do
    for file in "$(point_dir "${made[number]}")"/*; do
      try "$number" "${file##*/}" $how
    done
  done
  is "$bad" "" "$how: $tried files, one after the other (seed $seed)"
done
keep --store "$store" verify --all --data
exits 0 "mended, the chain is sound again"

# What an incremental could build on.
flip "$(point_dir "${made[3]}")/manifest.json"
keep --store "$store" --json backup guest
exits 0 "a backup beside a damaged newest restore point succeeds"
is "$(json .level)" full "as a full"
like "$(json .reason)" "damaged" "and says why"

done_testing

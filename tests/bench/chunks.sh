# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part chunks of bench.sh: what the size of the chunks in a restic store costs.
# Bytes and memory, no times: it says the same on a busy machine.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# bytes_of DIRECTORY: of all files in it.
bytes_of ()
{
  find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'
}

# swell REPO [CHUNK-BYTES]: see tests/restic/swell.c.
swell ()
{
  must "${VIRT_KEEP%/tool/virt-keep}/tests/restic/swell" "$@"
}

# chunked_domain DISK-SIZE CHUNK-KIB: a disk whose newest point consists of chunks of
# that size, each stored and unlike any other.  virt-keep goes on with a disk's size.
chunked_domain ()
{
  domain=chunked
  make_domain chunked "vda:qcow2:$1"
  must "$VIRT_KEEP" --store "restic:$lab/chunked" init
  must "$VIRT_KEEP" --store "restic:$lab/chunked" backup chunked --progress none
  swell "$lab/chunked" $(($2 << 10))
}

forget_chunked ()
{
  forget_domain chunked
  rm -r "$lab/chunked"
}

# change_pieces scattered|sequential DISK-SIZE: 16 MiB change, in 256 pieces of 64 KiB at
# random places, or in one.  See scatter() for why the domain is off.
change_pieces ()
{
  head -c 16M /dev/urandom >"$work/random"
  must virsh -q destroy chunked
  perl -e 'my ($kind, $file, $size, $unit) = ($ARGV[0], $ARGV[1], $ARGV[2] =~ /^(\d+)([GT])$/);
    my $places = $size * ($unit eq "T" ? 1 << 40 : 1 << 30) / 65536;
    my $begin = int rand ($places - 256);
    open my $in, "<:raw", $file or die;
    for my $n (0 .. 255) {
      sysread $in, my $bytes, 65536;
      open my $out, ">:raw", "$file.$n" or die;
      print $out $bytes;
      close $out;
      print "write -q -s $file.$n ", 65536 * ($kind eq "scattered" ? int rand $places : $begin + $n), " 64k\n" }' \
    "$1" "$work/random" "$2" | must_pipe qemu-io -f qcow2 --cache=writeback "${disk_file[chunked:vda]}"
  rm "$work/random" "$work/random".*
  must virsh -q start chunked
}

# chunk_row DISK-SIZE CHUNK-KIB WHAT BACKUP-OPTION...: one backup, and what it added:
# the content of new chunks, before they are compressed, and beside their packs the
# tree, index, manifest and so on.
chunk_row ()
{
  local data index peak seconds
  note "chunks: $1 in chunks of $2 KiB, $3"
  data=$(bytes_of "$lab/chunked/data")
  index=$(bytes_of "$lab/chunked/index")
  must peaks "$lab/peaks" "$VIRT_KEEP" --store "restic:$lab/chunked" --json backup chunked --progress none "${@:4}"
  read -r seconds peak _ <"$lab/peaks"
  data=$(($(bytes_of "$lab/chunked/data") - data))
  index=$(($(bytes_of "$lab/chunked/index") - index))
  note
  printf '  %-5s %5d KiB  %-28s %9.2f MiB %9.2f MiB %9.2f MiB %5d MiB\n' "$1" "$2" "$3" \
    "$(mib "$(json_get "$lab/said" ".disks[0].bytes_added")")" "$(mib "$data")" "$(mib "$index")" $((peak / 1024))
}

mib ()
{
  awk -v bytes="$1" 'BEGIN { print bytes / 1048576 }'
}

part_chunks ()
{
  local disk chunk
  if ! [ -x "${VIRT_KEEP%/tool/virt-keep}/tests/restic/swell" ]; then
    printf "\nchunks: left out, tests/restic/swell is not built\n"
    return
  fi
  printf '\n%-62s\n  %-5s %9s  %-28s %13s %13s %13s %9s\n' "what chunks of a size cost" disk chunk backup "new chunks" "added: packs" "index" "peak"
  for chunk in 512 1024 2048 4096; do
    chunked_domain 4G $chunk
    fill_disk chunked 4 >"$lab/said"
    chunk_row 4G $chunk "first, 128 MiB of data" --level full
    forget_chunked
  done
  for disk in 1G 16G 256G 1T; do
    for chunk in 512 1024 2048 4096; do
      chunked_domain $disk $chunk
      change_pieces scattered $disk
      chunk_row $disk $chunk "16 MiB in 256 places"
      change_pieces sequential $disk
      chunk_row $disk $chunk "16 MiB in one place"
      forget_chunked
    done
  done
  domain=bench
}

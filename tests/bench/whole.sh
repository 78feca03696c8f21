# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The parts copy, full and restore of bench.sh: a whole disk.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# need_disk: the domain bench, made once.
need_disk ()
{
  [ -z "${disk_file[bench:vda]:-}" ] || return
  note "making the disk"
  make_domain bench vda:qcow2:4G
  fill_disk bench 32
}

# ---- the disk ------------------------------------------------------------------

# fill_disk DOMAIN MIB: replaces the empty disk of 4 GiB of the domain.  In each of
# sixteen places there are MIB of random bytes and MIB of words.
fill_disk ()
{
  must virsh -q destroy "$1"
  perl -e '
    my ($file, $size, $mib) = @ARGV;
    open my $out, ">:raw", $file or die "$file: $!";
    open my $random, "<:raw", "/dev/urandom" or die;
    my @words = map { join "", map { chr (97 + rand 26) } 1 .. 2 + rand 9 } 1 .. 4000;
    for my $place (0 .. 15) {
      sysseek $out, $place * $size / 16, 0;
      for (1 .. $mib) { sysread $random, my $bytes, 1 << 20; syswrite $out, $bytes }
      for (1 .. $mib) {
        my $text = "";
        $text .= join (" ", map { $words[rand @words] } 1 .. 2000) . "\n" while length $text < 1 << 20;
        syswrite $out, $text, 1 << 20;
      }
    }
    truncate $out, $size or die' "$lab/content" $((4 * gib)) "$2" || bail "cannot make the content of the disk"
  must qemu-img convert -f raw -O qcow2 "$lab/content" "${disk_file["$1:vda"]}"
  rm "$lab/content"
  must virsh -q start "$1"
  note
  echo "disk: 4 GiB qcow2 of a running domain, $(du -m "${disk_file["$1:vda"]}" | cut -f1) MiB of data," \
    "half random, half text; on $(df --output=fstype "$lab" | tail -n 1)"
}

# ---- parts ---------------------------------------------------------------------

# part_backup copy|full
part_backup ()
{
  local level=$1 contenders=("keep_backup push $1" "bare_push $1" "keep_backup pull $1") none_of_nbdcopy='' none_of_virtnbd=''
  if have nbdcopy; then
    contenders+=("script_pull default $level" "script_pull unsafe $level")
  else
    none_of_nbdcopy='none|left out: nbdcopy is not installed (Debian: libnbd-bin)'
  fi
  if have virtnbdbackup; then
    contenders+=("virtnbd_backup $level")
  else
    none_of_virtnbd='none|left out: virtnbdbackup is not installed (Debian: apt-get install --no-install-recommends virtnbdbackup)'
  fi
  rounds "${contenders[@]}"
  note

  { cat <<ROWS
bare-push-$level|bare virDomainBackupBegin, until job-completed|push
bare-push-$level-sync|the same and sync FILE|
ROWS
    virtnbd_rows "$level" "$none_of_virtnbd"
  } | compare "virt-keep backup --mode push --level $level" "keep-push-$level"
  where_time_goes "keep-push-$level"

  { if [ -n "$none_of_nbdcopy" ]; then
      echo "$none_of_nbdcopy"
    else
      cat <<ROWS
script-default-$level|backup-begin + nbdcopy + qemu-nbd, which flushes at its end|pull
script-unsafe-$level|the same with qemu-nbd --cache=unsafe, nothing flushed|
script-unsafe-$level-sync|the same with --cache=unsafe and sync FILE|pull
ROWS
    fi
    virtnbd_rows "$level" "$none_of_virtnbd"
  } | compare "virt-keep backup --mode pull --level $level" "keep-pull-$level"
  where_time_goes "keep-pull-$level"
}

virtnbd_rows ()
{
  if [ -n "$2" ]; then
    echo "$2"
  else
    echo "virtnbd-$1|virtnbdbackup -l $1, nothing flushed|faster"
    echo "virtnbd-$1-sync|virtnbdbackup -l $1 and sync FILE|faster"
  fi
}

part_restore ()
{
  local contenders=(keep_restore bare_convert)
  round=0
  keep --store "$store" --json backup bench --mode push --level copy
  [ "$code" = 0 ] || bail "virt-keep backup: $(cat "$out")"
  image=$(point_dir "$(json .point)")/vda.qcow2
  if have virtnbdbackup; then
    virtnbd_backup copy keep
    contenders+=(virtnbd_restore)
  fi
  rounds "${contenders[@]}"
  note
  { echo "convert|qemu-img convert of the same image, nothing flushed|"
    echo "convert-sync|the same and sync FILE|"
    if have virtnbdrestore; then
      echo "virtnbd-restore|virtnbdrestore|faster"
      echo "virtnbd-restore-sync|the same and sync FILE|faster"
    else
      echo "none|left out: virtnbdrestore is not installed"
    fi
  } | compare "virt-keep restore --format qcow2" keep-restore
  rm -rf "${store:?}" "$lab/virtnbd"
}

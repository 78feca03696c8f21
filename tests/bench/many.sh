# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The part many of bench.sh: a host with many small domains that do nothing.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

many_domains=${BENCH_DOMAINS:-50}

keep_many=("$VIRT_KEEP" --store "$store" backup --all --exclude-domain 'apart-*' --jobs 4 --progress none)

# keep_all SUBJECT
keep_all ()
{
  clock_start
  must "${keep_many[@]}" --json
  clock "$1"
  [ "$(json_get "$lab/said" .succeeded)" = "$many_domains" ] || bail "not all were backed up: $(head -c 1000 "$lab/said")"
  [ "$(grep -c '"level" : "incremental"' "$lab/said")" -ge "$many_domains" ] || bail "they are no incrementals: $(head -c 1000 "$lab/said")"
}

# The same when there is something to copy: each domain has to have a job.
keep_written ()
{
  local n
  for ((n = 1; n <= many_domains; n++)); do
    guest_write "small-$n" vda "$((1 + round))" 1M 64k
  done
  keep_all keep-written
  [ "$(grep -c '"method" : "monitor"' "$lab/said")" = "$many_domains" ] || bail "not each domain had a job: $(head -c 1000 "$lab/said")"
}

# virtnbd_loop LEVEL: one domain after the other, as one scripts it.
virtnbd_loop ()
{
  local n
  for ((n = 1; n <= many_domains; n++)); do
    # shellcheck disable=SC2046  # options
    virtnbdbackup -d "apart-$n" -l "$1" -o "$lab/virtnbd/$n" -S "$work" $(virtnbd_options) </dev/null || return
  done
}

virtnbd_all ()
{
  clock_start
  must virtnbd_loop inc
  clock virtnbd-all
}

# used FILE COMMAND...: runs it and writes to FILE: the seconds that the processors spent on it
# and on what it started, and the greatest sum of the resident KiB of all these at one time.
# As a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) it also gets what outlives its parent.
used ()
{
  perl -MTime::HiRes=sleep -e '
    require "sys/syscall.ph";
    my ($file, @command) = @ARGV;
    my $peak = 0;
    syscall (&SYS_prctl, 36, 1, 0, 0, 0) == 0 or die "prctl: $!";
    sub children {
      map { my $in; open ($in, "<", $_) ? split (" ", <$in> // "") : () } glob "/proc/$_[0]/task/*/children";
    }
    sub resident {
      my ($pid) = @_;
      open my $in, "<", "/proc/$pid/status" or return 0;
      my ($own) = join ("", <$in>) =~ /^VmRSS:\s*(\d+)/m;
      my $sum = $own // 0;
      $sum += resident ($_) for children ($pid);
      return $sum;
    }
    my $pid = fork // die;
    if ($pid == 0) { exec { $command[0] } @command; die }
    while (waitpid ($pid, 1) == 0) {
      my $now = resident ($pid);
      $peak = $now if $now > $peak;
      sleep 0.02;
    }
    my $code = $?;
    1 while waitpid (-1, 0) > 0;
    my (undef, undef, $user, $system) = times;
    open my $out, ">", $file or die;
    printf $out "%.3f %d\n", $user + $system, $peak;
    exit ($code != 0)' "$@"
}

# used_row DESCRIPTION DOMAINS COMMAND...
used_row ()
{
  local seconds kib
  note "processor and memory: $1"
  must used "$lab/used" "${@:3}"
  read -r seconds kib <"$lab/used"
  note
  printf '  %-60s %8.3f s  %5d MiB\n' "$1" "$(perl -e 'print $ARGV[0] / $ARGV[1]' "$seconds" "$2")" $((kib / 1024))
}

# Paused from the first full on, so that nothing changes.
many_small () # PREFIX
{
  local n
  for ((n = 1; n <= many_domains; n++)); do
    note "domain $1-$n"
    make_domain "$1-$n" vda:qcow2:1G
    guest_write "$1-$n" vda 0x5a 0 16M
    guest_flush "$1-$n" vda
    must virsh -q suspend "$1-$n"
  done
}

# virtnbdbackup suffers no checkpoint but its own, and gets as many domains of the same kind.
part_many ()
{
  local contenders=("keep_all keep-all" keep_written) rows written n
  [[ $many_domains =~ ^[1-9][0-9]*$ ]] || bail "BENCH_DOMAINS is not a number of domains: $many_domains"
  many_small small
  if have virtnbdbackup; then
    many_small apart
    mkdir "$lab/virtnbd"
    must virtnbd_loop full
    contenders+=(virtnbd_all)
    rows='virtnbd-all|virtnbdbackup -l inc, one after the other|five'
    written='virtnbd-all|virtnbdbackup -l inc, nothing changed, one after the other'
  else
    rows='none|left out: virtnbdbackup is not installed'
    written=$rows
  fi
  must "${keep_many[@]}"
  rounds "${contenders[@]}"
  note
  compare "virt-keep backup --all --jobs 4, $many_domains domains, nothing changed" keep-all <<<"$rows"
  compare "virt-keep backup --all --jobs 4, 64 KiB written in each" keep-written <<<"$written"
  printf '\n%-62s %10s  %9s\n' "once each, with all that was started" "CPU/domain" "peak"
  used_row "virt-keep backup --all --jobs 4" "$many_domains" "${keep_many[@]}"
  used_row "the same for one domain" 1 "$VIRT_KEEP" --store "$store" backup small-1 --progress none
  if have virtnbdbackup; then
    used_row "virtnbdbackup -l inc, one after the other" "$many_domains" "$BASH" -c "$(declare -f virtnbd_loop virtnbd_options); work=$work lab=$lab many_domains=$many_domains; virtnbd_loop inc"
  fi
  for ((n = 1; n <= many_domains; n++)); do
    forget_domain "small-$n"
    ! have virtnbdbackup || forget_domain "apart-$n"
  done
  rm -rf "${store:?}" "$lab/virtnbd"
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The clock, the rounds and the tables of bench.sh.
#
# shellcheck disable=SC2034,SC2154 # what bench.sh and lib.sh set, and each other

# ---- the clock -----------------------------------------------------------------

# What the contender before has left to be written is not this one's.
clock_start ()
{
  sync
  began=$EPOCHREALTIME
}

# clock SUBJECT: the seconds since clock_start are the subject's.
clock ()
{
  local now=$EPOCHREALTIME
  printf '%s %s %d.%06d\n' "$1" "$round" \
    $(((${now/./} - ${began/./}) / 1000000)) $(((${now/./} - ${began/./}) % 1000000)) >>"$figures"
}

# rounds CONTENDER...: A B C A B C ..., so that whatever else the machine does
# meets all of them.  A contender is a function and its arguments in one word.
rounds ()
{
  local contender
  for ((round = 0; round <= runs; round++)); do
    for contender; do
      note "run $round of $runs: $contender"
      $contender
    done
  done
}

# same_as_disk IMAGE: in the warm-up, what a contender wrote is compared with the
# disk, which stands still, so that only what works is measured.
same_as_disk ()
{
  [ "$round" != 0 ] || must qemu-img compare -U -f qcow2 -F qcow2 "${disk_file["$domain:vda"]}" "$1"
}

# ---- tables --------------------------------------------------------------------

# compare TITLE SUBJECT: then lines "REFERENCE|DESCRIPTION|AIM" on stdin, AIM one
# of the keys of %aims, or empty.
compare ()
{
  perl -e '
    my ($title, $subject, $figures) = @ARGV;
    my (%seconds, $other);
    open my $in, "<", $figures or die;
    while (<$in>) { my ($who, $round, $time) = split; $seconds{$who}[$round] = $time }
    sub median { my @sorted = sort { $a <=> $b } @_; ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 }
    sub runs { my ($all) = @_; @$all[1 .. $#$all] }
    my @own = runs ($seconds{$subject});
    my %aims = (
      push => ["<= 1.05 + 0.3 s", sub { median (map { $own[$_] - 1.05 * $_[$_] } 0 .. $#own) <= 0.3 }],
      pull => ["<= 1.10", sub { median (map { $own[$_] / $_[$_] } 0 .. $#own) <= 1.10 }],
      faster => [">= 3 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 3 }],
      eight => [">= 8 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 8 }],
      five => [">= 5 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 5 }],
      double => [">= 2 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 2 }],
      twenty => [">= 20 x faster", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 20 }],
      limit => ["<= 1.3", sub { median (map { $own[$_] / $_[$_] } 0 .. $#own) <= 1.3 }],
      boot => ["<= 1.5 + 1 s", sub { median (map { $own[$_] - 1.5 * $_[$_] } 0 .. $#own) <= 1 }],
      twice => ["<= 2", sub { median (map { $own[$_] / $_[$_] } 0 .. $#own) <= 2 }],
      fifth => ["<= 1.2", sub { median (map { $own[$_] / $_[$_] } 0 .. $#own) <= 1.2 }],
      verify => [">= 80 % of its speed", sub { median (map { $_[$_] / $own[$_] } 0 .. $#own) >= 0.8 }]);
    printf "\n%-62s %7s  %-28s %9s  %s\n", "", "seconds", "ratio (least .. most)", "more", "aim";
    printf "%-62s %7.2f\n", $title, median (@own);
    while (<STDIN>) {
      chomp;
      my ($reference, $description, $aim) = split /\|/;
      if (!$seconds{$reference}) { print "  $description\n"; next }
      my @other = runs ($seconds{$reference});
      my $faster = ($aim // "") =~ /faster|eight|five|double|twenty/;
      my @ratios = sort { $a <=> $b } map { $faster ? $other[$_] / $own[$_] : $own[$_] / $other[$_] } 0 .. $#own;
      my $ratio = sprintf "%.2f%s (%.2f .. %.2f)", median (@ratios), $faster ? " x faster" : "", $ratios[0], $ratios[-1];
      my $line = sprintf "  %-60s %7.2f  %-28s %+7.2f s", $description, median (@other), $ratio,
        median (map { $own[$_] - $other[$_] } 0 .. $#own);
      $line .= sprintf "  %s: %s", $aims{$aim}[0], $aims{$aim}[1]->(@other) ? "met" : "missed" if $aim;
      print "$line\n";
    }' "$1" "$2" "$figures"
}

# where_time_goes SUBJECT: medians of virt-keep'"'"'s phases.
where_time_goes ()
{
  perl -e '
    my ($subject, $phases) = @ARGV;
    my (%seconds, @order);
    open my $in, "<", $phases or die;
    while (<$in>) {
      my ($who, $round, $phase, $time) = split;
      next if $who ne $subject || $round == 0;
      push @order, $phase if !$seconds{$phase};
      push @{$seconds{$phase}}, $time;
    }
    print "  its phases: ", join (", ", map {
      my @sorted = sort { $a <=> $b } @{$seconds{$_}};
      sprintf "%s %.2f", $_, $sorted[$#sorted / 2];
    } @order), "\n"' "$1" "$phases"
}

have ()
{
  command -v "$1" >/dev/null
}

processor ()
{
  sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1
}

print_machine ()
{
  echo "virt-keep bench: $runs runs of each in turn after a warm-up, caches warm; seconds and ratios are medians"
  echo "machine: $(nproc) cores, $(processor), $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) >> 20)) GiB," \
    "Linux $(uname -r), load before: $(cut -d' ' -f1 /proc/loadavg)"
  echo "programs: $("$VIRT_KEEP" --version | head -n 1), $(virsh version | sed -n 's/^Using library: //p')," \
    "$(virsh version | sed -n 's/^Running hypervisor: //p'), nbdcopy $(nbdcopy --version 2>/dev/null | sed -n 's/^nbdcopy //p')," \
    "virtnbdbackup $(virtnbdbackup --version 2>/dev/null || echo "not installed")"
}


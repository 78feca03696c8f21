#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: prune keeps what "restic forget" keeps by the same rules of points of the same
# times, for the same reasons, in a time zone with daylight saving.
#
# The times and the rules are random; VIRT_KEEP_SEED repeats a run, and
# VIRT_KEEP_POLICIES says how many sets of rules are compared.
. "$(dirname "$0")/lib.sh"

if ! command -v restic >/dev/null; then
  echo "1..0 # SKIP no restic"
  exit 0
fi
seed=${VIRT_KEEP_SEED:-$(($(date +%s) % 32768))}
policies=${VIRT_KEEP_POLICIES:-12}
points=30
RANDOM=$seed
zones=(Europe/Berlin America/New_York Australia/Sydney UTC)
export TZ=${zones[RANDOM % 4]}
diag "seed $seed, $points points, TZ $TZ"

store=$scratch/store
uuid=b0a7b4a6-6f5c-4f0e-9d9b-1f0d3c2a5e77
export RESTIC_REPOSITORY=$scratch/restic RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$scratch/cache
mkdir -p "$store/d.$uuid"
echo '{"format":"virt-keep image store","version":1,"id":"0123abcd"}' >"$store/virt-keep-store.json"
restic init >"$out" 2>&1 || { echo "Bail out! restic init: $(cat "$out")"; exit 99; }
echo x >"$scratch/file"

# choose_times: seconds since 1970, each once: some close to each other, some days,
# weeks or years apart, some beside the hours in which the clocks change.
choose_times ()
{
  perl -e '
    srand shift;
    my %seen;
    my $time = 1761440400 + int rand 40 * 86400; # 26 October 2025, 01:00 UTC
    for (1 .. shift) {
      $seen{$time}++;
      my @steps = (rand 3600, rand 7200, rand 86400, rand 3 * 86400, rand 21 * 86400, rand 200 * 86400);
      $time -= 1 + int $steps[rand @steps];
    }
    $seen{$_ + int rand 14400}++ for 1761431400, 1743289200;
    print "$_\n" for keys %seen' "$seed" $((points - 2))
}

# add_point SECONDS: the same point for both.  Of ours only the manifest counts.
add_point ()
{
  local id instant
  id=$(date -u -d "@$1" +%Y%m%dT%H%M%SZ) instant=$(date -u -d "@$1" +%Y-%m-%dT%H:%M:%S.000000Z)
  mkdir "$store/d.$uuid/$id"
  cat >"$store/d.$uuid/$id/manifest.json" <<JSON
{"format":"virt-keep manifest","version":1,"id":"$id","store":"0123abcd","domain":{"name":"d","uuid":"$uuid"},
 "times":{"instant":"$instant"},"mode":"push","level":"full","versions":{},"disks":[],"files":[],"left_out":[],"warnings":[]}
JSON
  restic backup -q --host d --time "$(date -d "@$1" '+%Y-%m-%d %H:%M:%S')" "$scratch/file" >"$scratch/said.$1" 2>&1 \
    || diag "restic backup: $(cat "$scratch/said.$1")"
}

n=0
for time in $(choose_times); do
  # restic takes local times, of which the hour that comes twice has two.
  [ "$(date -d "$(date -d "@$time" '+%Y-%m-%d %H:%M:%S')" +%s)" = "$time" ] || continue
  add_point "$time" &
  n=$((n + 1))
  [ $((n % 3)) != 0 ] || wait
done
wait

# random_policy: sets $policy.
random_policy ()
{
  local word units=(h d m y) unit
  policy=()
  for word in last hourly daily weekly monthly yearly; do
    ((RANDOM % 3)) || policy+=("--keep-$word" $((RANDOM % 8 + 1)))
  done
  if ((RANDOM % 3 == 0)) || [ ${#policy[@]} = 0 ]; then
    unit=${units[RANDOM % 4]}
    policy+=(--keep-within "$((RANDOM % 30 + 1))$unit$([ "$unit" = h ] || echo "$((RANDOM % 24))h")")
  fi
}

# what_is_kept FILE: "TIME: REASONS" of each point that stays, newest first, in UTC.
# Since 0.16 restic keeps the oldest snapshot, too, while a count is not used up, and
# prune does; beside an older one that point is left out.
what_is_kept ()
{
  perl -MJSON::PP -MTime::Local -e '
    local $/;
    open my $in, "<", shift or die;
    my $json = decode_json (<$in>);
    my %kept;
    if (ref $json eq "ARRAY") {
      for my $reason (@{$json->[0]{reasons}}) {
        my ($y, $m, $d, $H, $M, $S, $zone) = $reason->{snapshot}{time} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(?:\.\d+)?(.*)$/;
        my $offset = $zone =~ /^([-+])(\d+):(\d+)$/ ? ($1 eq "-" ? -1 : 1) * ($2 * 3600 + $3 * 60) : 0;
        my @t = gmtime (timegm ($S, $M, $H, $d, $m - 1, $y) - $offset);
        my $id = sprintf "%04d%02d%02dT%02d%02d%02dZ", $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0];
        my %words = map { s/^oldest //r =~ s/ .*//r => 1 } @{$reason->{matches}};
        $kept{$id} = join ",", sort keys %words;
      }
    } else {
      $kept{$_->{point} =~ s/.*\@//r} = join ",", sort @{$_->{reasons}} for @{$json->{keep}};
    }
    delete $kept{$ARGV[0]};
    print "$_: $kept{$_}\n" for reverse sort keys %kept' "$1" "$left_out"
}

left_out=
if [[ $(restic version) =~ ^restic\ 0\.([0-9]|1[0-6])\. ]]; then
  left_out=$(find "$store/d.$uuid" -mindepth 1 -printf "%f\n" | sort | head -n 1)
fi
for ((i = 0; i < policies; i++)); do
  random_policy
  "$VIRT_KEEP" --store "$store" --json prune d --dry-run "${policy[@]}" >"$scratch/ours.json" 2>"$err" || diag "$(cat "$err")"
  restic forget --dry-run --json --group-by host "${policy[@]}" >"$scratch/theirs.json" 2>"$err" || diag "$(cat "$err")"
  is "$(what_is_kept "$scratch/ours.json")" "$(what_is_kept "$scratch/theirs.json")" "${policy[*]}: kept as by restic"
done
is "$(find "$store" -name manifest.json | wc -l)" $n "a dry run removes nothing"

echo "1..$tests_run"

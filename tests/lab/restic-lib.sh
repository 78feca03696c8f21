# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the lab tests of the restic store start with, after lib.sh: a repository that
# does not exist yet, $repository, its password in the environment, and the
# functions below.

"$VIRT_KEEP" --help | grep -q '^  init ' || bail "virt-keep has no init"
command -v restic >/dev/null || skip_all "restic is not installed"

repository=$lab/repository
store=restic:$repository
export RESTIC_PASSWORD="correct horse" RESTIC_CACHE_DIR=$lab/restic-cache XDG_CACHE_HOME=$lab/cache

# points: how many restore points the store shows.
points ()
{
  "$VIRT_KEEP" --store "$store" --json list >"$lab/list.json" </dev/null
  json_get "$lab/list.json" .points.length
}

# restic_json COMMAND ARGUMENT...: what restic says, as JSON.
restic_json ()
{
  restic -q --json -r "$repository" "$@"
}

# repository_is_sound WHEN: restic reads every pack and finds nothing wrong.
repository_is_sound ()
{
  holds "restic check --read-data is content $1" restic -q -r "$repository" check --read-data
}

# snapshot_of POINT: the id of its snapshot, as restic lists it: by its time and domain.
snapshot_of ()
{
  restic_json snapshots --tag virt-keep | perl -MJSON::PP -e '
    my ($domain, $point) = $ARGV[0] =~ /(.*)@(.*)/;
    for (@{JSON::PP->new->utf8->decode (join "", <STDIN>)}) {
      (my $id = substr $_->{time}, 0, 19) =~ s/[-:]//g;
      print $_->{id} if $id . "Z" eq $point && grep { $_ eq $domain } @{$_->{tags}}
    }' "$1"
}

# dumps_to POINT DEV FILE: restic dumps the disk of the point as exactly the bytes of
# FILE.
dumps_to ()
{
  cmp <(restic -q -r "$repository" dump "$(snapshot_of "$1")" "/$2.raw") "$3"
}

# backup_is DOMAIN LEVEL CLAIM ARGUMENT...: backs up, and the point has that level
# and the bytes of vda's instant.
backup_is ()
{
  local domain=$1 level=$2 claim=$3
  shift 3
  shadow "$domain" vda "$lab/then.raw"
  keep --store "$store" --json backup "$domain" "$@"
  exits 0 "$claim: succeeds"
  is "$(json .level)" "$level" "$claim: is $level"
  holds "$claim: restic dumps the bytes of the instant" dumps_to "$(json .point)" vda "$lab/then.raw"
}

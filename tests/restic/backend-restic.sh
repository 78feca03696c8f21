#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: restic finds what we store where it looks for it, and we find what restic
# stores, behind a REST server and in S3.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
needs restic rclone

export RESTIC_PASSWORD=test RESTIC_CACHE_DIR=$scratch/cache
local_repository=$scratch/local

# stock ARGUMENT...: restic itself; $code, $out, $err as with keep.
stock ()
{
  timeout 120 restic --cacert "$scratch/ca.pem" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# shellcheck disable=SC2317  # called by upload
# The type that backend-exerciser knows by the directory.
type_of ()
{
  case $1 in
    index | data | config) echo "$1" ;;
    *) echo "${1%s}" ;;
  esac
}

# shellcheck disable=SC2317  # called by holds
# upload: the local repository, file by file, to $url.
upload ()
{
  local file
  while read -r file; do
    exercise save "$(type_of "${file%%/*}")" "$local_repository/$file"
    [ "$code" = 0 ] || { cat "$err"; return 1; }
  done < <(cd "$local_repository" && find . -type f | sed 's,^\./,,')
}

# same_files: what $url lists is what the local repository has, with sizes.
# shellcheck disable=SC2317  # called by holds
same_files ()
{
  local dir
  for dir in keys snapshots index data; do
    exercise list "$(type_of "$dir")"
    diff <(sort "$out") <(find "$local_repository/$dir" -type f -printf '%f %s\n' | sort) || return 1
  done
}

# try WHERE: all of it at $url, of which restic says $url, too.
try ()
{
  exercise create
  holds "$1: a repository of restic's is uploaded" upload
  holds "$1: and listed" same_files
  stock -r "$url" check --read-data
  exits 0 "$1: restic finds nothing wrong with it"
  stock -r "$url" dump latest "$scratch/file"
  holds "$1: and reads a file from it" cmp "$scratch/file" "$out"

  make_file new 1500000
  stock -r "$url" backup "$scratch/new"
  exits 0 "$1: restic backs up into it"
  exercise list snapshot
  is "$(wc -l <"$out")" 2 "$1: which we see"
  name=$(cut -d ' ' -f 1 "$out" | grep -vxF "$(ls "$local_repository/snapshots")")
  exercise load snapshot "$name"
  is "$(sha256sum <"$out")" "$name  -" "$1: and can load"
  exercise remove snapshot "$name"
  stock -r "$url" check
  exits 0 "$1: restic does not miss a snapshot that we have removed"
}

make_certificates
make_file file 3000000
stock -r "$local_repository" init
stock -r "$local_repository" backup "$scratch/file"
exits 0 "there is a repository of restic's"

serve_rclone rclone --cert "$scratch/server.pem" --key "$scratch/server.key"
export RESTIC_CACERT=$scratch/ca.pem
url=rest:https://127.0.0.1:$port/a/b
try rclone

serve_s3rver
export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER
url=s3:https://localhost:$port/vmbackup/some/prefix
try s3rver

done_testing

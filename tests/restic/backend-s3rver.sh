#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a repository lives in an S3 server that is not ours, over TLS.
# shellcheck source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
needs node npm

# Installed once into the build directory, from the lock file.
s3rver=${G_TEST_BUILDDIR:-$source_dir/build/tests}/restic/s3rver-installed
if ! cmp -s "$restic_tests/s3rver/package-lock.json" "$s3rver/installed.json"; then
  rm -rf "$s3rver"
  mkdir -p "$s3rver"
  cp "$restic_tests/s3rver/package.json" "$restic_tests/s3rver/package-lock.json" "$s3rver/"
  (cd "$s3rver" && timeout 300 npm ci --no-audit --no-fund --ignore-scripts) >"$scratch/npm" 2>&1 </dev/null \
    || skip_all "npm cannot install s3rver: $(grep -v '^npm notice' "$scratch/npm" | tail -n 3 | tr '\n' ' ')"
  cp "$s3rver/package-lock.json" "$s3rver/installed.json"
fi

make_certificates
port=$(free_port)
mkdir "$scratch/objects"
background "$scratch/s3rver.log" node "$s3rver/node_modules/s3rver/bin/s3rver.js" -d "$scratch/objects" -a 127.0.0.1 -p "$port" \
  --key "$scratch/server.key" --cert "$scratch/server.pem"
if ! wait_for 30 answers "$port"; then
  echo "Bail out! s3rver does not start: $(tail -n 1 "$scratch/s3rver.log")"
  exit 99
fi

export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER RESTIC_CACERT=$scratch/ca.pem
url=s3:https://localhost:$port/vmbackup/x
contract "s3rver over TLS"
unset RESTIC_CACERT
exercise list key
exits 9 "without its authority's certificate it is not talked to"
like "$(cat "$err")" "RESTIC_CACERT" "and it is said what can be done"

done_testing

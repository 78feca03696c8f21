#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a repository in S3 is as good as one in a directory, with the bucket in
# the path or in the host name, in any region, with passing credentials; and a
# server that verifies every signature finds nothing to say against ours.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"

# The server first: is it strict, and right?
perl "$restic_tests/sigv4-prove.pl" "$restic_tests/sigv4-vectors.txt" >"$out"
while read -r line; do
  case $line in
    "ok - "*) ok "${line#ok - }" ;;
    *) not_ok "${line#not ok - }" ;;
  esac
done <"$out"
is "$(grep -c 'published' "$out")" 16 "all of them were tried"

S3_REGION=eu-test-1 S3_PAGE=7 serve s3-server.pl path
url=s3:http://127.0.0.1:$port/bucket/some/prefix
AWS_DEFAULT_REGION=eu-test-1 contract "S3, the bucket in the path"
is "$(cd "$state/buckets/bucket" && find . -type f)" ./some/prefix/config "the prefix is before all that is stored"
unlike "$(cat "$state/log")" " (403|400)$" "no request was signed wrongly"

url=s3:http://127.0.0.1:$port/second
contract "S3 in a region that nobody has told"

url=s3:http://s3.localhost:$port/third/a%20b+c/ü
VIRT_KEEP_S3_BUCKET_LOOKUP=dns AWS_REGION=eu-test-1 contract "S3, the bucket in the host name, a prefix to be encoded"
is "$(cd "$state/buckets/third" && find . -type f)" "./a b+c/ü/config" "the prefix is the one that was meant"

# ---- the layout of restic ----------------------------------------------------------

url=s3:http://127.0.0.1:$port/second/layout
export AWS_REGION=eu-test-1
make_file data 1000
exercise save data "$scratch/data"
holds "packs lie in directories by their first digits" cmp "$scratch/data" "$state/buckets/second/layout/data/${sum:0:2}/$sum"
for type in key lock snapshot index; do
  make_file "$type" 100
  exercise save "$type" "$scratch/$type"
  case $type in index) dir=index ;; *) dir=${type}s ;; esac
  holds "and a $type in one directory" cmp "$scratch/$type" "$state/buckets/second/layout/$dir/$sum"
done
mkdir -p "$state/buckets/second/layout/keys/sub"
cp "$scratch/key" "$state/buckets/second/layout/keys/sub/$sum"
cp "$scratch/key" "$state/buckets/second/layout/keys/README"
exercise list key
is "$(wc -l <"$out")" 1 "what is no file of a repository is not listed"

# ---- who may ---------------------------------------------------------------------------

url=s3:http://127.0.0.1:$port/second/layout
AWS_SECRET_ACCESS_KEY=another-secret exercise list key
exits 9 "a wrong secret key is refused"
like "$(cat "$err")" "SignatureDoesNotMatch" "in the server's words"
unlike "$(cat "$err")" "another-secret" "without the secret"
AWS_ACCESS_KEY_ID=NOBODY exercise list key
like "$(cat "$err")" "InvalidAccessKeyId" "and so is a wrong access key"
url=s3:http://127.0.0.1:$port/missing
exercise list key
exits 9 "a bucket that is not there is a failure"
like "$(cat "$err")" "NoSuchBucket: The specified bucket does not exist" "which is said"

printf '[default]\naws_access_key_id = NOBODY\n[work]\naws_access_key_id = TESTKEY\naws_secret_access_key = test/secret+key\naws_session_token = pass/ing+token==\n' >"$scratch/credentials"
S3_TOKEN=pass/ing+token== serve s3-server.pl token
url=s3:http://127.0.0.1:$port/bucket
unset AWS_REGION
AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' AWS_SHARED_CREDENTIALS_FILE=$scratch/credentials AWS_PROFILE=work exercise create
exits 0 "credentials come from a profile, with a session token"
exercise create
exercise list key
exits 9 "which is asked for"
like "$(cat "$err")" "InvalidToken" "and missed"
AWS_SECRET_ACCESS_KEY='' exercise list key
exits 2 "half of the credentials are none"

# ---- what servers may do otherwise --------------------------------------------------------

S3_KMS=1 serve s3-server.pl kms
url=s3:http://127.0.0.1:$port/bucket
contract "S3 with ETags that are no MD5"

S3_NO_DELETE=1 serve s3-server.pl keep
url=s3:http://127.0.0.1:$port/bucket
exercise create
make_file snapshot 500
exercise save snapshot "$scratch/snapshot"
exercise remove snapshot "$sum"
exits 9 "where deleting is not allowed"
like "$(cat "$err")" "cannot delete snapshots/$sum: .*access is denied.*AccessDenied" "that is said"

done_testing

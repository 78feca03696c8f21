#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a repository lives in an S3 server that is not ours, over TLS.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
make_certificates
serve_s3rver

export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER RESTIC_CACERT=$scratch/ca.pem
url=s3:https://localhost:$port/vmbackup/x
contract "s3rver over TLS"
unset RESTIC_CACERT
exercise list key
exits 9 "without its authority's certificate it is not talked to"
like "$(cat "$err")" "RESTIC_CACERT" "and it is said what can be done"

done_testing

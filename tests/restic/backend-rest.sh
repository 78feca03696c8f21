#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a repository behind a REST server is as good as one in a directory, over
# http, https and a unix socket, with passwords and certificates, with rclone and
# with servers that know less or allow less; and no password is ever shown.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"
needs rclone

# ---- rclone --------------------------------------------------------------------

serve_rclone plain
url=rest:http://127.0.0.1:$port/repo
contract "rclone over http"

serve_rclone password --user me --pass sesame
url=rest:http://me:sesame@127.0.0.1:$port/repo
contract "rclone with a password in the URL"
url=rest:http://127.0.0.1:$port/repo
RESTIC_REST_USERNAME=me RESTIC_REST_PASSWORD=sesame exercise list key
exits 0 "the password may come from the environment instead"
exercise list key
exits 9 "without one there is no access"
like "$(cat "$err")" "a user name and password are needed" "which is said"
url=rest:http://me:wrong-sesame@127.0.0.1:$port/repo
exercise list key
exits 9 "a wrong one is refused"
like "$(cat "$err")" "user name or password are wrong" "which is said"
unlike "$(cat "$err")" "sesame" "without the password"

printf 'friend:%s\n' "$(openssl passwd -apr1 open)" >"$scratch/htpasswd"
serve_rclone users --htpasswd "$scratch/htpasswd"
url=rest:http://friend:open@127.0.0.1:$port/repo
exercise create
exits 0 "a server with htpasswd lets its user in"
url=rest:http://friend:closed@127.0.0.1:$port/repo
exercise create
exits 9 "and nobody else"

# ---- https ---------------------------------------------------------------------

make_certificates
serve_rclone tls --cert "$scratch/server.pem" --key "$scratch/server.key"
url=rest:https://127.0.0.1:$port/repo
RESTIC_CACERT=$scratch/ca.pem contract "rclone over https"
exercise list key
exits 9 "a server whose certificate nobody has signed whom one trusts is not talked to"
like "$(cat "$err")" "RESTIC_CACERT names the certificates to trust" "and it is said what can be done"
make_file other 10
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout "$scratch/other.key" -out "$scratch/other.pem" >"$scratch/openssl" 2>&1
RESTIC_CACERT=$scratch/other.pem exercise list key
exits 9 "nor one that another authority has signed"
RESTIC_CACERT=$scratch/other.pem,$scratch/ca.pem exercise list key
exits 0 "RESTIC_CACERT may name several files"

serve_rclone mutual --cert "$scratch/server.pem" --key "$scratch/server.key" --client-ca "$scratch/ca.pem"
url=rest:https://127.0.0.1:$port/repo
export RESTIC_CACERT=$scratch/ca.pem
RESTIC_TLS_CLIENT_CERT=$scratch/client.pem exercise create
exits 0 "a client certificate opens a server that asks for one"
VIRT_KEEP_RETRY_SECONDS=2 exercise create
exits 9 "which is closed without"
unset RESTIC_CACERT

# ---- append-only -----------------------------------------------------------------

serve_rclone append --append-only
url=rest:http://127.0.0.1:$port/repo
make_file snapshot 1000
exercise create
exercise save snapshot "$scratch/snapshot"
exits 0 "an append-only server takes a file"
exercise save snapshot "$scratch/snapshot"
exits 0 "and the same file again"
exercise remove snapshot "$sum"
exits 9 "but it does not delete it"
like "$(cat "$err")" "the server refuses to delete snapshots/$sum .*append-only" "which is said, with the name of the file"
exercise load snapshot "$sum"
is "$(sha256sum <"$out")" "$sum  -" "and the file is still whole"

# ---- other servers ---------------------------------------------------------------

serve rest-server.pl careless
url=rest:http://127.0.0.1:$port/repo/
contract "a careless server"
holds "there are some hundred requests" test "$(wc -l <"$state/log")" -gt 400
holds "over as many connections as there are threads, and few besides" test "$(wc -l <"$state/connections")" -le 16

make_file again 100000
exercise save data "$scratch/again"
exercise save data "$scratch/again"
exits 0 "a file is stored twice"
is "$(grep -c "^POST /repo/data/$sum" "$state/log")" 1 "and uploaded once"

REST_V1=1 serve rest-server.pl old
url=rest:http://127.0.0.1:$port/repo
contract "a server of version 1"

serve rest-server.pl socket "$scratch/rest.socket"
url=rest:http+unix://$scratch/rest.socket:/repo/
contract "a unix socket"

REST_STRICT=1 serve rest-server.pl strict
url=rest:http://127.0.0.1:$port/repo
make_file lock 200
exercise create
exercise save lock "$scratch/lock"
exits 0 "a strict server takes a lock"
exercise remove lock "$sum"
exits 0 "and gives it up"
make_file data 3000000
exercise save data "$scratch/data"
exercise save data "$scratch/data"
exits 0 "it takes a pack that it has"
exercise remove data "$sum"
exits 9 "and keeps it"

# The answer to the upload is lost, and the second attempt is refused: it is
# there, after all.
make_file twice 4000
faults 'POST /repo/index 1 lost'
exercise save index "$scratch/twice"
exits 0 "what is refused because the first attempt has worked is a success"

REST_NO_RANGE=1 serve rest-server.pl whole
url=rest:http://127.0.0.1:$port/repo
make_file data 3000
exercise save data "$scratch/data"
exercise load data "$sum" 10 20
exits 9 "a server that knows no ranges is of no use"
like "$(cat "$err")" "127.0.0.1:$port/repo: cannot load data/$sum: the server sends more than the 20 bytes" "which is said"

# Somebody else's repository came to be between our look and our upload.
REST_STRICT=1 serve rest-server.pl race
url=rest:http://127.0.0.1:$port/repo
mkdir -p "$state/repo"
make_file config 155
faults 'HEAD /repo/config 1 status 404'
echo another >"$state/repo/config"
exercise save config "$scratch/config"
exits 5 "a repository that somebody else has made just now is not replaced"
like "$(cat "$err")" "there is a repository already" "which is said"
is "$(cat "$state/repo/config")" another "and it stays"

# ---- a proxy -----------------------------------------------------------------------

serve rest-server.pl proxy
url=rest:http://repository.invalid/repo
http_proxy=http://127.0.0.1:$port exercise save data "$scratch/data"
exits 0 "the proxy of the environment is used"
holds "it has seen the upload" grep -q "^POST /repo/data/" "$state/log"

# ---- nobody there ------------------------------------------------------------------

url=rest:http://me:sesame@127.0.0.1:$(free_port)/repo
VIRT_KEEP_RETRY_SECONDS=600 seconds exercise list key
exits 9 "where no server is, that is found out"
like "$(cat "$err")" "is the URL right, and does the server run\\?" "and said"
unlike "$(cat "$err")" "sesame" "without the password"
holds "soon, since it never was there" awk -v took="$took" 'BEGIN { exit !(took < 15) }'

done_testing

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the disks of a point of either store are served over NBD as they were at its
# instant, on sockets and on TCP, to as many as want them, and nothing is left of it
# however it ends.
. "$(dirname "$0")/lib.sh"
{ command -v nbdinfo && command -v nbdcopy; } >/dev/null || skip_all "nbdinfo and nbdcopy are not installed"

make_domain guest vda:qcow2:64M vdb:raw:16M
guest_write guest vda 0x11 1M 5M
guest_write guest vdb 0x12 15M 1M
keep --store "$store" backup guest
guest_write guest vda 0x21 3M 1M
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "an incremental backup"
point=$(json .point)
cp -a "$(point_dir "$point")" "$lab/point-before"

served=$lab/served

# serve ARGUMENT...: an export beside the test, until its result is there; $server is
# its process, $doors are those of what it has started, and $served has the result.
serve ()
{
  local - ; set -f
  # shellcheck disable=SC2086
  env --default-signal=INT,QUIT ${VG:-} "$VIRT_KEEP" --store "$store" --json export "$@" >"$served" 2>"$err" </dev/null &
  server=$!
  wait_for 120 result_is_there
  set +f
  doors=$(cat "/proc/$server"/task/*/children 2>/dev/null)
  note_directories
}

# The result, or the end of who should have given one.
# shellcheck disable=SC2317  # called by wait_for
result_is_there ()
{
  [ "$(json_get "$served" .schema)" = 1 ] || ! kill -0 "$server"
}

uri ()
{
  json_get "$served" ".disks[$1].uri"
}

# stop SIGNAL CODE CLAIM: ends the export; it exits so and leaves nothing.
stop ()
{
  kill "-$1" "$server"
  has_stopped "$2" "$3"
}

# has_stopped CODE CLAIM: the same, after it was told.
has_stopped ()
{
  wait "$server" 2>/dev/null
  is "$?" "$1" "$2 ends with $1"
  holds "$2: its doors are closed" wait_for 20 doors_are_gone
}

# shellcheck disable=SC2317  # called by holds
doors_are_gone ()
{
  local door
  for door in $doors; do
    kill -0 "$door" 2>/dev/null && return 1
  done
  [ -n "$doors" ]
}

# note_directories: those that the doors use, as their command lines tell.
note_directories ()
{
  local door
  for door in $doors; do
    mapfile -t -O ${#directories[@]} directories < <(tr '\0' '\n' <"/proc/$door/cmdline" | grep -oE '/[^"=]*/\.?virt-keep-[a-z]*-?[A-Za-z0-9]{6}' | sort -u)
  done
}
directories=()

# private_directories: those that are still there.  Others may have theirs in /var/tmp.
private_directories ()
{
  find "$lab" -maxdepth 1 -name '.virt-keep-*'
  [ ${#directories[@]} = 0 ] || find "${directories[@]}" -maxdepth 0 2>/dev/null | sort -u
}

# reads_as FILE URI: nbdcopy gets exactly the bytes of FILE.
reads_as ()
{
  rm -f "$lab/copy"
  nbdcopy -- "$2" "$lab/copy" && cmp "$1" "$lab/copy"
}

# ---- sockets -------------------------------------------------------------------

cat >"$lab/program" <<'EOF'
echo "$VIRT_KEEP_POINT"
echo "$VIRT_KEEP_NBD_URI" >"$1"
[ "$VIRT_KEEP_NBD_URI" = "$VIRT_KEEP_NBD_URI_VDB" ] && nbdcopy -- "$VIRT_KEEP_NBD_URI" - | cat
exit 7
EOF

# shellcheck disable=SC2317  # called by holds
ends_with_vdb ()
{
  tail -c $((16 << 20)) "$1" | cmp - "$lab/vdb.raw"
}

everywhere ()
{
  local what=$1
  serve "$point"
  is "$(json_get "$served" .ok .point .writable .tls .disks.length '.disks[0].disk' '.disks[1].disk' '.disks[0].size' '.disks[1].size' | xargs)" \
    "true $point false false 2 vda vdb $((64 << 20)) $((16 << 20))" "$what: the result comes while the disks are served"
  holds "$what: nbdcopy reads the first disk" reads_as "$lab/vda.raw" "$(uri 0)"
  holds "$what: and the second" reads_as "$lab/vdb.raw" "$(uri 1)"
  holds "$what: qemu-img compares it" qemu-img compare -f raw -F raw "$lab/vda.raw" "$(uri 0)"
  is "$(nbdinfo --size "$(uri 0)")" $((64 << 20)) "$what: nbdinfo knows the size"
  is "$(nbdinfo --can read-only "$(uri 0)" && echo yes)" yes "$what: and that it is read-only"
  holds "$what: zeroes need not be read" test "$(nbdinfo --map --totals "$(uri 0)" | awk '$3 == 0 { print $1 }')" -lt $((12 << 20))
  is "$(find "$(dirname "$(dirname "$(uri 0 | sed 's/.*socket=//')")")" -maxdepth 0 -perm 0700 | wc -l)" 1 "$what: nobody else can reach the socket"
  stop TERM 0 "$what: SIGTERM"
  is "$(private_directories)" "" "$what: and no directory is left"

  "$VIRT_KEEP" --store "$store" export "$point" --disk vdb -- sh "$lab/program" "$lab/uri" >"$lab/said" 2>"$err" </dev/null
  is "$?" 7 "$what: a program's exit status is passed on"
  directories+=("$(dirname "$(dirname "$(sed 's/.*socket=//' "$lab/uri")")")")
  is "$(head -n 1 "$lab/said")" "$point" "$what: it knows the point"
  holds "$what: and reads the disk, with standard output for itself" ends_with_vdb "$lab/said"
  is "$(private_directories)" "" "$what: and no directory is left of that"

  serve "$point" --writable
  holds "$what: an overlay shows the disk" reads_as "$lab/vda.raw" "$(uri 0)"
  holds "$what: and takes writes" qemu-io -f raw -c "write -P 0x77 2M 1M" -c flush "$(uri 0)"
  holds "$what: which are there for the next one" qemu-io -f raw -c "read -P 0x77 2M 1M" -c "read -P 0x21 3M 1M" "$(uri 0)"
  stop INT 0 "$what: Ctrl-C on an overlay"
  is "$(private_directories)" "" "$what: and the overlay is gone"
}

everywhere "image store"
holds "the point is as it was" diff -r "$lab/point-before" "$(point_dir "$point")"

serve "$point" --socket "$lab/so ck,et"
is "$(json_get "$served" '.disks[0].socket' '.disks[1].socket' | xargs -d '\n')" "$lab/so ck,et.vda $lab/so ck,et.vdb" "several disks have a socket each"
is "$(find "$lab/so ck,et.vda" "$lab/so ck,et.vdb" -type s ! -perm /0077 | wc -l)" 2 "which are the owner's"
holds "and are what the URI names" reads_as "$lab/vda.raw" "$(uri 0)"
first=$server first_uri=$(uri 0)
(
  serve "$point" --disk vda
  reads_as "$lab/vda.raw" "$(uri 0)" && kill "$server" && wait "$server"
) >/dev/null 2>&1
is "$?" 0 "a second export of the point goes on beside it"
keep --store "$store" --json export "$point" --socket "$lab/so ck,et"
exits 5 "a socket that exists is refused"
holds "and stays" reads_as "$lab/vda.raw" "$first_uri"
server=$first
stop TERM 0 "an export with sockets"
is "$(find "$lab" -maxdepth 1 -name 'so ck*'; private_directories)" "" "and they are gone"
echo precious >"$lab/file"
keep --store "$store" --json export "$point" --disk vda --socket "$lab/file"
exits 5 "a file that exists is no socket"
is "$(cat "$lab/file"; private_directories)" precious "and is not touched"

serve "$point"
kill -KILL "$server"
wait "$server" 2>/dev/null
holds "the doors end with a virt-keep that is killed" wait_for 20 doors_are_gone
is "$(private_directories | wc -l)" 1 "and leave the directory behind that the manual names"
private_directories | xargs rm -rf

serve "$point" --disk vda
for door in $doors; do
  kill -KILL "$door"
done
wait "$server"
is "$?" 9 "when a door is killed, the export fails"
is "$(private_directories)" "" "and leaves nothing"

"$VIRT_KEEP" --store "$store" export "$point" --disk vda -- sleep 1000 >/dev/null 2>&1 </dev/null &
server=$!
# A door and the program.
# shellcheck disable=SC2317,SC2046,SC2086  # called by wait_for; words
both_run ()
{
  doors=$(cat "/proc/$server"/task/*/children)
  [ "$(wc -w <<<"$doors")" = 2 ] && grep -qxF sleep $(printf "/proc/%s/comm " $doors)
}
wait_for 60 both_run
note_directories
stop TERM 143 "SIGTERM to an export with a program"
is "$(private_directories)" "" "and leaves nothing"
# As a terminal does it: to all of them.
env --default-signal=INT,QUIT setsid "$VIRT_KEEP" --store "$store" export "$point" --disk vda -- sleep 1000 >/dev/null 2>&1 </dev/null &
server=$!
wait_for 60 both_run
note_directories
kill -INT -- "-$server"
has_stopped 130 "Ctrl-C at an export with a program"
is "$(private_directories)" "" "and leaves nothing"
keep --store "$store" export "$point" -- "$lab/no such program"
exits 5 "a program that is not there is refused"
keep --store "$store" export "$point" -- sh -c 'kill -USR1 $$'
exits $((128 + 10)) "a program that is killed by a signal ends as a shell has it"
keep --store "$store" export -- "$point" -- printf '%s,' a -- --json
# shellcheck disable=SC2031  # not in the one above
is "$code $(cat "$out")" "0 a,--,--json," "what stands behind -- is the program's, dashes and all"
"$VIRT_KEEP" --store "$store" export "$point" >/dev/full 2>"$err" </dev/null
is "$? $(wc -l <"$err")" "1 1" "a result that cannot be written is said once, and ends it"
keep --store "$store" --json export "$point" --disk vdz
exits 3 "a disk that is not in the point is not found"

make_big_domain busy
keep --store "$store" backup busy
held_backup push busy
serve guest
holds "an export beside a running backup reads the disk" reads_as "$lab/vda.raw" "$(uri 0)"
stop TERM 0 "that export"
serve busy
like "$(json_get "$served" .point)" '^busy@' "the domain that is just backed up can be exported, too"
let_go busy
keep_ends 120
exits 0 "the backup is well"
stop TERM 0 "an export across the end of a backup of the domain"

# ---- the network -----------------------------------------------------------------

# certificate NAME DIRECTORY USE: signed by the authority.
certificate ()
{
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$2/$1-key.pem" -out "$lab/$1.csr" >"$lab/openssl" 2>&1
  openssl x509 -req -in "$lab/$1.csr" -CA "$lab/ca.pem" -CAkey "$lab/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost"; echo "extendedKeyUsage=$3"; echo "keyUsage=critical,digitalSignature,keyEncipherment") \
    -out "$2/$1-cert.pem" >>"$lab/openssl" 2>&1
  cp "$lab/ca.pem" "$2/ca-cert.pem"
}

mkdir "$lab/pki, server" "$lab/pki-client"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -addext keyUsage=critical,keyCertSign -keyout "$lab/ca.key" -out "$lab/ca.pem" >"$lab/openssl" 2>&1
certificate server "$lab/pki, server" serverAuth
certificate client "$lab/pki-client" clientAuth

# serve_on ARGUMENT...: on two free ports, from $port on.
serve_on ()
{
  local attempt
  for ((attempt = 0; attempt < 20; attempt++)); do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 30000))
    serve "$@" --port "$port"
    [ "$(json_get "$served" .ok)" != true ] || return
    wait "$server" 2>/dev/null
  done
  bail "no port is free: $(cat "$err")"
}

serve_on "$point"
is "$(uri 0) $(uri 1)" "nbd://127.0.0.1:$port nbd://127.0.0.1:$((port + 1))" "on TCP the disks have ports that follow each other"
holds "the first disk comes over TCP" reads_as "$lab/vda.raw" "$(uri 0)"
holds "and the second" reads_as "$lab/vdb.raw" "$(uri 1)"
keep --store "$store" --json export "$point" --port "$port"
exits 9 "a port that is taken is an error"
like "$(json .error.message)" "in use" "which says so"
stop TERM 0 "an export on TCP"
keep --store "$store" --json export "$point" --port 65535
exits 2 "there is no second port behind the last one"

serve_on "$point" --disk vda --tls --tls-creds "$lab/pki, server"
is "$(uri 0)" "nbds://127.0.0.1:$port" "with TLS the URI says so"
holds "a client with a certificate reads the disk" reads_as "$lab/vda.raw" "nbds://127.0.0.1:$port?tls-certificates=$lab/pki-client"
holds "qemu-img as well" qemu-img compare --object "tls-creds-x509,id=t,endpoint=client,dir=$lab/pki-client" --image-opts \
  driver=raw,file.driver=nbd,file.host=127.0.0.1,file.port="$port",file.tls-creds=t driver=raw,file.driver=file,file.filename="$lab/vda.raw"
mkdir "$lab/pki-nobody"
cp "$lab/ca.pem" "$lab/pki-nobody/ca-cert.pem"
is "$(nbdinfo --size "nbds://127.0.0.1:$port?tls-certificates=$lab/pki-nobody" 2>/dev/null)" "" "one without gets nothing"
is "$(nbdinfo --size "nbd://127.0.0.1:$port" 2>/dev/null)" "" "nor does one without TLS"
stop TERM 0 "an export with TLS"
keep --store "$store" --json export "$point" --port "$port" --tls --tls-creds "$lab"
exits 5 "a directory without certificates is refused"

# ---- restic ----------------------------------------------------------------------

if "$VIRT_KEEP" --store "restic:$lab/repository" --help >/dev/null && [ -e "${VIRT_KEEP_NBDKIT_PLUGIN:=$(dirname "$VIRT_KEEP")/view/nbdkit-virt-keep-plugin.so}" ] && command -v nbdkit >/dev/null; then
  export VIRT_KEEP_NBDKIT_PLUGIN RESTIC_PASSWORD="correct horse" XDG_CACHE_HOME=$lab/cache
  store=restic:$lab/repository
  keep --store "$store" init
  keep --store "$store" --json backup guest
  exits 0 "a backup into a restic store"
  point=$(json .point)
  everywhere "restic store"
  serve_on "$point" --disk vdb --tls --tls-creds "$lab/pki, server"
  holds "restic store: over TLS as well" reads_as "$lab/vdb.raw" "nbds://127.0.0.1:$port?tls-certificates=$lab/pki-client"
  stop TERM 0 "restic store: that export"
  is "$(find "$lab/repository/locks" -type f)" "" "no lock is left in the repository"
else
  skip "exports of a restic store" "it is not built, or nbdkit is not installed"
fi

done_testing

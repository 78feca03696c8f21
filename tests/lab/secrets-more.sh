#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a password in the URL of a repository, what a password command prints, the keys of S3 and that of an
# encrypted disk stand in no program's arguments, only in the environment of programs that log in with them or that
# the user names, and in nothing that is printed, reported, handed to hooks or written,
# not to systemd's journal and not when libraries tell all that they do.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"
. "$(dirname "$0")/boot-lib.sh"
. "$(dirname "$0")/secrets-lib.sh"
. "$(dirname "$0")/journal-lib.sh"
unset RESTIC_PASSWORD AWS_SESSION_TOKEN AWS_DEFAULT_REGION AWS_REGION AWS_PROFILE
export VIRT_KEEP_RETRY_SECONDS=1

printf '%s\n' "$canary" >"$lab/password"
mkdir "$lab/rest" "$lab/s3" "$lab/hooks" "$lab/said"
make_domain guest vda:qcow2:16M
guest_write guest vda 0x42 1M 1M
cat >"$lab/hooks/tell" <<END
#!/bin/bash
{ env; cat; } >>"$lab/said/hooks"
END
chmod 0755 "$lab/hooks/tell"
trace_programs
if start_journal; then journal=yes; else journal=no; fi

# serve PROGRAM DIRECTORY: $port is where it listens, $server its process.
serve ()
{
  perl "$lab_sources/../restic/$1" "$2" 0 >"$2.log" 2>&1 </dev/null &
  server=$!
  cleanup_fn kill "$server"
  wait_for 20 test -e "$2/port" || bail "$1 does not start: $(tail -n 1 "$2.log")"
  port=$(cat "$2/port")
}

# does CODE COMMAND...: what virt-keep prints is kept.
does ()
{
  local expected=$1
  shift
  keep "$@"
  exits "$expected" "$what: $*"
  cat "$out" "$err" >>"$lab/said/printed"
}

# talks CODE COMMAND...: the same with all that virt-keep's libraries can tell of what they do, which virt-keep
# has no option for.
talks ()
{
  local expected=$1
  shift
  G_MESSAGES_DEBUG=all LIBVIRT_DEBUG=1 LIBVIRT_LOG_OUTPUTS=1:stderr LIBNBD_DEBUG=1 keep "$@"
  exits "$expected" "$what: telling all: $*"
  holds "$what: and much is told" grep -qE 'libnbd: debug|virObject|GLib(-GIO)?-DEBUG' "$err"
  cat "$out" "$err" >>"$lab/said/printed"
}

# tells_journal CODE COMMAND...: the same under systemd.
tells_journal ()
{
  local expected=$1
  shift
  if [ $journal = no ]; then
    skip "$what: under systemd: $*" "no journal can be put into place"
    return
  fi
  logged "$@"
  is "$code" "$expected" "$what: under systemd: $*"
  holds "$what: and the journal has it" grep -q "VIRT_KEEP_EXIT_STATUS=$expected" "$lab/journal"
  cat "$lab/journal" >>"$lab/said/journal"
}

# written: the files, but those of the test itself, that have the canary.
written ()
{
  grep -rlF "$canary" "$lab" "$boots" 2>/dev/null | grep -vE "^$lab/(password|execs|trace\.[^/]*)\$"
}

# kept_in PROGRAM...: it is nowhere but in the environment of these.
kept_in ()
{
  take_traces
  holds "$what: what is started is seen" test -s "$lab/execs"
  is "$(in_arguments)" "" "$what: it is in no arguments"
  is "$(in_environment "${real##*/}" "$@")" "" "$what: and in no environment but that of ${*:-nobody}"
  rm "$lab/execs"
  is "$(written)" "" "$what: it is not printed, not handed to hooks, and lies in no file"
}

# ---- a password in a URL, and a command that prints one ----------------------------------

what="a URL and a command"
serve rest-server.pl "$lab/rest"
export VIRT_KEEP_STORE=restic:rest:http://keeper:$canary@127.0.0.1:$port/repo/ RESTIC_PASSWORD_COMMAND="cat $lab/password"
does 0 --json init
does 0 --json backup guest --hook-dir "$lab/hooks" --metrics "$lab/said/virt-keep.prom"
does 0 backup --all --jobs 2 --progress json
does 0 --json doctor guest
does 0 report --html "$lab/said/report.html"
does 0 --json verify guest --data
does 0 --json restore guest --to "$lab/restored"
talks 0 --json backup guest
is "$(json .ok)" true "$what: which does not get between its JSON"
talks 0 restore guest --to "$lab/restored-talking"
tells_journal 0 backup guest
tells_journal 0 verify guest --data
holds "$what: hooks have told" grep -q "^PATH=" "$lab/said/hooks"
# A door stays, and strace with it.
VIRT_KEEP=$real does 0 --json boot guest
booted=$(json .domain.name)
cleanup_fn virsh -q destroy "$booted"
is "$(written)" "" "$what: what is written down of a boot does not have it"
VIRT_KEEP=$real does 0 boot --discard "$booted"
does 0 --json prune guest --keep-last 1
kill "$server"
wait "$server" 2>/dev/null
keep --json backup guest
holds "$what: without its server a backup fails" test "$code" != 0
like "$(json .error.message)" "http://127\.0\.0\.1:$port/repo" "$what: and names it"
cat "$out" "$err" >>"$lab/said/printed"
keep list
cat "$out" "$err" >>"$lab/said/printed"
holds "$what: for people, too" grep -q "http://127\.0\.0\.1:$port/repo" "$err"
tells_journal "$code" backup guest
talks "$code" backup guest
kept_in restic nbdkit cat
unset VIRT_KEEP_STORE

# ---- keys of S3 ---------------------------------------------------------------------------

what="keys of S3"
export RESTIC_PASSWORD_COMMAND="echo secret" AWS_ACCESS_KEY_ID=TESTKEY AWS_SECRET_ACCESS_KEY=$canary
S3_SECRET=$canary serve s3-server.pl "$lab/s3"
export VIRT_KEEP_STORE=restic:s3:http://127.0.0.1:$port/backups/hosts
does 0 --json init
does 0 --json backup guest --hook-dir "$lab/hooks"
does 0 --json verify guest --data
does 0 --json restore guest --to "$lab/from-s3"
talks 0 backup guest
tells_journal 0 backup guest
kill "$server"
wait "$server" 2>/dev/null
keep backup guest
tells_journal "$code" backup guest
talks "$code" backup guest
kept_in nbdkit echo
unset VIRT_KEEP_STORE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

# ---- the key of an encrypted disk -----------------------------------------------------------

what="the key of a disk"
virsh -q destroy guest
image=${disk_file[guest:vda]}
printf '%s' "$canary" >"$lab/password"
made=no
for _ in {1..10}; do
  qemu-img create -q --object "secret,id=s,file=$lab/password" -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$image" 16M 2>/dev/null && made=yes && break
done
if [ $made = no ]; then
  skip "$what" "qemu-img makes no LUKS image here"
  done_testing
fi
printf "<secret ephemeral='no' private='no'><usage type='volume'><volume>%s</volume></usage></secret>" "$image" >"$lab/secret.xml"
virsh -q secret-define "$lab/secret.xml" >/dev/null || bail "no secret"
secret=$(virsh -q secret-list | awk -v image="$image" '$3 == image { print $1 }')
cleanup_fn virsh -q secret-undefine "$secret"
virsh -q secret-set-value "$secret" --file "$lab/password" --plain >/dev/null
virsh checkpoint-list guest --name | grep . | xargs -rn 1 virsh -q checkpoint-delete guest --metadata
virsh dumpxml --inactive guest | sed "s|<source file=\(.*\)/>|<source file=\1><encryption format='luks'><secret type='passphrase' usage='$image'/></encryption></source>|" >"$lab/guest.xml"
virsh -q define "$lab/guest.xml"
virsh -q start guest || bail "the domain with an encrypted disk does not start"
guest_write guest vda 0x42 1M 4M
store=$lab/images
for arguments in "" "--mode pull --max-chain 1 --synthetic-full"; do
  # shellcheck disable=SC2086  # words
  does 0 --store "$store" --json backup guest $arguments --hook-dir "$lab/hooks"
done
is "$(json .level) $(json .synthetic)" "full true" "$what: the last one is a synthetic full"
like "$(qemu-img info "$(point_dir "$(json .point)")/vda.qcow2")" "encrypted: yes" "$what: whose image is encrypted"
does 0 --store "$store" --json verify guest --data
does 0 --store "$store" --json restore guest --to "$lab/luks"
talks 0 --store "$store" backup guest --mode pull --level full
talks 0 --store "$store" restore guest --to "$lab/luks-talking"
tells_journal 0 --store "$store" backup guest --mode pull --max-chain 1 --synthetic-full
kept_in

done_testing

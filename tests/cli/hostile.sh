#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a store is data from anybody. Whatever stands in it, nothing outside of it is read
# or written, nothing waits for ever, no terminal is made to do anything, and every refusal
# is a sentence.
# shellcheck disable=SC2317  # called by bad
. "$(dirname "$0")/lib.sh"

for program in qemu-img strace; do
  command -v $program >/dev/null || skip_all "$program is not installed"
done

store=$scratch/store
uuid=b0a7b4a6-6f5c-4f0e-9d9b-1f0d3c2a5e77
id=20261123T181400Z
domain=$store/web.$uuid
point=$domain/$id
outside=$scratch/outside
canary=$outside/canary
mkdir "$outside"
head -c 1M /dev/zero | tr '\0' 'S' >"$canary"
before=$(find "$outside" -printf '%p %s %m %T@\n' | sort; sha256sum "$canary")

# manifest [MEMBERS [IMAGE]]: of the point, with a disk in IMAGE.
manifest ()
{
  local image=${2:-vda.qcow2} size=0 sha=
  [ ! -f "$point/$image" ] || { size=$(stat -Lc %s "$point/$image"); sha=$(sha256sum <"$point/$image" | cut -d' ' -f1); }
  printf '{"format":"virt-keep manifest","version":1,"id":"%s","store":"0123abcd","domain":{"name":"web","uuid":"%s"},"times":{"instant":"2026-11-23T18:14:00.000000Z"},"mode":"push","level":"full","versions":{},"disks":[{"target":"vda","type":"file","format":"qcow2","virtual_size":1048576,"level":"full","image":"%s","size":%s,"sha256":"%s"}]%s}\n' \
    "$id" "$uuid" "$image" "$size" "${sha:-$(printf 'a%.0s' {1..64})}" "${1:-}"
}

fresh ()
{
  rm -rf "$store" "$scratch/to"
  mkdir -p "$point"
  echo '{"format":"virt-keep image store","version":1,"id":"0123abcd"}' >"$store/virt-keep-store.json"
  qemu-img create -q -f qcow2 "$point/vda.qcow2" 1M
  manifest >"$point/manifest.json"
}

# traced ARGUMENT...: as keep, with every file that is opened, by children too, in $scratch/trace.
# LeakSanitizer cannot look at a process that is traced already.
traced ()
{
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 timeout 60 strace -f -qq -e trace=open,openat,openat2 -o "$scratch/trace" "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# is_refused WHAT [WORDS]: nothing restores, the sentence has WORDS, and the canary has not
# been opened.
is_refused ()
{
  local said='' opened=''
  traced --store "$store" list
  said=$(cat "$out" "$err")
  for command in "show web@$id" "verify" "restore web --to $scratch/to"; do
    # shellcheck disable=SC2086  # words
    traced --store "$store" $command
    [ $code != 124 ] || not_ok "$1: $command ends"
    said+=$(cat "$out" "$err")
    opened+=$(grep -F "$outside" "$scratch/trace" | grep -v ENOENT)
  done
  [ $code = 0 ] || [ $code = 124 ] && not_ok "$1: restore is refused, not $code"
  holds "$1: nothing is restored" test ! -e "$scratch/to/vda.qcow2"
  is "$opened" "" "$1: nothing outside is opened"
  like "$said" "${2:-damaged}" "$1: it is said why"
  unlike "$said" "SSSS" "$1: no content of it is shown"
}

fresh
traced --store "$store" restore web --to "$scratch/to"
exits 0 "a point as it should be is restored"
holds "its image is seen to be opened" grep -qF "$point/vda.qcow2" "$scratch/trace"

# ---- images that lead elsewhere ----------------------------------------------------

fresh
qemu-img create -q -u -f qcow2 -F raw -b "$canary" "$point/vda.qcow2" 1M
manifest >"$point/manifest.json"
is_refused "a backing file outside" "has the backing file"

fresh
qemu-img create -q -u -f qcow2 -F raw -b "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"$canary\"}}" "$point/vda.qcow2" 1M
manifest >"$point/manifest.json"
is_refused "a backing file in QEMU's JSON" "has the backing file"

fresh
qemu-img create -q -u -f qcow2 -F qcow2 -b vda.qcow2 "$point/vda.qcow2" 1M
manifest >"$point/manifest.json"
is_refused "an image that builds on itself" "has the backing file"

fresh
qemu-img create -q -f qcow2 -o "data_file=$outside/data,data_file_raw=on" "$point/vda.qcow2" 1M
rm "$outside/data"
ln "$canary" "$outside/data"
manifest >"$point/manifest.json"
is_refused "a data file outside" "data in another file"
rm "$outside/data"
before=$(find "$outside" -printf '%p %s %m %T@\n' | sort; sha256sum "$canary")

fresh
cp "$canary" "$point/vda.qcow2"
manifest >"$point/manifest.json"
is_refused "an image of another format" "not a qcow2 image"

# ---- links, and what is no file ------------------------------------------------------

cp -r "$store" "$outside/store"
before=$(find "$outside" -printf '%p %s %m %T@\n' | sort; sha256sum "$canary")
for what in manifest.json vda.qcow2; do
  fresh
  rm "$point/$what"
  ln -s "$outside/store/web.$uuid/$id/$what" "$point/$what"
  is_refused "$what is a link"
  fresh
  rm "$point/$what"
  mkfifo "$point/$what"
  is_refused "$what is a fifo"
  rm "$point/$what"
  mkdir "$point/$what"
  is_refused "$what is a directory"
done
fresh
rm -r "$point"
ln -s "$outside/store/web.$uuid/$id" "$point"
is_refused "the point is a link" "no restore point"
fresh
rm -r "$domain"
ln -s "$outside/store/web.$uuid" "$domain"
is_refused "the domain's directory is a link" "no restore point"
fresh
mkfifo "$point/annotations.json"
keep --store "$store" protect "web@$id"
exits 0 "annotations that are a fifo are not waited for"
holds "but replaced" test -f "$point/annotations.json"
fresh
ln -s "$outside/lock" "$domain/lock"
keep --store "$store" forget "web@$id"
holds "a lock that is a link is not followed" test ! -e "$outside/lock"
fresh
rm "$store/virt-keep-store.json"
mkfifo "$store/virt-keep-store.json"
is_refused "the store's description is a fifo" "not a regular file"

# ---- manifests ----------------------------------------------------------------------

# bad WHAT WORDS COMMAND...: the manifest that COMMAND writes is refused.
bad ()
{
  local what=$1 words=$2
  shift 2
  fresh
  "$@" >"$scratch/bad"
  mv "$scratch/bad" "$point/manifest.json"
  is_refused "$what" "$words"
}
in_utf16 () { manifest | perl -MEncode -pe '$_ = encode ("UTF-16", $_)'; }
not_utf8 () { manifest ',"host":"X"' | tr X '\377'; }
with_nul () { manifest; printf '\0{}'; }
deep () { manifest ",\"x\":$(printf '[%.0s' {1..200})$(printf ']%.0s' {1..200})"; }
long () { head -c 17M /dev/zero | tr '\0' ' '; }

bad "a manifest in UTF-16" "NUL byte" in_utf16
bad "one that is not UTF-8" "not UTF-8" not_utf8
bad "one with a NUL" "NUL byte" with_nul
bad "a deep one" "levels deep" deep
bad "one with a member twice" "twice" manifest ',"mode":"pull"'
bad "one of 17 MiB" "larger than" long
bad "one with an image outside" "not a plain file name" manifest "" ../../../outside/canary
bad "one with an absolute image" "not a plain file name" manifest "" "$canary"

# ---- words ---------------------------------------------------------------------------

fresh
manifest ',"host":"\u001b]0;owned\u0007\u009b2J\nForged      line","warnings":["\u001b[31m"],"reason":"\u202egpj"' >"$point/manifest.json"
for command in list "show web@$id"; do
  # shellcheck disable=SC2086  # words
  keep --store "$store" $command
  exits 0 "$command: odd words are shown"
  is "$(LC_ALL=C grep -c -aP '\x1b|\x07|\xc2\x9b|\xe2\x80\xae|^Forged' "$out")" 0 "$command: as nothing that a terminal obeys, nor as a line of their own"
done
keep --store "$store" show $'no\033[2Jpoint'
is "$(LC_ALL=C grep -c -a $'\033' "$err")" 0 "nor are they obeyed in a message"

is "$(find "$outside" -printf '%p %s %m %T@\n' | sort; sha256sum "$canary")" "$before" "nothing outside was changed"
done_testing

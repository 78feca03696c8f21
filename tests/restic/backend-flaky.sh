#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever a server or the network does to an upload or a download, it ends
# in success or in a sentence, soon, and nothing is left that is not whole.
# shellcheck source-path=SCRIPTDIR source=server-lib.sh
. "$(dirname "$0")/server-lib.sh"

# S3 is asked with PUT, REST with POST; both servers stay for the whole test.
S3_PAGE=5 serve s3-server.pl s3
s3_state=$state s3_url=s3:http://127.0.0.1:$port/bucket
serve rest-server.pl rest
rest_state=$state rest_url=rest:http://127.0.0.1:$port/repo

use ()
{
  kind=$1
  if [ "$1" = s3 ]; then
    url=$s3_url state=$s3_state root=$s3_state/buckets/bucket put=PUT
  else
    url=$rest_url state=$rest_state root=$rest_state/repo put=POST
  fi
}

# The files that the server has, whole or not.
stored ()
{
  find "$root" -type f | sort
}

# stored_whole: every file there has the SHA-256 that is its name.
# shellcheck disable=SC2317  # called by holds
stored_whole ()
{
  local file
  while read -r file; do
    [ "$(sha256sum <"$file")" = "$(basename "$file")  -" ] || { echo "$file"; return 1; }
  done < <(find "$root" -type f ! -name config)
}

# saves WHAT: the upload of $scratch/file with the faults that are set works.
saves ()
{
  exercise save data "$scratch/file"
  exits 0 "$kind: an upload survives $1"
  is "$(faults_left)" "" "$kind: which has happened"
  holds "$kind: and all that is stored is whole" stored_whole
  holds "$kind: the file is among it" test -n "$(find "$root" -name "$sum")"
  exercise remove data "$sum"
}

# fails WHAT WORDS: it does not, is over soon, says WORDS, and leaves nothing.
fails ()
{
  before=$(stored)
  seconds exercise save data "$scratch/file"
  exits 9 "$kind: $1 ends in a failure"
  like "$(cat "$err")" "$url: .*data/$sum.*$2" "$kind: with a sentence about it"
  is "$(wc -l <"$err")" 1 "$kind: of one line"
  : >"$state/fault"
  is "$(stored)" "$before" "$kind: and nothing of it is left"
}

# The one mostly waits, and so does the other: both at once, each with files of its own.
all_of ()
{
  use "$1"
  mkdir "$scratch/$1.files"
  scratch=$scratch/$1.files
  out=$scratch/stdout err=$scratch/stderr
  exercise create
  make_file file 3000000

  # ---- what passes -------------------------------------------------------------
  faults "$put data 1 status 500"; saves "status 500"
  faults "$put data 2 status 503"; saves "status 503, twice"
  faults "$put data 1 status 408" "$put data 1 status 429"; saves "statuses 408 and 429"
  faults "HEAD data 1 status 502"; saves "a gateway that fails"
  faults "$put data 1 wait 2"; seconds saves "a server that asks for patience"
  holds "$kind: which it is given" awk -v took="$took" 'BEGIN { exit !(took >= 2) }'
  faults "$put data 2 reset"; saves "connections that are reset in mid-upload"
  faults "$put data 1 early 503"; saves "a server that hangs up before the upload"
  faults "$put data 1 lost"; saves "a lost answer"
  faults "$put data 1 stall 5"; saves "a server that stalls"
  faults "$put data 1 half"; saves "a server that stores the half of it"
  [ "$kind" = rest ] || { faults "$put data 1 wrong"; saves "a server that stores other bytes"; }

  # ---- what does not -----------------------------------------------------------
  export VIRT_KEEP_RETRY_SECONDS=4
  faults "$put data 999 status 503"; fails "a server that is never ready" "status 503.*attempts in [0-9]+ seconds"
  holds "$kind: in bounded time" awk -v took="$took" 'BEGIN { exit !(took < 10) }'
  faults "$put data 1 status 507"; fails "a full disk" "the server has no space left"
  faults "$put data 1 early 413"; fails "a file that is too large" "does not take files of that size"
  faults "$put data 999 reset"; fails "a connection that is always reset" "attempts in [0-9]+ seconds"
  faults "$put data 999 half"; fails "a server that always stores the half of it" "uploaded 3 times.*not what was sent"
  faults "$put data 1 endless"; fails "an endless answer" "sends more than"
  faults "* data 999 stall 60"
  seconds fails "a server that says nothing" "too slow|timed out|Timeout|time"
  holds "$kind: in bounded time" awk -v took="$took" 'BEGIN { exit !(took < 60) }'
  export VIRT_KEEP_RETRY_SECONDS=20

  # ---- small files are read back -----------------------------------------------
  make_file small 300
  faults "$put snapshots 1 wrong"
  exercise save snapshot "$scratch/small"
  exits 0 "$kind: a snapshot that is stored wrongly is stored again"
  holds "$kind: and is whole" stored_whole
  exercise remove snapshot "$sum"
  faults "$put snapshots 99 wrong"
  exercise save snapshot "$scratch/small"
  exits 9 "$kind: unless it is stored wrongly each time"
  is "$(find "$root/snapshots" -type f)" "" "$kind: and nothing is left then"

  # ---- config ------------------------------------------------------------------
  VIRT_KEEP_RETRY_SECONDS=2
  faults "$put config 99 reset"
  exercise save config "$scratch/small"
  exits 9 "$kind: config does not get through a connection that always breaks"
  holds "$kind: and no part of it is there" test ! -e "$root/config"
  VIRT_KEEP_RETRY_SECONDS=20
  faults "$put config 2 status 500" "$put config 1 reset"
  exercise save config "$scratch/small"
  exits 0 "$kind: but through one that recovers"
  holds "$kind: whole" cmp "$scratch/small" "$root/config"
  exercise save config "$scratch/small"
  exits 5 "$kind: and not twice"

  # ---- downloads -----------------------------------------------------------------
  make_file file 3000000
  : >"$state/fault"
  exercise save data "$scratch/file"
  for fault in "status 500" "truncate 0" "stall 5" "reset 0" "trickle 0"; do
    faults "GET data 1 $fault"
    exercise load data "$sum"
    exits 0 "$kind: a download survives $fault"
    is "$(faults_left)" "" "$kind: which has happened"
    holds "$kind: whole" cmp "$scratch/file" "$out"
    faults "GET data 1 $fault"
    exercise load data "$sum" 1000 100000
    is "$(faults_left)" "" "$kind: and a second time"
    holds "$kind: and a part is whole, too" cmp <(tail -c +1001 "$scratch/file" | head -c 100000) "$out"
  done
  VIRT_KEEP_RETRY_SECONDS=3
  faults "GET data 99 truncate"
  exercise load data "$sum" 1000 100000
  exits 9 "$kind: not a connection that is always cut off"
  is "$(wc -c <"$out")" 0 "$kind: of which no byte is given out"
  faults "GET data 1 endless"
  exercise load data "$sum" 1000 100000
  exits 9 "$kind: nor an answer without end"
  VIRT_KEEP_RETRY_SECONDS=20
  for fault in "status 503" "truncate 0"; do
    faults "GET /data/[?]\$|prefix= 1 $fault"
    exercise list data
    exits 0 "$kind: a list survives $fault"
    is "$(faults_left)" "" "$kind: which has happened"
    is "$(awk -v sum="$sum" '$1 == sum { print $2 }' "$out")" 3000000 "$kind: whole"
  done
  : >"$state/fault"
  exercise remove data "$sum"

  # ---- cancelling -----------------------------------------------------------------
  for fault in "stall 30" "status 503" "wait 10"; do
    faults "$put data 999 $fault"
    before=$(stored)
    EXERCISER_CANCEL_MS=700 seconds exercise save data "$scratch/file"
    exits 120 "$kind: an upload is cancelled during $fault"
    holds "$kind: at once" awk -v took="$took" 'BEGIN { exit !(took < 3) }'
    is "$(stored)" "$before" "$kind: and leaves nothing"
  done
  faults "GET data 999 stall 30"
  EXERCISER_CANCEL_MS=300 seconds exercise load data "$sum"
  holds "$kind: so is a download" awk -v took="$took" 'BEGIN { exit !(took < 3) }'
  : >"$state/fault"
}

halves=()
for kind in s3 rest; do
  (trap - EXIT; all_of $kind; echo "# all of $kind") >"$scratch/$kind.results" &
  halves+=($!)
done
wait "${halves[@]}"
for kind in s3 rest; do
  repeat_results "$scratch/$kind.results"
  is "$(tail -n 1 "$scratch/$kind.results")" "# all of $kind" "$kind: everything was tried"
done

done_testing

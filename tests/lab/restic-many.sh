#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: several domains go with one command into several repositories, each with the password
# that belongs to it, wherever that comes from.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restic-lib.sh"

unset RESTIC_PASSWORD
make_domain web vda:qcow2:8M
make_domain db vda:qcow2:8M
for name in one two same; do
  echo "password of $name" >"$lab/password-$name"
done
cat >"$lab/config" <<CONF
[virt-keep]
password-file=$lab/password-two
[store one]
url=restic:$lab/one
password-file=$lab/password-one
[store two]
url=restic:$lab/two
[store same]
url=restic:$lab/same
password-file=$lab/password-one
CONF
cat >"$lab/bare" <<CONF
[store one]
url=restic:$lab/one
[store two]
url=restic:$lab/two
[store same]
url=restic:$lab/same
CONF
for name in one two same; do
  keep --config "$lab/config" --store "$name" init
  exits 0 "the repository $name is made"
done
keep --config "$lab/config" policy set web store=one
keep --config "$lab/config" policy set db store=two

# count NAME: how many points are in its repository.
count ()
{
  local list=$lab/list.json
  "$VIRT_KEEP" --config "$lab/config" --store "$1" --json list >"$list" 2>/dev/null </dev/null
  json_get "$list" .points.length
}

keep --config "$lab/config" backup --all --jobs 2
exits 0 "each store of a policy is opened with its own password, or with the general one where it has none"
is "$(count one)$(count two)" 11 "and each has its domain"
keep --config "$lab/config" backup web
exits 0 "so it is with one domain"

# The commands that follow find no password in a file.
# typed COMMAND: with a terminal on which somebody answers each question by what the repository
# in it is.
typed ()
{
  mkfifo "$lab/keys"
  script -qefc "$1" /dev/null <"$lab/keys" >"$lab/screen" 2>&1 &
  exec 9>"$lab/keys"
  local asked=0 name
  until [ "$asked" = 2 ]; do
    wait_for 60 eval "[ \$(grep -o 'Password for the repository [^ ]*:' '$lab/screen' | wc -l) -gt $asked ]" || break
    asked=$((asked + 1))
    name=$(grep -o 'Password for the repository [^ ]*:' "$lab/screen" | sed -n "$asked s/.*\/\(.*\):/\1/p")
    echo "password of $name" >&9
  done
  wait $!
  code=$?
  exec 9>&-
  rm "$lab/keys"
}
typed "$VIRT_KEEP --config $lab/bare backup --all --order oldest --progress none"
cp "$lab/screen" "$out"
exits 0 "passwords that are typed are asked for once for each repository"
is "$(grep -o 'Password for the repository' "$lab/screen" | wc -l) $(count one)$(count two)" "2 32" "and not more often"

keep --config "$lab/bare" policy set db store=same
"$VIRT_KEEP" --config "$lab/bare" --json backup --all --password-file - <"$lab/password-one" >"$out" 2>"$err"
code=$?
exits 0 "what standard input gives is the password of all repositories"
is "$(count one)$(count same)" 41 "which have the points"
keep --config "$lab/bare" policy set db store=two
"$VIRT_KEEP" --config "$lab/bare" --json backup --all --password-file - <"$lab/password-one" >"$out" 2>"$err"
code=$?
exits 17 "of those that have another one, a domain fails alone"
is "$(json '.results[0].name') $(json '.results[0].ok') $(json '.results[1].ok')" "db false true" "and the others do not"
done_testing

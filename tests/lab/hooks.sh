#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: programs of the user's run around the instant of a backup, in order, told what it
# is about and no secrets; when they fail or hang, or kill virt-keep while the guest is frozen, no guest
# stays frozen, and doctor knows of one that does.
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

hooks=$lab/hooks
mkdir -m 0755 "$hooks"

freeze_status ()
{
  virsh qemu-agent-command "$1" '{"execute":"guest-fsfreeze-status"}' 2>/dev/null | sed 's/.*"return":"\([a-z]*\)".*/\1/'
}

# hook NAME: its lines come from standard input.
hook ()
{
  { echo '#!/bin/bash'; cat; } >"$hooks/$1"
  chmod 0755 "$hooks/$1"
}

phases ()
{
  cut -d' ' -f2 "$lab/told" 2>/dev/null | xargs
}

backup ()
{
  rm -f "$lab/told"
  keep --store "$store" --json backup web --hook-dir "$hooks" "$@"
}

make_guest web
make_domain bare vda:qcow2:16M
guest_says web "GUEST: READY"
guest_agent web
# shellcheck disable=SC2034  # no_trace compares with it
own_nodes[web]=$(block_nodes web)

# ---- order, input, environment -------------------------------------------------------

hook 10-tell <<END
read -r line
echo "10 \$1" >>"$lab/told"
echo "\$line" >"$lab/input.\$1"
env >"$lab/environment"
END
hook 20-tell <<END
echo "20 \$1" >>"$lab/told"
[ "\$1" != frozen ] || virsh qemu-agent-command web '{"execute":"guest-fsfreeze-status"}' >"$lab/then"
END
hook 30-tell~ <<<"echo wrong >>'$lab/told'"
hook .hidden <<<"echo wrong >>'$lab/told'"
hook plain <<<"echo wrong >>'$lab/told'"
chmod 0644 "$hooks/plain"

export RESTIC_PASSWORD=swordfish AWS_SECRET_ACCESS_KEY=swordfish
backup --quiesce require
exits 0 "a backup with hooks succeeds"
is "$(xargs <"$lab/told")" "10 pre-freeze 20 pre-freeze 10 frozen 20 frozen 10 thawed 20 thawed 10 done 20 done" "they run in each phase in the order of their names, and what is no hook does not"
like "$(cat "$lab/then")" frozen "in the phase frozen the guest is"
is "$(freeze_status web)" thawed "and afterwards it is not"
is "$(json_get "$lab/input.done" .phase)/$(json_get "$lab/input.done" .domain.name)/web@$(json_get "$lab/input.done" .id)" "done/web/$(json .point)" "they are told phase, domain and restore point"
is "$(json_get "$lab/input.done" .mode)/$(json_get "$lab/input.done" .level)/$(json_get "$lab/input.done" .quiesce.frozen)" push/full/true "and how the backup is made"
unlike "$(cat "$lab/environment")" swordfish "their environment has no secrets"
like "$(cat "$lab/environment")" "^PATH=|"$'\n'"PATH=" "but what programs need"
unset RESTIC_PASSWORD AWS_SECRET_ACCESS_KEY

keep --store "$store" --json backup bare --hook-dir "$hooks"
is "$code/$(tail -n 1 "$lab/told")" "0/20 done" "a guest that is not frozen has hooks, too"
virsh -q destroy bare
rm "$lab/told"
keep --store "$store" --json backup bare --hook-dir "$hooks"
is "$code/$(phases)" "0/pre-freeze pre-freeze thawed thawed done done" "and so has a domain that is shut off, without the phase frozen"
rm "$hooks/20-tell"

# ---- hooks that fail -------------------------------------------------------------------

remember web
for phase in pre-freeze frozen; do
  hook 50-fail <<<"[ \"\$1\" != $phase ] || exit 3"
  backup
  exits 16 "when a hook fails in the phase $phase, so does the backup"
  is "$(json .error.class)" hook "its class says it"
  like "$(json .error.message)" "50-fail.* $phase.* 3" "and its sentence which, when and how"
  is "$(json_get "$lab/input.failed" .error.class)" hook "the phase failed is told the reason"
  is "$(freeze_status web)" thawed "the guest is thawed"
  no_trace web "$phase:"
done
is "$(phases)" "pre-freeze frozen thawed failed" "what was prepared before the freeze is taken back in the phase thawed"
for phase in thawed 'done'; do
  hook 50-fail <<<"[ \"\$1\" != $phase ] || exit 3"
  backup
  is "$code/$(json .warnings.length)" 0/1 "a hook that fails in the phase $phase is a warning"
done

# ---- hooks that hang ---------------------------------------------------------------------

remember web
hook 50-fail <<END
[ "\$1" != pre-freeze ] || { sleep 1000 & echo \$! >"$lab/sleeper"; wait; }
END
backup --hook-timeout 1s
exits 16 "a hook that hangs is ended"
like "$(json .error.message)" hook-timeout "the sentence names its limit"
# shellcheck disable=SC2317  # called by wait_for
sleeper_is_gone () { ! kill -0 "$(cat "$lab/sleeper")" 2>/dev/null; }
holds "with what it has started" wait_for 10 sleeper_is_gone
hook 50-fail <<<'[ "$1" != frozen ] || sleep 1000'
backup --freeze-limit 1s
exits 16 "while the guest is frozen that is when the limit of the freeze is reached"
like "$(json .error.message)" freeze-limit "which the sentence names"
is "$(freeze_status web)" thawed "and the guest is thawed"
no_trace web "hanging:"

# ---- killed while the guest is frozen -------------------------------------------------------

hook 50-fail <<'END'
[ "$1" != frozen ] || kill -KILL $PPID
END
backup
exits 137 "virt-keep is killed while the guest is frozen"
# shellcheck disable=SC2317  # called by wait_for
is_thawed () { [ "$(freeze_status web)" = thawed ]; }
holds "its guard thaws the guest" wait_for 60 is_thawed
# shellcheck disable=SC2317  # called by wait_for
no_note () { [ -z "$(find "$VIRT_KEEP_STATE_DIR/frozen" -type f)" ]; }
holds "and removes the note that it was frozen" wait_for 10 no_note
rm "$hooks/50-fail"

# killed_frozen: virt-keep is killed with its guard while the guest is frozen.
killed_frozen ()
{
  local guards
  rm -f "$lab/holding" "$lab/release"
  hook 50-hold <<END
[ "\$1" != frozen ] || { touch "$lab/holding"; until [ -e "$lab/release" ]; do sleep 0.05; done; }
END
  keep_in_background --store "$store" --json backup web --hook-dir "$hooks" --freeze-limit 10m --hook-timeout 10m
  wait_for 60 test -e "$lab/holding" || bail "the hook does not run"
  mapfile -t guards < <(guard_pids)
  [ ${#guards[@]} -gt 0 ] || bail "nobody guards the backup"
  kill -KILL "${guards[@]}" "$keeper"
  wait "$keeper" 2>/dev/null
  touch "$lab/release"
  rm "$hooks/50-hold"
  is "$(freeze_status web)" frozen "virt-keep is killed with its guard: the guest stays frozen"
}

killed_frozen
is "$(find "$VIRT_KEEP_STATE_DIR/frozen" -name '*.json' | wc -l)" 1 "that it is frozen is written down"
keep --store "$lab/another" --json backup web --quiesce require
exits 0 "the next backup, into whatever store, succeeds"
is "$(json .quiesce.frozen)" true "with a freeze of its own"
like "$(cat "$err")" 'still frozen.*were thawed' "and says that it has thawed the guest"
is "$(freeze_status web)" thawed "the guest is thawed"
is "$(find "$VIRT_KEEP_STATE_DIR/frozen" -type f)" "" "and the note is gone"

# ---- what doctor does about it ---------------------------------------------------------------

killed_frozen
keep --json doctor web
exits 12 "doctor finds a guest that was left frozen, without a store"
is "$(grep -c '"check" *: *"frozen"' "$out")" 1 "which is one finding"
like "$(cat "$out")" 'a backup that is gone has frozen its file systems' "it says who has done it"
is "$(freeze_status web)" frozen "and changes nothing"
keep --json doctor web --fix
exits 0 "doctor --fix mends it"
is "$(freeze_status web)" thawed "the guest is thawed"
is "$(find "$VIRT_KEEP_STATE_DIR/frozen" -type f)" "" "and the note is gone"
keep --json doctor web
exits 0 "then nothing is wrong"

# ---- one that is at work ---------------------------------------------------------------------

rm -f "$lab/holding" "$lab/release"
hook 50-hold <<END
[ "\$1" != frozen ] || { touch "$lab/holding"; until [ -e "$lab/release" ]; do sleep 0.05; done; }
END
keep_in_background --store "$store" --json backup web --hook-dir "$hooks" --freeze-limit 10m --hook-timeout 10m
wait_for 60 test -e "$lab/holding" || bail "the hook does not run"
"$VIRT_KEEP" --store "$lab/another" --json backup web >"$lab/other" 2>&1
is "$(freeze_status web)" frozen "another backup does not thaw what one that is at work has frozen"
touch "$lab/release"
keep_ends 120
is "$code/$(json .quiesce.frozen)" 0/true "which then ends well"
rm "$hooks/50-hold"

# ---- hooks of others ---------------------------------------------------------------------------

chmod 0775 "$hooks"
backup
exits 5 "a directory that others can write to is refused"
chmod 0755 "$hooks"
chmod o+w "$hooks/10-tell"
backup
exits 5 "and so is a hook"
like "$(json .error.message)" "10-tell.*chmod" "the sentence says what to do"
backup --hook-dir "$lab/nowhere"
exits 5 "and a directory that is not there"

done_testing

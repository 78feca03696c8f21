#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the configuration files stand in the place of options that were not given, the
# more special section before the more general one, and what is not understood in them is
# refused before anything is done.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

config=$scratch/config
export HOME=$scratch/home XDG_CONFIG_HOME=$scratch/home/.config
mkdir -p "$XDG_CONFIG_HOME/virt-keep"

# write_config LINE...
write_config ()
{
  printf '%s\n' "$@" >"$config"
}

# store_asked ARGUMENT...: which store list looks into, as its failure says.
store_asked ()
{
  keep "$@"
  sed -n "s/.*'\($(sed 's/[/.]/\\&/g' <<<"$scratch")[^']*\)'.*/\1/p" "$err" | head -n 1
}

# says TEXT CLAIM: the last virt-keep's one sentence has TEXT in it.
says ()
{
  holds "$2" grep -qF -- "$1" "$err"
}

# ---- which value counts ----------------------------------------------------------

write_config "[virt-keep]" "store=$scratch/all" "[list]" "store=$scratch/command" \
             "[domain web-*]" "store=$scratch/pattern" "[domain web-1]" "store=$scratch/exact" \
             "[show web-1]" "store=$scratch/special" "[store named]" "url=$scratch/named"
is "$(store_asked --config "$config" show other)" "$scratch/all" "[virt-keep] holds for each command"
is "$(store_asked --config "$config" list)" "$scratch/command" "[COMMAND] counts before it"
is "$(store_asked --config "$config" list web-2)" "$scratch/pattern" "[domain PATTERN] counts before that"
is "$(store_asked --config "$config" list web-1)" "$scratch/exact" "just the name before a pattern that matches"
is "$(store_asked --config "$config" show web-1@latest)" "$scratch/special" "[COMMAND PATTERN] counts before all, for a point of the domain"
is "$(store_asked --config "$config" list other)" "$scratch/command" "another domain is another matter"
is "$(store_asked --config "$config" show web-1 --store "$scratch/given")" "$scratch/given" "what is given on the command line counts"
is "$(VIRT_KEEP_STORE=$scratch/environment store_asked --config "$config" show web-1)" "$scratch/environment" "and what the environment says"
is "$(store_asked --config "$config" --store named list)" "$scratch/named" "a store has a name"
is "$(VIRT_KEEP_STORE=named store_asked --config "$config" list)" "$scratch/named" "in the environment, too"

write_config "[virt-keep]" "store=named" "[store named]" "url=$scratch/named"
is "$(store_asked --config "$config" list)" "$scratch/named" "and in another section"
is "$(VIRT_KEEP_CONFIG=$config store_asked list)" "$scratch/named" "the environment names the file"

# ---- the usual files -------------------------------------------------------------

unset VIRT_KEEP_CONFIG
printf '[virt-keep]\nstore=%s\n' "$scratch/of-user" >"$XDG_CONFIG_HOME/virt-keep/config"
is "$(store_asked list)" "$scratch/of-user" "the user's file is read"
is "$(VIRT_KEEP_CONFIG='' store_asked --store "$scratch/given" list)" "$scratch/given" "and not where none is wanted"
is "$(store_asked --config /dev/null --store "$scratch/given" list)" "$scratch/given" "nor with /dev/null, as others have it"
rm "$XDG_CONFIG_HOME/virt-keep/config"
keep list
exits 2 "without a file and a store there is none"
export VIRT_KEEP_CONFIG=''

# ---- options of other kinds ------------------------------------------------------

write_config "[virt-keep]" "json=true" "store=$scratch/none" "[prune]" "dry-run=true"
keep --config "$config" list
holds "a switch can be on" grep -q '"command" : "list"' "$out"
write_config "[virt-keep]" "json=perhaps"
keep --config "$config" --store "$scratch/none" list
exits 2 "and is on or off"
says "'json' in [virt-keep] of '$config'" "which is said with the place"

# ---- what is not understood ------------------------------------------------------

refused ()
{
  local claim=$1 text=$2
  shift 2
  write_config "$@"
  keep --config "$config" --store "$scratch/none" list
  exits 2 "$claim: refused"
  says "$text" "and said"
}

refused "an option that there is not" "'exlude' in [backup web]" "[backup web]" "exlude=vdb"
refused "an option of another command" "'level' in [domain web]" "[domain web]" "level=full"
refused "a section that there is not" "[bakcup]" "[bakcup]" "mode=pull"
refused "a store without a name" "[store]" "[store]" "url=/x"
refused "a store without a URL" "[store s] in '$config' has no url" "[store s]" "retry-lock=5m"
refused "the file in the file" "'config' in [virt-keep]" "[virt-keep]" "config=/x"
refused "a hidden command" "[complete]" "[complete]" "store=/x"
refused "what is no configuration" "the configuration file '$config' cannot be read" "this is prose"
rm "$config"
keep --config "$config" list
exits 2 "a file that is named has to be there"

# ---- config check ----------------------------------------------------------------

write_config "[backup]" "exlude=vdb" "levle=full" "[store s]" "url=restic:/x" "password-file=$scratch/no-password"
keep --config "$config" config check
exits 2 "config check finds what is wrong"
is "$(wc -l <"$out")" 3 "all of it at once"
holds "also a password that is not there" grep -q "no-password" "$out"
keep --config "$config" --json config check
is "$(perl -MJSON::PP -0777 -ne 'my $d = decode_json $_; print scalar @{$d->{problems}}, " ", $d->{files}[0], " ", $d->{ok} ? 1 : 0' "$out")" "3 $config 0" "and as JSON"
touch "$scratch/password"
chmod 644 "$scratch/password"
write_config "[store s]" "url=restic:/x" "password-file=$scratch/password"
keep --config "$config" config check
exits 2 "a password that everybody can read is wrong"
chmod 600 "$scratch/password"
chmod 666 "$config"
keep --config "$config" config check
exits 2 "and so is a file that everybody can change"
chmod 600 "$config"
keep --config "$config" config check
exits 0 "config check has nothing to say about a good file"
is "$(cat "$out")" "$config: nothing is wrong" "and says so"
keep config check
exits 0 "nor about none"
keep config mend
exits 2 "config does nothing else"

done_testing

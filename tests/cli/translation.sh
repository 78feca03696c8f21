#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: everything that a person reads can be translated: with a catalogue that marks each
# message, errors, help and results have the mark, and what programs read is as it was.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for program in xgettext msgen msgfilter msgfmt; do
  type -P $program >/dev/null || skip_all "$program is not installed (Debian: gettext)"
done
build_dir=${G_TEST_BUILDDIR:-$source_dir/build/tests}/..
catalogue=$build_dir/po/virt-keep.pot
# Not a part of the make that runs this test.
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$build_dir" pot >"$out" 2>"$err" || bail "no catalogue is made: $(tail -n 3 "$err")"
is "$(cat "$err")" "" "the catalogue is made without a warning"

# What is looked up by others than gettext's own functions.
for message in "a command is missing: see virt-keep --help" "cannot open '%s'" "Commands:" "No job is running." "beginning the backup job" \
  "cannot read the XML of the domain '%s'" "Print the result as JSON"; do
  holds "it has the message \"$message\"" grep -qF "$message" "$catalogue"
done

# A literal that ends at a macro is not what is looked up.
# shellcheck disable=SC2016  # perl's
is "$(perl -ne 'print "$ARGV:$.: $1\n" if /\b(vk_fail|vk_fail_errno|_|N_) \(.*" (?!PRI)[A-Z][A-Z_]+/' "$source_dir"/tool/*.c "$source_dir"/tool/*/*.c "$source_dir"/tool/*/*/*.c)" "" "no message is put together of literals and macros"

# ---- with every message marked -------------------------------------------------------

mkdir -p "$scratch/xx/LC_MESSAGES"
# shellcheck disable=SC2016  # perl's
msgen --no-wrap "$catalogue" 2>"$err" | msgfilter --keep-header -o "$scratch/xx.po" perl -0777 -pe 's/\S/§$&/' 2>>"$err" || bail "no translation is made: $(tail -n 3 "$err")"
holds "a translation of it is a sound one" msgfmt --check-format -o "$scratch/xx/LC_MESSAGES/virt-keep.mo" "$scratch/xx.po"
export VIRT_KEEP_LOCALEDIR=$scratch LANGUAGE=xx
keep
if [ "$(cut -c 1-14 "$err")" != "virt-keep: §a" ]; then
  skip "an error is translated" "the program was built with --disable-nls"
  done_testing
fi
ok "an error is translated"
exits 2 "and its exit code is the same"

keep --help
exits 0 "--help works"
holds "its summary is translated" grep -q '^§Backs up' "$out"
holds "its options are" grep -q -- '--json *§' "$out"
holds "and what the commands do" grep -q '^  backup .*§' "$out"
is "$(sed -n '/§Commands:/,/^$/p' "$out" | grep '^  ' | grep -vc '§')" 0 "of all of them"
keep backup --help
is "$(grep -E '^  -' "$out" | grep -vE -- '--help|§' | head -n 3)" "" "so are all options of a command"

keep --json list --store "$scratch/none"
message=$(json_get "$out" .error.message)
is "${message:0:1}" "§" "the sentence in the JSON is translated"
is "$(json_get "$out" .schema .ok .error.class)" "1
false
not-found" "and nothing else in it is"
printf '[domain x]\nsideways = 1\n' >"$scratch/wrong.conf"
keep --config "$scratch/wrong.conf" config check
holds "what is wrong with a configuration is translated" grep -q '§' "$err"
keep complete script fish
holds "completion stays as it is" test "$(grep -c '§' "$out")" = 0
unset LANGUAGE
keep --help
holds "without a language it is English" test "$(grep -c '§' "$out")" = 0

done_testing

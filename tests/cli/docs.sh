#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the manual has every command, option, exit status, event and member of
# the manifest that the program has, and no option that it does not have.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

man=$source_dir/man
tool=$source_dir/tool
# What =items are about, without the letters that POD marks them with.
items ()
{
  sed -n 's/^=item //p' "$1" | sed 's/[BIF]<\([^<>]*\)>/\1/g'
}
items "$man/virt-keep.pod" >"$scratch/items"

# has_item WORDS: an item is about WORDS, which begin it or follow a comma.
# shellcheck disable=SC2317  # called by holds
has_item ()
{
  grep -qE "(^|, )$1( |,|\$)" "$scratch/items"
}

# ---- the pages -----------------------------------------------------------------

for page in virt-keep virt-keep.conf virt-keep-store virt-keep-json virt-keep-recovery virt-keep-remote; do
  if command -v podchecker >/dev/null; then
    podchecker "$man/$page.pod" >"$scratch/pod" 2>&1
    is "$(grep -v 'syntax OK' "$scratch/pod")" "" "podchecker has nothing to say about $page"
  else
    skip "podchecker has nothing to say about $page" "no podchecker"
  fi
  pod2man --errors=die --utf8 --section=1 --name="$page" "$man/$page.pod" "$scratch/$page.man" 2>"$err"
  is "$?$(cat "$err")" 0 "$page becomes a manual page"
  if command -v man >/dev/null && MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 "$scratch/$page.man" >"$out" 2>"$err"; then
    is "$(cat "$err")" "" "which is shown without a warning"
  else
    skip "which is shown without a warning" "no man that can"
  fi
  for word in "=head1 NAME" "=head1 SEE ALSO"; do
    holds "$page has $word" grep -q "^$word\$" "$man/$page.pod"
  done
done

# ---- commands and options ------------------------------------------------------

commands=$("$VIRT_KEEP" complete commands)
sed -n '/^=head1 SYNOPSIS/,/^=head1 EXAMPLES/p' "$man/virt-keep.pod" >"$scratch/synopsis"
for command in $commands; do
  holds "the command $command is documented" has_item "$command"
  holds "and in the synopsis" grep -q "^B<virt-keep $command>" "$scratch/synopsis"
  argument=$("$VIRT_KEEP" complete argument "$command")
  [ -z "$argument" ] || is "$(sed -n "s/^B<virt-keep $command>\\(.*\\)/\\1/p" "$scratch/synopsis" | sed 's/[BIF]<\([^<>]*\)>/\1/g; s/^ //' | cut -c "-${#argument}")" \
                           "$argument" "with the argument that it takes"
done

# ---- the page of each command ---------------------------------------------------

"$VIRT_KEEP" --help >"$scratch/help"
for command in $commands; do
  perl "$man/command-page" "$man/virt-keep.pod" "$command" >"$scratch/page.pod" 2>"$err"
  is "$?$(cat "$err")" 0 "$command has a page of its own"
  pod2man --errors=die --utf8 --section=1 --name="virt-keep-$command" "$scratch/page.pod" "$scratch/page.man" 2>"$err"
  is "$?$(cat "$err")" 0 "which becomes a manual page"
  holds "and is installed" grep -qF "man/virt-keep-$command.1" "$man/Makefile.inc"
  summary=$(sed -n "s/^virt-keep-$command - //p" "$scratch/page.pod")
  holds "it begins with what --help says" grep -qixE " +$command .*${summary//\'/.}" "$scratch/help"
done
is "$(grep -oE 'man/virt-keep-[a-z]+\.1' "$man/Makefile.inc" | sort -u | wc -l)" "$(wc -w <<<"$commands")" "there is no page of another command"

for option in $("$VIRT_KEEP" complete options) --help --version; do
  holds "the option $option is documented" has_item "$option"
done

# The part of the manual about a command: from its item to the next command's or
# the next heading.
about ()
{
  sed 's/[BIF]<\([^<>]*\)>/\1/g' "$man/virt-keep.pod" \
    | awk -v command="$1" -v commands="$(tr '\n' ' ' <<<"$commands")" '
        BEGIN { count = split (commands, name, " "); for (i = 1; i <= count; i++) known[name[i]] = 1 }
        /^=head/ { inside = 0; chapter = $2 }
        /^=item / && chapter == "COMMANDS" && $2 in known { inside = $2 == command }
        inside'
}

globals=$("$VIRT_KEEP" complete options)
for command in $commands; do
  about "$command" >"$scratch/about"
  own=$("$VIRT_KEEP" complete options "$command" | grep -vxF -e "$globals")
  for option in $own; do
    holds "$command $option is documented there" grep -qE "^=item (-., )?$option( |\$)" "$scratch/about"
    choices=$("$VIRT_KEEP" "$command" --help | sed -n "s/^ .*$option=\\([a-z0-9]*|[a-z0-9|]*\\).*/\\1/p")
    [ -z "$choices" ] || holds "with its choices" grep -qxF "=item $option $choices" "$scratch/about"
    holds "and in the synopsis" grep -qF -- "B<$option>" <(sed -n "/^B<virt-keep $command>/,/^\$/p" "$scratch/synopsis")
  done
  is "$(sed -n 's/^=item //p' "$scratch/about" | grep -oE -- '--[a-z-]+' | grep -vxF -e "$own")" "" \
     "$command has no other option in the manual"
  "$VIRT_KEEP" "$command" --help >"$scratch/help"
  while read -r short long; do
    holds "$command: the short $short of $long is documented" grep -qE "^$short( [A-Z]+)?, $long" "$scratch/items"
  done < <(sed -n 's/^  \(-.\), \(--[a-z-]*\).*/\1 \2/p' "$scratch/help")
done
{ echo --help; echo --version; for command in $commands; do "$VIRT_KEEP" complete options "$command"; done; } | sort -u >"$scratch/every-option"
is "$(grep -oE -- '(^|, )--[a-z-]+' "$scratch/items" | grep -oE -- '--[a-z-]+' | sort -u)" \
   "$(cat "$scratch/every-option")" \
   "the manual has the options of the program and no other"

about policy >"$scratch/about"
for key in $("$VIRT_KEEP" complete keys) label.NAME; do
  holds "the key $key of policies is documented" grep -qE "^=item (.*, )?$key(,|\$)" "$scratch/about"
done

# ---- the manual as HTML ------------------------------------------------------------

mkdir "$scratch/html"
# shellcheck disable=SC2086  # words
perl "$source_dir/docs/make-html" 1.0 "$source_dir" "$scratch/html" $commands 2>"$err"
is "$?$(cat "$err")" 0 "the manual becomes HTML"
is "$(find "$scratch/html" -name '*.html' | wc -l)" "$(($(find "$source_dir/docs" "$man" -name '*.pod' | wc -l) + $(wc -w <<<"$commands") + 1))" "with a page for each of its parts"
# shellcheck disable=SC2016  # perl's variables
is "$(cd "$scratch/html" && perl -e '
       for my $name (glob "*.html") { open my $file, "<", $name; local $/; $page{$name} = <$file>; $there{"$name#$1"} = 1 while $page{$name} =~ /id="([^"]*)"/g }
       for my $name (sort keys %page) {
         while ($page{$name} =~ /(?:href|src)="([^"]*)"/g) {
           my ($to, $anchor) = split /#/, my $link = $1;
           $to ||= $name;
           print "$name: $link\n" unless $link =~ m{^https://} || $page{$to} && (!defined $anchor || $there{"$to#$anchor"});
         }
       }')" "" "in which every link leads somewhere"
for page in "$source_dir"/docs/*.pod; do
  ! command -v podchecker >/dev/null || is "$(podchecker "$page" 2>&1 | grep -v 'syntax OK')" "" "podchecker has nothing to say about $(basename "$page")"
  for option in $(sed -n '/^ .*virt-keep /p' "$page" | sed 's/.*virt-keep /virt-keep /' | grep -v virtnbd | grep -oE -- ' --[a-z-]+' | sort -u); do
    holds "it has no option that there is not: $option" grep -qxF -- "$option" "$scratch/every-option"
  done
done

# ---- variables -------------------------------------------------------------------

for variable in $(grep -rhoE '(g_getenv|variable|seconds_of) \("[A-Z0-9_]+"' "$tool" | grep -oE '"[A-Z0-9_]+"' | tr -d '"' | sort -u); do
  holds "the variable $variable is documented" has_item "$variable"
done

# ---- exit statuses and classes of errors ----------------------------------------

while read -r class number; do
  holds "exit status $number is documented" grep -qx "$number" "$scratch/items"
  holds "and the class $class of errors" grep -qE "(^| )$class +$number( |\$)" "$man/virt-keep-json.pod"
done < <(sed -n 's/^ *\[VK_ERROR_[A-Z_]*\] = { "\([a-z-]*\)", \([0-9]*\) },$/\1 \2/p' "$tool/base/error.c")
is "$(grep -cE '^[0-9]+$' "$scratch/items")" "$(($(grep -c '^ *\[VK_ERROR_' "$tool/base/error.c") + 1))" "there are these, and 0, and no other"

# ---- events, words and members ----------------------------------------------------

items "$man/virt-keep-json.pod" >"$scratch/items"
events=$({ sed -n '/^vk_event_name/,/^}/s/.*return "\(.*\)";/\1/p' "$tool/host/job-watch.c"
           grep -rhoE '(vk_reporter_event \([^"]*|done \? )"[a-z-]+"( : "[a-z-]+")?' "$tool/command" "$tool/prove" | grep -oE '"[a-z-]+"' | tr -d '"'
           sed -n '/^vk_reporter_end/,/^}/p' "$tool/report/reporter.c" | grep -oE '"(done|failed)"' | tr -d '"'
           grep -oE 'vk_reporter_event \(reporter, "[a-z-]+"|print_json \(reporter, "[a-z-]+"' "$tool/report/reporter.c" | grep -oE '"[a-z-]+"' | tr -d '"'; } | sort -u)
holds "the program has events" test "$(wc -w <<<"$events")" -ge 10
for event in $events; do
  holds "the event $event is documented" has_item "$event"
done
for phase in $(grep -rhoE 'vk_reporter_phase \([^"]*"[a-z-]+"' "$tool/backup" "$tool/restore" "$tool/prove" | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u); do
  holds "the phase $phase is documented" grep -qE "B<$phase>" "$man/virt-keep-json.pod"
done
while read -r word; do
  holds "the reason $word to leave a disk out is documented" grep -q "B<$word>" "$man/virt-keep-store.pod"
done < <(sed -n 's/^ *\[VK_LEFT_OUT_[A-Z_]*\] = { "\([a-z-]*\)".*/\1/p' "$tool/host/disk-select.c" | grep -vx none)

items "$man/virt-keep-store.pod" >"$scratch/items"
for member in $(grep -hoE '(vk_json_set_string|set_bytes|json_object_set_[a-z]+_member|set_strings) \([a-z]+, "[a-z_0-9]+"' \
                  "$tool/store/manifest.c" "$tool/host/monitor.c" | grep -oE '"[a-z_0-9]+"$' | tr -d '"' | sort -u); do
  case $member in
    # Members of what QEMU is asked, not of the manifest.
    execute | arguments | flat) continue ;;
  esac
  holds "the member $member of the manifest is documented" grep -qE "B<$member>" "$man/virt-keep-store.pod"
done

# ---- templates -------------------------------------------------------------------

items "$man/virt-keep.pod" >"$scratch/items"
while read -r hole; do
  holds "the hole $hole of the templates is documented" grep -qF -- "$hole" "$scratch/items"
done < <(grep -ohE '\$\{[a-z-]+\}' "$source_dir"/xml-templates/domain*.xml | sort -u)

done_testing

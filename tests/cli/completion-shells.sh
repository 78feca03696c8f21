#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the completion files for fish and zsh that the program writes know every command
# and option that the program has, ask for domains and points with the store and the
# connection of the line, and put strange names so that the shell reads them back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# The real program, except that libvirt has two domains and the store two points; what it
# was asked is in $scratch/asked.
mkdir "$scratch/bin"
cat >"$scratch/bin/virt-keep" <<END
#!/bin/bash
printf '%s\n' "\$*" >>"$scratch/asked"
case "\$*" in
  *"complete domains") printf '%s\n' "web server's" mail ;;
  *"complete points") printf '%s\n' mail@20261123T181400Z mail@20261124T181400Z ;;
  *) exec "$VIRT_KEEP" "\$@" ;;
esac
END
chmod +x "$scratch/bin/virt-keep"

keep complete script tcsh
exits 2 "there is no file for a shell that is not known"
like "$(cat "$err")" "tcsh.*fish.*zsh" "and it says which there are"

for shell in fish zsh; do
  keep --config=/dev/null complete script $shell
  exits 0 "$shell: its file is written"
  cp "$out" "$scratch/$shell"
  missing=
  while read -r command; do
    while read -r option; do
      grep -qE -- "(-l |--)${option#--}( |\[|=)" "$scratch/$shell" || missing+=" $command:$option"
    done < <("$VIRT_KEEP" --config=/dev/null complete options "$command")
  done < <("$VIRT_KEEP" --config=/dev/null complete commands)
  is "$missing" "" "$shell: every option of every command is in it"
done

# fish_says LINE: what fish offers, without the descriptions.
fish_says ()
{
  HOME=$scratch PATH=$scratch/bin:$PATH timeout 60 fish --no-config -c "source $scratch/fish; complete -C'$1'" 2>"$err" | cut -f1 | sort | xargs
}

if command -v fish >/dev/null; then
  like " $(fish_says "virt-keep ") " " backup .* verify " "fish: commands"
  is "$(fish_says "virt-keep --store /s ver")" verify "fish: also behind an option with a value"
  is "$(fish_says "virt-keep backup --mod")" "--mode" "fish: an option"
  is "$(fish_says "virt-keep backup --mode=")" "--mode=pull --mode=push" "fish: the choices of an option"
  is "$(fish_says "virt-keep restore --mod")" "" "fish: no option of another command"
  is "$(fish_says "virt-keep -c test:///default backup m")" mail "fish: a domain"
  like "$(tail -n 1 "$scratch/asked")" "^-c test:///default complete domains$" "fish: of the connection that the line names"
  is "$(fish_says "virt-keep restore --store=/s mail@20261123")" mail@20261123T181400Z "fish: a point"
  like "$(tail -n 1 "$scratch/asked")" "^--store=/s complete points$" "fish: of the store that the line names"
  like " $(fish_says "virt-keep policy ") " " set .*unset " "fish: what policy can do"
  is "$(fish_says "virt-keep list ")" mail "fish: the domains that the store knows"
else
  skip "fish completes" "fish is not installed"
fi

# zsh_says LINE: the line after a Tab, of an interactive zsh on a terminal of its own.
zsh_says ()
{
  HOME=$scratch PATH=$scratch/bin:$PATH ZDOTDIR=$scratch TERM=dumb timeout 60 zsh -f -c '
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; report () { print -r -- \"<\$BUFFER>\" >$2; }
      zle -N report; bindkey \"^I\" complete-word; bindkey \"^X\" report; touch $3"
    until [[ -e $3 ]]; do zpty -r -t shell said; sleep 0.05; done
    zpty -w -n shell "$4"$'"'\\t\\x18'"'
    until [[ -s $2 ]]; do zpty -r -t shell said; sleep 0.05; done
    zpty -d shell' - "$scratch/functions" "$scratch/line" "$scratch/ready" "$1" 2>"$err"
  cat "$scratch/line"
  rm -f "$scratch/line" "$scratch/ready"
}

if command -v zsh >/dev/null; then
  mkdir "$scratch/functions"
  cp "$scratch/zsh" "$scratch/functions/_virt-keep"
  is "$(zsh_says "virt-keep veri")" "<virt-keep verify >" "zsh: a command"
  is "$(zsh_says "virt-keep --store /s veri")" "<virt-keep --store /s verify >" "zsh: also behind an option with a value"
  is "$(zsh_says "virt-keep backup --mod")" "<virt-keep backup --mode=>" "zsh: an option"
  is "$(zsh_says "virt-keep backup --mode pus")" "<virt-keep backup --mode push >" "zsh: a choice of an option"
  is "$(zsh_says "virt-keep -c test:///default backup w")" "<virt-keep -c test:///default backup web\\ server\\'s >" "zsh: a domain, as the shell reads it"
  like "$(tail -n 1 "$scratch/asked")" "^-c test:///default complete domains$" "zsh: of the connection that the line names"
  is "$(zsh_says "virt-keep restore --store=/s mail@20261123")" "<virt-keep restore --store=/s mail@20261123T181400Z >" "zsh: a point"
  like "$(tail -n 1 "$scratch/asked")" "^--store=/s complete points$" "zsh: of the store that the line names"
  is "$(zsh_says "virt-keep policy uns")" "<virt-keep policy unset >" "zsh: what policy can do"
  is "$(zsh_says "virt-keep policy set w")" "<virt-keep policy set web\\ server\\'s >" "zsh: for a domain"
  is "$(zsh_says "virt-keep list ma")" "<virt-keep list mail >" "zsh: a domain that the store knows"
else
  skip "zsh completes" "zsh is not installed"
fi
done_testing

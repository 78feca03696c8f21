#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: bash completes what the program knows, quoted so that the shell reads it
# back as it is, and keeps quiet when libvirt or the store is not there.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
# The shell's own is for use inside readline only.
compopt () { offered+=("$*"); }
# shellcheck source=../../bash-completion/virt-keep
. "$source_dir/bash-completion/virt-keep"

# The real program, except that libvirt has the domains that $scratch/domains
# lists; what it was asked is in $scratch/asked.  What it says of itself, which no store and no
# libvirt changes, it is asked for once.
program=$scratch/virt-keep
mkdir "$scratch/answers"
cat >"$program" <<END
#!/bin/bash
printf '%s\n' "\$*" >>"$scratch/asked"
case " \$* " in
  *" domains "*) [ -e "$scratch/no-stub" ] || exec cat "$scratch/domains" ;;
  *" complete commands "* | *" complete options "* | *" complete argument "* | *" complete choices "* | *" --help "*)
    answer=$scratch/answers/\${*//\//%}
    if [ -e "\$answer" ]; then
      mapfile lines <"\$answer"
      printf %s "\${lines[@]}"
      exit
    fi
    said=\$("$VIRT_KEEP" "\$@") || exit
    printf %s "\${said:+\$said
}"
    printf %s "\${said:+\$said
}" >"\$answer.new" && mv "\$answer.new" "\$answer"
    exit ;;
esac
exec "$VIRT_KEEP" "\$@"
END
chmod +x "$program"

# complete_line LINE TEXT: completes LINE with the cursor at its end.  TEXT is the
# part that readline would replace: what follows the last space, = or :, or
# begins with the last @, or follows a quotation mark that is open.  The replies,
# sorted, are in $replies; what was offered besides, in $offered.
complete_line ()
{
  offered=()
  rm -f "$scratch/asked"
  COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
  _virt_keep "$program" "$2" previous >"$scratch/noise" 2>&1
  # In this shell again, for COMPREPLY.
  replies=$([ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort)
}

lines ()
{
  printf '%s\n' "$@" | sort
}

# ---- commands and options ------------------------------------------------------

# Here without the time limit that completion sets, so that it is no matter how busy the machine is.
"$program" --help >/dev/null
"$program" complete options >/dev/null
commands=$("$program" complete commands)
for command in $commands; do
  for question in options argument; do
    "$program" complete $question "$command" >/dev/null
  done
  "$program" "$command" --help >/dev/null
done
complete_line "virt-keep " ""
is "$replies" "$(sort <<<"$commands")" "every command is offered where one is missing"
complete_line "virt-keep sh" sh
is "$replies" show "a command is completed"
complete_line "virt-keep --json -q --store /x s" s
is "$replies" "$(lines show status)" "also behind options and their values"
complete_line "virt-keep --" --
is "$replies" "$( { "$VIRT_KEEP" complete options; lines --help --version; } | sort)" "before the command, the options of every command are offered"
for command in $commands; do
  complete_line "virt-keep $command --" --
  is "$replies" "$( { "$VIRT_KEEP" complete options "$command"; echo --help; } | sort)" "$command: its options are offered"
done
complete_line "virt-keep nothing --j" --j
is "$replies" --json "behind an unknown command, too, the options of every command"

# ---- values --------------------------------------------------------------------

complete_line "virt-keep backup --mode " ""
is "$replies" "$(lines pull push)" "the choices of an option are offered behind it"
complete_line "virt-keep backup --mode pul" pul
is "$replies" pull "and completed"
complete_line "virt-keep backup --mode=pul" pul
is "$replies" pull "also behind ="
complete_line "virt-keep backup --level=" ""
is "$replies" "$("$VIRT_KEEP" backup --help | sed -n 's/^ *--level=\([a-z|]*\).*/\1/p' | tr '|' '\n' | sort)" "they are those that --help names"
complete_line "virt-keep restore --progress js" js
is "$replies" json "each command has its own"
for line in "--store " "restore --to " "backup --scratch-dir " "backup --templates " "backup --hook-dir " "restore guest --to=/va"; do
  complete_line "virt-keep $line" "${line##*[ =]}"
  is "${offered[*]-}/$replies" "-o dirnames/" "directories are offered behind $line"
done
for line in "backup --to " "restore ./we"; do
  complete_line "virt-keep $line" "${line##* }"
  is "${offered[*]-}/$replies" "-o default/" "files are offered behind $line"
done
complete_line "virt-keep restore web " ""
is "${offered[*]-}/$replies" "-o dirnames/" "behind what is restored directories are offered"
complete_line "virt-keep -c qemu:///sy" ///sy
is "$replies" ///system "a connection is completed, of which the shell replaces what follows the colon"

# ---- domains -------------------------------------------------------------------

# shellcheck disable=SC2016  # it is the name of a domain
names=(web "my <web> & 'é'" 'q"$x`y\z' "-dash" "a*b")
printf '%s\n' "${names[@]}" >"$scratch/domains"
for command in backup status abort; do
  complete_line "virt-keep $command we" we
  is "$replies" web "$command: a domain is completed"
done
complete_line "virt-keep policy set we" we
is "$replies" web "policy: a domain is completed behind what is to be done"
complete_line "virt-keep policy set web keep-d" keep-d
is "$replies" keep-daily "and keys behind that"
complete_line "virt-keep status -f --json web " ""
is "$replies" "" "behind the last argument nothing more is offered"
complete_line "virt-keep backup --together db we" we
is "$replies" web "but of a command that takes several a further one is completed"
complete_line "virt-keep backup -- -d" -d
is "$replies" -dash "behind -- a name may begin with a dash"
complete_line "virt-keep backup " ""
unlike "$replies" dash "elsewhere one that does is not offered, since it would be an option"

# In each kind of quotes the shell reads the names back as they are.
unquote () { eval "printf '%s\n' $1"; }
for name in "${names[@]:1:2}" "a*b"; do
  complete_line "virt-keep backup ${name:0:1}" "${name:0:1}"
  is "$(unquote "$replies")" "$name" "completed without quotes: $name"
  complete_line "virt-keep backup '${name:0:1}" "${name:0:1}"
  is "$(unquote "'$replies'")" "$name" "completed in single quotes: $name"
  complete_line "virt-keep backup \"${name:0:1}" "${name:0:1}"
  is "$(unquote "\"$replies\"")" "$name" "completed in double quotes: $name"
done
complete_line 'virt-keep backup my\ \<w' 'my\ \<w'
is "$(unquote "$replies")" "${names[1]}" "a name is completed behind its own backslashes"
complete_line "virt-keep backup 'my <w'e" "'my <w'e"
is "$(unquote "$replies")" "${names[1]}" "and behind quotes that are closed"
# shellcheck disable=SC2016  # nothing is to be expanded
complete_line 'virt-keep backup $(touch '"$scratch"'/run)`touch '"$scratch"'/run`' "x"
holds "nothing on the line is run" test ! -e "$scratch/run"

complete_line "virt-keep -c qemu:///session backup we" we
like "$(cat "$scratch/asked")" '--connect=qemu:///session complete domains' "libvirt is asked at the -c of the line"
complete_line "virt-keep backup --connect='qemu+ssh://a b/' we" we
like "$(cat "$scratch/asked")" "--connect='?qemu\+ssh://a b/ complete domains" "or at its --connect, without its quotes"

# ---- points --------------------------------------------------------------------

store=$scratch/store
mkdir "$store"
echo '{"format":"virt-keep image store","version":1,"id":"0123abcd"}' >"$store/virt-keep-store.json"
# point NAME NUMBER TIME
point ()
{
  local uuid=11111111-2222-3333-4444-55555555555$2 dir
  dir=$store/${1//\//%2F}.$uuid/$3
  mkdir -p "$dir"
  cat >"$dir/manifest.json" <<END
{ "format": "virt-keep manifest", "version": 1, "id": "$3", "store": "0123abcd",
  "domain": { "name": "$1", "uuid": "$uuid" }, "times": { "instant": "2026-01-01T00:00:00.000000Z" },
  "versions": {}, "mode": "push", "level": "full", "disks": [] }
END
}
point web 1 20260101T000000Z
point web 1 20260102T000000Z
point "my web" 2 20260101T000000Z
point "a@b:c" 3 20260101T000000Z
mkdir -p "$store/broken.11111111-2222-3333-4444-555555555554/20260101T000000Z"

for command in show restore; do
  complete_line "virt-keep $command --store $store we" we
  is "$replies" "$(lines web@20260101T000000Z web@20260102T000000Z web@latest)" "$command: the points of the --store of the line are offered"
done
complete_line "virt-keep show web@2026" @2026
is "$replies" "" "without a store there is nothing to offer"
export VIRT_KEEP_STORE=$store
complete_line "virt-keep show web@20260102" @20260102
is "$replies" @20260102T000000Z "VIRT_KEEP_STORE names one, and the shell replaces what begins with the @"
complete_line "virt-keep show web@20260102" 20260102
is "$replies" @20260102T000000Z "the same when sudo's completion does not show us the @"
complete_line 'virt-keep show my\ web@2' @2
is "$replies" @20260101T000000Z "behind a name with backslashes"
complete_line "virt-keep show 'my web@2" "my web@2"
is "$replies" "my web@20260101T000000Z" "and within quotes"
complete_line "virt-keep show a@b:c@l" @l
is "$replies" @latest "a name with the characters @ and :"
complete_line "virt-keep show " ""
unlike "$replies" '\?' "a point that nobody can name is not offered"
complete_line "virt-keep list " ""
is "$replies" "$(lines 11111111-2222-3333-4444-555555555554 a@b:c 'my\ web' web)" "list: the domains of the store are offered, a damaged one by its UUID"
complete_line "virt-keep show --store $scratch/elsewhere we" we
is "$replies" "" "--store goes before VIRT_KEEP_STORE"
HOME=$scratch
complete_line "virt-keep show --store ~/store web@l" @l
is "$replies" @latest "a tilde is the home directory"

# ---- which options take a value ------------------------------------------------

while read -r command option has_value; do
  complete_line "virt-keep $command $option " ""
  if [[ $command$option == boot--finish || $command$option == boot--discard ]]; then
    like "$replies" web "$command $option: its value is the name of a domain"
  elif [ "$has_value" = yes ]; then
    unlike "$replies" web "$command $option: its value is missing, so no argument is offered"
  elif [ "$command" = policy ]; then
    is "$replies" "$(lines get set unset)" "policy $option: no value is missing, so what it can do is offered"
  elif [[ $("$program" complete argument "$command") != *@(DOMAIN|POINT)* ]]; then
    is "$replies" "$([ "$command" != config ] || echo check)" "$command $option: no point or domain is taken, so none is offered"
  else
    like "$replies" web "$command $option: no value is missing, so an argument is offered"
  fi
done < <(for command in $commands; do
           "$VIRT_KEEP" "$command" --help | sed -n "s/^  \(-., \| *\)\(--[a-z-]*\)=.*/$command \2 yes/p; t; s/^  \(-., \| *\)\(--[a-z-]*\) .*/$command \2 no/p"
         done)

# ---- when there is nobody to ask -----------------------------------------------

: >"$scratch/no-stub"
complete_line "virt-keep -c qemu+unix:///system?socket=$scratch/none backup " ""
is "$replies$(cat "$scratch/noise")" "" "without libvirtd: no words and no complaint"
perl -MIO::Socket::UNIX -e '
  my $server = IO::Socket::UNIX->new (Local => $ARGV[0], Listen => 1) or die;
  open my $ready, ">", "$ARGV[0].ready"; sleep 60' "$scratch/silent" &
server=$!
until [ -e "$scratch/silent.ready" ] || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
start=$SECONDS
complete_line "virt-keep -c qemu+unix:///system?socket=$scratch/silent backup " ""
took=$((SECONDS - start))
kill $server
wait $server 2>/dev/null
is "$replies$(cat "$scratch/noise")" "" "with one that does not answer: no words and no complaint"
holds "and the shell is back soon" test "$took" -le 6

done_testing

#compdef virt-keep
# SPDX-License-Identifier: LGPL-2.1-or-later
# zsh completion for virt-keep, as "virt-keep complete script zsh" prints it.

# Asks with the store and the connection that the line names, $given of _virt_keep.  A
# libvirtd that does not answer must not hold up the shell.
_virt_keep_ask ()
{
  timeout 2 virt-keep $given complete "$@" 2>/dev/null </dev/null
}

# What is completed comes last, behind the options for compadd.
_virt_keep_add ()
{
  local -a found=(${(f)"$(_virt_keep_ask ${${@[-1]}/stored/points})"})
  [[ ${@[-1]} != stored ]] || found=(${(u)found%@*})
  compadd "${@[1,-2]}" -a found
}

_virt_keep ()
{
  local curcontext=$curcontext state i
  local -a given globals commands
  typeset -A opt_args
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      --(connect|store|config)=*) given+=("${(Q)words[i]}") ;;
      -c | --(connect|store|config)) ((i + 1 == CURRENT)) || given+=("$words[i]" "${(Q)words[i + 1]}") ;;
    esac
  done

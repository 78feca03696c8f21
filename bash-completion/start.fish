# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for virt-keep, as "virt-keep complete script fish" prints it.

# Asks with the store and the connection that the line names.  A libvirtd that does not
# answer must not hold up the shell.
function __virt_keep_ask
    set -l given
    set -l name
    for word in (commandline -opc)[2..]
        if test -n "$name"
            set -a given $name $word
            set name
        else if contains -- $word -c --connect --store --config
            set name $word
        else if string match -qr -- '^--(connect|store|config)=' $word
            set -a given $word
        end
    end
    timeout 2 virt-keep $given complete $argv 2>/dev/null </dev/null
end

# The command of the line, if it has one already.
function __virt_keep_command
    set -l is_value no
    for word in (commandline -opc)[2..]
        if test $is_value = yes
            set is_value no
        else if contains -- $word $__virt_keep_with_value
            set is_value yes
        else if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

function __virt_keep_is
    set -l command (__virt_keep_command)
    test "$command" = "$argv"
end


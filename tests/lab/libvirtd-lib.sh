# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For tests that kill their libvirtd and start another.
# shellcheck disable=SC2034  # daemon is also its users'

daemon=/run/libvirt/private.pid
[ -e $daemon ] || skip_all "the libvirtd of an ordinary user is started by its clients"

# has_ended PROCESS: or nobody has waited for it yet.
# shellcheck disable=SC2317  # called by wait_for
has_ended ()
{
  ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}

# kill_libvirtd: it has ended when this returns; before that no other would start.
kill_libvirtd ()
{
  local process
  process=$(cat $daemon)
  kill -KILL "$process"
  wait_for 20 has_ended "$process" || bail "process $process does not end"
}

start_libvirtd ()
{
  rm -f $daemon
  libvirtd --daemon --pid-file $daemon --config /etc/libvirt/libvirtd.conf
}

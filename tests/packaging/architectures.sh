#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the program builds without a warning for a machine whose long has 32 bits (i386) and for
# one whose bytes are in the other order (s390x), and the unit tests of what reads on-disk data
# pass there.
#
#   architectures.sh DIRECTORY     as "make check-architectures" runs it; many minutes
#
# The tests run under QEMU's user emulation.  The libraries of the other machine, with their
# headers, come from Debian's registry and are unpacked below DIRECTORY, with dpkg and apt books of
# their own: nothing is installed here, and root is not needed.  A second run takes what is there.
set -u
export LC_ALL=C.UTF-8
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tap.sh
. "$source_dir/tests/tap.sh"
[ -n "${1:-}" ] || bail "usage: architectures.sh DIRECTORY"
mkdir -p "$1" || bail "no directory for other machines"
directory=$(realpath "$1")
jobs=$(nproc 2>/dev/null || echo 2)

libraries=(
  libc6-dev libgcc-12-dev libglib2.0-dev libvirt-dev libvirt-glib-1.0-dev libxml2-dev libjson-glib-dev
  libarchive-dev libnbd-dev libpng-dev libssl-dev libzstd-dev libcurl4-openssl-dev
)

# fetch ARCHITECTURE PLACE: the packages of libraries and what they need, unpacked in PLACE/root.
fetch ()
{
  local package place=$2
  [ -e "$place/root/complete" ] && return
  mkdir -p "$place/root" "$place/state/lists/partial" "$place/cache/archives/partial" || return
  : >"$place/status"
  cat >"$place/apt.conf" <<END
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$place/state";
Dir::State::status "$place/status";
Dir::Cache "$place/cache";
END
  # Where a mirror is being synchronized, the lists there are will do.
  APT_CONFIG=$place/apt.conf apt-get --quiet update
  APT_CONFIG=$place/apt.conf apt-get --quiet --yes --download-only install "${libraries[@]}" || return
  for package in "$place"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$place/root" || return
  done
  touch "$place/root/complete"
}

# configure HOST TRIPLET PLACE: in PLACE/build.  The nbdkit of this host could not load a plugin
# of another machine.
# shellcheck disable=SC2317  # called by holds
configure ()
(
  mkdir -p "$3/build" && cd "$3/build" || exit
  PKG_CONFIG=pkg-config PKG_CONFIG_SYSROOT_DIR=$3/root \
    PKG_CONFIG_LIBDIR=$3/root/usr/lib/$2/pkgconfig:$3/root/usr/share/pkgconfig \
    "$source_dir/configure" --host="$1" --enable-werror CC="$1-gcc --sysroot=$3/root" CFLAGS='-O1 -g' \
    --without-nbdkit GLIB_COMPILE_RESOURCES=glib-compile-resources >"$3/configure.log" 2>&1
)

# architecture NAME HOST TRIPLET EMULATOR
architecture ()
{
  local place=$directory/$1 tool
  for tool in "$2-gcc" "$4" apt-get dpkg-deb; do
    if ! command -v "$tool" >/dev/null; then
      skip "on-disk data are read on $1" "no $tool (Debian: gcc-$2 qemu-user)"
      return
    fi
  done
  mkdir -p "$place"
  if ! fetch "$1" "$place" >"$place/fetch.log" 2>&1; then
    skip "on-disk data are read on $1" "its libraries cannot be had: $(grep -v '^$' "$place/fetch.log" | tail -n 1)"
    return
  fi
  holds "configure knows $1" configure "$2" "$3" "$place"
  make -C "$place/build" -j"$jobs" >"$place/make.log" 2>&1
  is $? 0 "the program is built for $1, without warnings"
  grep -E 'error:|warning:' "$place/make.log" | head -n 20 | sed 's/^/# /'
  make -C "$place/build" -k -j"$jobs" check-on-disk VG="$4 -L $place/root" >"$place/check.log" 2>&1
  is $? 0 "on-disk data are read on $1"
  grep -E '^(FAIL|ERROR): |error:|^# (TOTAL|PASS|FAIL|ERROR|SKIP)' "$place/check.log" | sed 's/^/# /'
}

architecture i386 i686-linux-gnu i386-linux-gnu qemu-i386
architecture s390x s390x-linux-gnu s390x-linux-gnu qemu-s390x

# By hand, there is no driver that reads the results.
(done_testing)
exit $((tests_failed > 0))

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the packages of "make dist" are built, lintian has nothing against them, systemd
# understands their units, and what is installed works and is gone after a purge.
#
#   packages.sh TARBALL        as "make check-packaging" runs it; several minutes
#
# Nothing is installed into this system: dpkg works in a directory of its own.  It needs
# root for that, or fakeroot.
set -u
export LC_ALL=C.UTF-8
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../tap.sh
. "$source_dir/tests/tap.sh"
[ -f "${1:-}" ] || bail "usage: packages.sh TARBALL"
tarball=$(realpath "$1")
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/virt-keep-packages.XXXXXX") || bail "no directory for the packages"
cleanup_fn rm -rf "$scratch"

as_root ()
{
  if [ "$(id -u)" = 0 ]; then "$@"; else fakeroot "$@"; fi
}

# ---- Debian ----------------------------------------------------------------------

# in_root ARGUMENT...: dpkg in a system of its own; what a package depends on is here.
in_root ()
{
  as_root dpkg --root="$scratch/root" --force-not-root --force-depends --force-script-chrootless "$@" >"$scratch/dpkg" 2>&1
}

# What there is in it, but for dpkg's own books.
# shellcheck disable=SC2317  # called by is
in_it ()
{
  (cd "$scratch/root" && find . -mindepth 1 ! -path './var/lib/dpkg*' ! -path './var/log*' ! -type d | sort)
}

debian ()
{
  local package
  DEB_BUILD_OPTIONS=nocheck "$source_dir/packaging/build-deb" "$tarball" "$scratch/debian" >"$scratch/log" 2>&1
  is $? 0 "the Debian packages are built"
  package=$(echo "$scratch"/debian/virt-keep_*.deb)
  [ -f "$package" ] || bail "there is no package: $(tail -n 5 "$scratch/log")"
  if command -v lintian >/dev/null; then
    is "$(lintian --fail-on none --tag-display-limit 0 "$scratch"/debian/virt-keep_*.dsc "$package" 2>&1 | grep -v '^N:\|running with root')" "" \
       "lintian has nothing against them"
  else
    skip "lintian has nothing against them" "no lintian"
  fi

  mkdir -p "$scratch/root/var/lib/dpkg/info" "$scratch/root/var/lib/dpkg/updates"
  : >"$scratch/root/var/lib/dpkg/status"
  in_root --install "$package"
  is "$?" 0 "dpkg installs it"
  is "$("$scratch/root/usr/bin/virt-keep" --version)" "virt-keep $(dpkg-deb -f "$package" Version | sed 's/-[^-]*$//')" "what is installed says its version"
  is "$(find "$scratch/root/etc/systemd" -type l 2>/dev/null)" "" "no unit is enabled"
  units "$scratch/root/lib/systemd/system" "$scratch/root/usr/bin/virt-keep"
  as_root install -d "$scratch/root/var/lib/virt-keep/boot"
  in_root --remove virt-keep
  is "$?" 0 "dpkg removes it"
  in_root --purge virt-keep
  is "$?" 0 "dpkg purges it"
  is "$(in_it)" "" "nothing is left"
  is "$([ -e "$scratch/root/var/lib/virt-keep" ] || echo gone)" gone "not even its directories"
}

# units DIRECTORY PROGRAM: those that are installed there, for PROGRAM.
units ()
{
  local unit
  mkdir -p "$scratch/units"
  cp "$1"/virt-keep* "$scratch/units/"
  is "$(cd "$scratch/units" && echo *)" \
     "virt-keep-prove.service virt-keep-prove.timer virt-keep-prune.service virt-keep-prune.timer virt-keep.service virt-keep.timer virt-keep@.service" \
     "every unit is installed"
  is "$(cat "$scratch"/units/*.service | grep -c '^ExecStart=/usr/bin/virt-keep ')" 4 "with the program's place"
  if ! command -v systemd-analyze >/dev/null; then
    skip "systemd-analyze has nothing against the units" "no systemd-analyze"
    skip "and finds them hardened" "no systemd-analyze"
    return
  fi
  sed -i "s|^ExecStart=/usr/bin/virt-keep |ExecStart=$2 |" "$scratch"/units/*.service
  mv "$scratch/units/virt-keep@.service" "$scratch/units/virt-keep@a.service"
  is "$(systemd-analyze verify --man=no "$scratch"/units/* 2>&1)" "" "systemd-analyze has nothing against the units"
  for unit in "$scratch"/units/*.service; do
    systemd-analyze security --offline=yes --threshold=60 "$unit" >"$scratch/security" 2>&1 || break
  done
  like "$(tail -n 1 "$scratch/security")" "exposure level .* (OK|MEDIUM)" "and finds them hardened"
}

if command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null; then
  debian
else
  skip "the Debian packages" "no dpkg-buildpackage or no debhelper"
fi

# ---- RPM -------------------------------------------------------------------------

if command -v rpmbuild >/dev/null; then
  # On Debian, rpm's database knows of nothing that is installed.
  "$source_dir/packaging/build-rpm" "$tarball" "$scratch/rpm" --nodeps --nocheck >"$scratch/log" 2>&1
  is $? 0 "the RPM packages are built"
  rpm -qpl "$scratch"/rpm/RPMS/*/virt-keep-[0-9]*.rpm >"$scratch/files" 2>/dev/null
  for file in /usr/bin/virt-keep virt-keep.timer virt-keep@.service virt-keep.1 nbdkit-virt-keep-plugin.so; do
    like "$(cat "$scratch/files")" "$file" "they have $file"
  done
else
  skip "the RPM packages" "no rpmbuild"
fi

# By hand, there is no driver that reads the results.
(done_testing)
exit $((tests_failed > 0))

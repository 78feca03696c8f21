#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes ./configure from a git checkout, then runs it with the arguments given
# (none are passed on with NOCONFIGURE=1).
set -eu
srcdir=$(cd "$(dirname "$0")" && pwd)
(cd "$srcdir" && mkdir -p build-aux m4 && autoreconf --install --force --warnings=all)
[ -n "${NOCONFIGURE:-}" ] || exec "$srcdir/configure" "$@"

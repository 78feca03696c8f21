#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what kill.sh claims, of a restic store.
exec "$(dirname "$0")/kill.sh" restic

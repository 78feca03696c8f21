#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: what signals.sh claims, of a restic store.
exec "$(dirname "$0")/signals.sh" restic

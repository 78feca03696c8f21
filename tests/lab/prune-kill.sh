#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: prune may be killed with SIGKILL at any moment: every restore point that is
# listed then has its exact bytes, and a second run finishes.
# shellcheck source=tests/lab/removal-kill.sh
. "$(dirname "$0")/removal-kill.sh"

sweep "prune all but the last" prune guest --keep-last 1 -- "${made[4]}"

done_testing

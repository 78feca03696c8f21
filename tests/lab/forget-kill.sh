#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: forget may be killed with SIGKILL at any moment: every restore point that is
# listed then has its exact bytes, and a second run finishes.
# shellcheck source=tests/lab/removal-kill.sh
. "$(dirname "$0")/removal-kill.sh"

sweep "forget the full and one in the middle" forget "${made[0]}" "${made[1]}" -- "${made[2]}" "${made[3]}" "${made[4]}"

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_killed_confirm.sh with another command to kill.
KILLED_ACT=back exec "$(dirname "$0")/test_killed_confirm.sh"

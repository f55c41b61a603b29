#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_off_planted.sh as on a kernel before 6.6, which has no TCX: by clsact filters.
REFUSE=tcx exec "$(dirname "$0")/test_off_planted.sh"

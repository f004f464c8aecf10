#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver alone, by a program of its own, judged by the field's tools.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# Who writes to a full pool waits for somebody to make it larger, and then fails.
seconds=/sys/module/dm_thin_pool/parameters/no_space_timeout
read -r before <$seconds
echo 5 >$seconds
"$(dirname "$VENEER")/driver-check" "$WORK" "$DISK1"
status=$?
echo "$before" >$seconds
exit $status

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# long
# Random stacks of layers by both tree writers, and the kernel's own work between them; WRITE_CASES
# and WRITE_SEED say how many and from which on.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# Through a mount the kernel follows no stranger's link in a folder like /tmp, where this is 1; blocks
# know nothing of that.
protected=$(cat /proc/sys/fs/protected_symlinks)
trap 'echo "$protected" >/proc/sys/fs/protected_symlinks' EXIT
echo 0 >/proc/sys/fs/protected_symlinks

"$(dirname "$VENEER")/write-check" "$WORK" "${WRITE_CASES:-12}" "${WRITE_SEED:-1}"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# Random stacks of layers by both tree writers, and the kernel's own work between them; WRITE_CASES
# and WRITE_SEED say how many and from which on.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

exec "$(dirname "$VENEER")/write-check" "$WORK" "${WRITE_CASES:-12}" "${WRITE_SEED:-1}"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 400
# Archives that are damaged, hostile or merely odd: the first two leave no trace but one line.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

odd=$(cd "$(dirname "$0")/../archives" && pwd)/odd.py
mnt=$WORK/mnt
mkdir -p "$mnt" "$WORK/bad" "$WORK/legal"


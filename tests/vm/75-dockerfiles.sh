#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# Dockerfiles give what the peers make of them: an eighth of tests/build/cases; PART=1/2: the first half.
# CASES="copy- add-" in the environment: only those whose names contain one of these.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

ip link set lo up
fresh_store 4G
# shellcheck disable=SC2086 # one word for each
python3 "$(dirname "$0")/../build/compare.py" --part "${PART:-1/8}" "$VENEER" "$IMAGES/dockerfiles.tar" "$WORK" ${CASES:-}
case_ "nothing is left behind" healthy

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# Dockerfiles give what the peers make of them: another eighth of tests/build/cases; PART=2/2: the second half.
# CASES="copy- add-" in the environment: only those whose names contain one of these.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# COPY and ADD write blocks here; by themselves only larger archives do.
export VENEER_WRITER=direct
ip link set lo up
fresh_store 4G
# shellcheck disable=SC2086 # one word for each
python3 "$(dirname "$0")/../build/compare.py" --part "${PART:-5/8}" "$VENEER" "$IMAGES/dockerfiles.tar" "$WORK" ${CASES:-}
case_ "nothing is left behind" healthy

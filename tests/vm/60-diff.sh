#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random sets of changes on thin volumes: found by blocks as by walking, and written as layers.
#
# DIFF_SETS   how many for each kind of file system
# DIFF_SEED   another seed makes other sets
exec "$(dirname "$VENEER")/diff-check" "$WORK" "${DIFF_SETS:-100}" "${DIFF_SEED:-1}"

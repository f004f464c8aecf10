#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# native.sh - what run.sh measures on this machine's own kernel, without a pool
#
# Needs root for the loop mount.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "$BENCH/native.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export VENEER_KERNEL=host

measure_images() {
	local round
	python3 "$here/catalogue.py" "$tmp/many" "$VENEER"
	for ((round = 0; round < 3 * BENCH_RUNS; round++)); do
		timed native-images "$VENEER" --root "$tmp/many" images >/dev/null
		timed native-version "$VENEER" version >/dev/null
	done
	printf '\nNatively: images with 5,000 images and 20,000 layers in the catalogue\n'
	printf '  wall %.0f ms, processor %.0f ms, %s MiB; of these the start of the program %.1f and %.1f ms\n' \
		"$(ms native-images)" "$(ms native-images 3)" "$(peak native-images)" \
		"$(ms native-version)" "$(ms native-version 3)"
	target 'images, ms (wall)' "$(ms native-images)" 100
}

measure_images
printf '\nNatively: '
"$here/unpack.sh"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# native.sh PART... - what run.sh measures on this machine's own kernel, without a pool
#
# Parts: native (needs root for the loop mount) and parse.
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

part_native() {
	measure_images
	printf '\nNatively: '
	"$here/unpack.sh"
}

# A Dockerfile of all that the parser has to do with, and a context of 1 GB in files of 256 KiB.
# shellcheck disable=SC2016 # dollars of the Dockerfile
make_parse() {
	local n
	mkdir "$tmp/ctx"
	for ((n = 0; n < 500; n++)); do
		printf 'FROM base:%s AS s%s\nARG V%s=1\nENV A=$V%s "B"="c d" C=${A:-x}\n' $n $n $n $n
		printf 'RUN --mount=type=cache,target=/c apt-get update && \\\n    # why\n    make -C /src V=1\n'
		printf 'COPY --from=s%s --chown=1:1 a b /d/\nLABEL a=b c="d e"\nENTRYPOINT ["a", "b"]\n' $n
	done >"$tmp/Dockerfile"
	head -c 1000000000 <(cat "$BENCH/docker.tar" "$BENCH/oci.tar") | split -a 4 -b 256K - "$tmp/ctx/part-"
}

# rate BYTES NAME [COLUMN] - MB/s
rate() { awk -v b="$1" -v s="$(median "$2" "${3:-1}")" 'BEGIN { printf "%.0f", b / s / 1e6 }'; }

part_parse() {
	local round lines
	make_parse
	for ((round = 0; round < BENCH_RUNS; round++)); do
		timed parse "$TOOLS/../test-tool" dockerfile <"$tmp/Dockerfile" >/dev/null
		timed parse-nothing "$TOOLS/../test-tool" dockerfile <<<'FROM scratch' >/dev/null
		timed context-hash "$TOOLS/../test-tool" context-hash "$tmp/ctx" >/dev/null
		timed sha256sum sha256sum "$tmp"/ctx/* >/dev/null
		timed openssl openssl dgst -sha256 "$tmp"/ctx/* >/dev/null
	done
	lines=$(wc -l <"$tmp/Dockerfile")
	printf '\nNatively: a Dockerfile of %s lines, and the content hash of a context of 1 GB in %s files\n' \
		"$lines" "$(find "$tmp/ctx" -type f | wc -l)"
	awk -v ms="$(ms parse)" -v none="$(ms parse-nothing)" -v n="$lines" -v mib="$(peak parse)" 'BEGIN {
		printf "  parsed in %.1f ms (of these the start of the program %.1f), %.0f lines in a ms, %s MiB\n",
			ms, none, n / (ms - none), mib }'
	row 'content hash of the context' context-hash sha256sum
	row 'sha256sum of its files' sha256sum sha256sum
	row 'openssl dgst -sha256 of its files' openssl sha256sum
	printf '  content hash %s MB/s, %s of processor time; sha256sum %s MB/s; openssl %s MB/s\n' \
		"$(rate 1000000000 context-hash)" "$(rate 1000000000 context-hash 3)" "$(rate 1000000000 sha256sum)" \
		"$(rate 1000000000 openssl)"
	target 'content hash / sha256sum' "$(ratio context-hash sha256sum)" 1
}

for part in "$@"; do "part_$part"; done

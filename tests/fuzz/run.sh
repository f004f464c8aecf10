#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh SECONDS [NAME...] - each fuzzer for that long, from its seeds
#
# Seeds are the cases of tests/spec. What a fuzzer finds by itself is kept in
# build/fuzz/NAME for the next run; a crash is left there as crash-*, and
# belongs into tests/spec under a name of its own.
set -euo pipefail

seconds=$1
shift
make=(make --no-print-directory CC=clang "SANITIZE=fuzzer-no-link,address,undefined")
out=$("${make[@]}" -s print-out)

names=("$@")
if [ ${#names[@]} = 0 ]; then
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		names+=("${name#fuzz_}")
	done
fi

# seeds NAME FOLDER - one file per case
seeds() {
	local spec file
	case $1 in
	template)
		tests/fuzz/seed_template.sh "$2"
		return
		;;
	ext4)
		rm -rf build/fuzz/ext4.pairs
		tests/spec/ext4/make.sh build/fuzz/ext4.pairs
		for file in build/fuzz/ext4.pairs/*; do
			cat "$file/parent" "$file/child" >"$2/$(basename "$file")"
		done
		return
		;;
	direct) spec=tar ;;
	json) spec='docker_manifest image_config manifest manifest_index' ;;
	*) spec=$1 ;;
	esac
	for kind in $spec; do
		for file in tests/spec/"$kind"/*/input; do
			[ ! -e "$file" ] || cp "$file" "$2/$kind-$(basename "$(dirname "$file")")"
		done
	done
}

"${make[@]}" -j"$(nproc)" "${names[@]/#/$out/fuzz_}"
bad=0
for name in "${names[@]}"; do
	corpus=build/fuzz/$name
	mkdir -p "$corpus" "$corpus.seeds"
	seeds "$name" "$corpus.seeds"
	printf -- '-- fuzz_%s, %s s\n' "$name" "$seconds"
	"$out/fuzz_$name" -max_total_time="$seconds" -max_len=524288 -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="build/fuzz/$name/crash-" \
		"$corpus" "$corpus.seeds" >"build/fuzz/$name.log" 2>&1 || {
		bad=1
		tail -n 40 "build/fuzz/$name.log"
	}
	grep -E 'number_of_executed_units|new_units_added|peak_rss' "build/fuzz/$name.log" || true
done
exit $bad

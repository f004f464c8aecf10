#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# unpack.sh - the unpacker by itself, natively and without a pool (needs root for a loop mount)
#
# The pipeline up to the tree writer beside igzip and sha256sum, and unpacking
# onto a freshly made ext4 in a file, until it is unmounted, beside GNU tar and
# bsdtar (which verify nothing). Medians of BENCH_RUNS (3), interleaved. The CPU's
# share is told too, because the wall clock also measures the neighbours.
#
#	TOOLS   folder with stopwatch and unpack_tool (build/plain/bench)
#	BENCH   folder of the image (build/bench), made by image.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/bench/lib.sh
. "$here/lib.sh"
TOOLS=$(realpath "${TOOLS:-$top/build/plain/bench}")
BENCH=$(mkdir -p "${BENCH:-$top/build/bench}" && cd "${BENCH:-$top/build/bench}" && pwd)
runs=${BENCH_RUNS:-3}

"$here/image.sh" "$BENCH"
work=$(mktemp -d "$BENCH/unpack.XXXXXX")
export RESULTS=$work/results mnt=$work/mnt TOOLS BENCH
mkdir "$RESULTS" "$mnt"
clean() {
	mountpoint -q "$mnt" && umount "$mnt"
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

layers=("$BENCH"/layer[12].tar.gz)
fallocate -l 4G "$work/fs" || truncate -s 4G "$work/fs"

# cpu NAME COMMAND... - timed, and the processor time of all its processes in NAME.cpu
cpu() {
	local TIMEFORMAT='%U %S'
	{ time timed "$@" >/dev/null 2>"$RESULTS/log"; } 2>>"$RESULTS/$1.times" ||
		{ cat "$RESULTS/log" "$RESULTS/$1.times"; return 1; }
	awk '{ print $1 + $2, 0 }' "$RESULTS/$1.times" >"$RESULTS/$1.cpu"
}

# onto NAME COMMAND - with a new file system at $mnt
onto() {
	mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 "$work/fs"
	mount -o loop,noinit_itable "$work/fs" "$mnt"
	sync
	cpu "$1" bash -c "$2"' && umount "$mnt"' "$1" "${layers[@]}"
}

for ((round = 0; round < runs; round++)); do
	cat "${layers[@]}" >/dev/null
	cpu pipeline "$TOOLS/unpack_tool" null "${layers[@]}"
	cpu igzip bash -c 'for layer; do igzip -dc "$layer" | sha256sum || exit 1; done' igzip "${layers[@]}"
	onto unpack '"$TOOLS/unpack_tool" "$mnt" "$@"'
	onto tar 'for layer; do tar -C "$mnt" -xzf "$layer" || exit 1; done'
	onto bsdtar 'for layer; do bsdtar -C "$mnt" -xpf "$layer" || exit 1; done'
done

bytes=$("$TOOLS/unpack_tool" null "${layers[@]}" | awk '/ bytes / { sum += $NF } END { print sum }')
files=$("$TOOLS/unpack_tool" null "${layers[@]}" | awk '/ entries / { sum += $4 } END { print sum }')
sha=$(grep -qw sha_ni /proc/cpuinfo && echo 'with SHA instructions' || echo 'without SHA instructions')

# line LABEL NAME REFERENCE
line() {
	row "$1" "$2" "$3"
	printf '  %52s %9.2f s  %7.2f  of the processors\n' '' "$(median "$2.cpu")" "$(ratio "$2.cpu" "$3.cpu")"
}

printf 'unpacking natively: %s entries, %s MB of tar, %s CPUs %s\n' "$files" "$((bytes / 1000000))" \
	"$(nproc)" "$sha"
line 'igzip -dc | sha256sum' igzip igzip
line 'pipeline up to the tree writer (both digests)' pipeline igzip
awk -v b="$bytes" -v p="$(median pipeline)" -v i="$(median igzip)" \
	'BEGIN { printf "  %-52s %9.0f MB/s, igzip and sha256sum %.0f MB/s\n", "", b / p / 1e6, b / i / 1e6 }'
line 'GNU tar -xzf' tar tar
line 'bsdtar -xpf' bsdtar tar
line 'unpack (both digests verified)' unpack tar
target 'unpack beside GNU tar -xzf' "$(ratio unpack tar)" 0.6

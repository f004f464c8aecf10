#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# unpack.sh - the unpacker by itself, natively and without a pool (needs root for a loop mount)
#
# The pipeline up to the tree writer beside igzip and sha256sum, and unpacking
# onto a freshly made ext4 in a file, until it is unmounted, beside GNU tar and
# bsdtar (which verify nothing); and as blocks into such a file that is not mounted, beside the
# floor: reading, inflating, both digests and as many bytes written raw. Medians of BENCH_RUNS (3),
# interleaved; wall clock and processor time, each with its ratio.
#
#	TOOLS   folder with stopwatch and unpack_tool (build/plain/bench)
#	BENCH   folder of the image (build/bench), made by image.sh
#
# shellcheck disable=SC2016 # the commands expand where they run
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
	! mountpoint -q "$mnt" || umount "$mnt"
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

layers=("$BENCH"/layer[12].tar.gz)
fallocate -l 4G "$work/fs" || truncate -s 4G "$work/fs"

# quietly NAME COMMAND... - timed; what it prints is shown only when it fails
quietly() { timed "$@" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; return 1; }; }

# onto NAME COMMAND - with a new file system at $mnt
onto() {
	mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 "$work/fs"
	mount -o loop,noinit_itable "$work/fs" "$mnt"
	sync -f "$mnt"
	quietly "$1" bash -c "$2"' && umount "$mnt"' "$1" "${layers[@]}"
}

# With the features of a pool's file systems: others the kernel has to write.
direct() {
	mkfs.ext4 -q -F -b 4096 -I 256 -m 0 -i 8192 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard \
		-O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
		"$work/fs"
	sync "$work/fs"
	quietly direct "$TOOLS/unpack_tool" "$work/fs" "${layers[@]}"
	e2fsck -fn "$work/fs" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
}

for ((round = 0; round < runs; round++)); do
	cat "${layers[@]}" >/dev/null
	quietly pipeline "$TOOLS/unpack_tool" null "${layers[@]}"
	quietly igzip bash -c 'for layer; do igzip -dc "$layer" | sha256sum || exit 1; done' \
		igzip "${layers[@]}"
	quietly floor "$TOOLS/floor" "$work/fs" "${layers[@]}"
	direct
	onto unpack '"$TOOLS/unpack_tool" "$mnt" "$@"'
	onto tar 'for layer; do tar -C "$mnt" -xzf "$layer" || exit 1; done'
	onto bsdtar 'for layer; do bsdtar -C "$mnt" -xpf "$layer" || exit 1; done'
done

read -r files bytes < <("$TOOLS/unpack_tool" null "${layers[@]}" |
	awk '/ entries / { files += $4; bytes += $6 } END { print files, bytes }')
grep -qw sha_ni /proc/cpuinfo && sha=with || sha=without

# line LABEL NAME REFERENCE
line() {
	printf '  %-40s %7.2f s %5.2f   %7.2f s %5.2f   %5s MiB\n' "$1" "$(median "$2")" \
		"$(ratio "$2" "$3")" "$(median "$2" 3)" \
		"$(awk -v a="$(median "$2" 3)" -v b="$(median "$3" 3)" 'BEGIN { print a / b }')" \
		"$(peak "$2")"
}

rate() { awk -v b="$bytes" -v s="$(median "$1")" 'BEGIN { printf "%.0f", b / s / 1e6 }'; }

printf 'unpacking %s entries, %s MB of tar, %s CPUs %s SHA instructions\n' "$files" \
	"$((bytes / 1000000))" "$(nproc)" "$sha"
printf '  %-40s %15s   %15s   %9s\n' "medians of $runs" 'wall, ratio' 'CPU, ratio' 'peak'
line 'igzip -dc | sha256sum' igzip igzip
line 'up to the tree writer, both digests' pipeline igzip
printf '  %-40s %s MB/s, up to the tree writer %s MB/s\n' 'igzip -dc | sha256sum' "$(rate igzip)" \
	"$(rate pipeline)"
line 'GNU tar -xzf' tar tar
line 'bsdtar -xpf' bsdtar tar
line 'unpack through a mount, digests verified' unpack tar
line 'unpack as blocks, digests verified' direct tar
printf '  %-40s %.2f s, as blocks %.2f of it, through a mount %.2f\n' 'floor, one thread' "$(median floor)" \
	"$(ratio direct floor)" "$(ratio unpack floor)"
target 'unpack beside GNU tar -xzf' "$(ratio unpack tar)" 0.6
target 'unpack as blocks beside the floor' "$(ratio direct floor)" 1.2
target 'GNU tar -xzf beside unpack as blocks, at least 3.6' "$(ratio direct tar)" 0.278

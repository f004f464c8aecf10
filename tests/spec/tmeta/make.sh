#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the recorded pools beside this script again: input is a metadata device
# cut behind its last used block, expected is what thin_ls and thin_delta say of
# it. Needs thin-provisioning-tools, python3, and for the kernel's own pools
# user-mode-linux with kmod and dmsetup.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# cut FILE CASE: keep what is in use
cut_image() {
	mkdir -p "$here/$2"
	python3 - "$1" "$here/$2/input" <<'PY'
import sys
data = open(sys.argv[1], "rb").read().rstrip(b"\0")
data += b"\0" * (-len(data) % 4096)
open(sys.argv[2], "wb").write(data)
PY
}

lengths() {
	sed -n "s/.*<$1 .*length=\"\([0-9]*\)\".*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# expect FILE CASE HELD TOTAL PAIR...: ask the tools
expect() {
	image=$1 case=$2 held=$3 total=$4
	shift 4
	snap=
	[ "$held" = 0 ] || snap="-m$held"
	{
		echo "held $held"
		echo "total $total"
		thin_ls ${snap:+"$snap"} --no-headers -o DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS "$image" |
			awk '{ print "volume", $1, "mapped", $2, "exclusive", $3, "shared", $4 }'
		for pair; do
			thin_delta ${snap:+"$snap"} --thin1 "${pair%-*}" --thin2 "${pair#*-}" "$image" >"$work/delta"
			own=$(($(lengths different "$work/delta") + $(lengths right_only "$work/delta")))
			echo "delta ${pair%-*} ${pair#*-} own $own dropped $(lengths left_only "$work/delta")"
		done
	} >"$here/$case/expected"
}

restored() {
	truncate -s 4M "$work/restored"
	python3 "$here/pool.py" >"$work/xml"
	thin_restore -i "$work/xml" -o "$work/restored"
	cut_image "$work/restored" restored
	total=$(python3 "$here/pool.py" total)
	expect "$work/restored" restored 0 "$total" 1-2 2-1 1-3 3-4 4-5 5-1 2-5
}

# A few blocks only: a seed that the fuzzer can change quickly.
small() {
	cat >"$work/xml" <<-'XML'
		<superblock uuid="" time="2" transaction="3" data_block_size="128" nr_data_blocks="64">
		<device dev_id="1" mapped_blocks="12" transaction="0" creation_time="0" snap_time="1">
		<range_mapping origin_begin="0" data_begin="0" length="12" time="0"/>
		</device>
		<device dev_id="2" mapped_blocks="11" transaction="1" creation_time="1" snap_time="1">
		<range_mapping origin_begin="0" data_begin="0" length="8" time="0"/>
		<range_mapping origin_begin="9" data_begin="20" length="3" time="1"/>
		</device>
		</superblock>
	XML
	truncate -s 256K "$work/small"
	thin_restore -i "$work/xml" -o "$work/small"
	cut_image "$work/small" small
	expect "$work/small" small 0 15 1-2 2-1
}

kernel() {
	truncate -s 4M "$work/meta"
	truncate -s 2G "$work/data"
	modules=$(echo /usr/lib/uml/modules/*)
	mkdir -p "$work/lib/modules"
	ln -s "$modules" "$work/lib/modules/"
	timeout 120 linux.uml mem=256M rootfstype=hostfs rootflags=/ rw init="$here/guest.sh" \
		con=null con0=fd:0,fd:1 quiet ubda="$work/meta" ubdb="$work/data" uml_dir="$work" \
		WORK="$work" </dev/null >"$work/console" 2>&1 || true
	[ -f "$work/done" ] || { cat "$work/console" >&2; exit 1; }
	cut_image "$work/meta-held" kernel-held
	expect "$work/meta-held" kernel-held "$(cat "$work/held")" "$(cat "$work/used-held")" \
		1-2 2-3 3-6 1-5 4-6 6-4 1-6
	cut_image "$work/meta" kernel
	expect "$work/meta" kernel 0 "$(cat "$work/used")" 1-2 2-3 3-6 6-8 4-6 8-1
}

small
restored
kernel

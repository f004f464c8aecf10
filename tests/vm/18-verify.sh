#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# Damage on the pool's data device is found and named; what is damaged is never shown by a
# verified view; digests of layers are hostile input, and go with their layer.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2154 # remember() sets it
lists=$VENEER_ROOT/verity

# Where each block of a volume is: "start data length" in pool blocks, into $maps.
read_maps() {
	local id=$1
	dmsetup message "$pool" 0 reserve_metadata_snap
	maps=$(thin_dump -m --dev-id "$id" "/dev/mapper/${pool%-pool}-meta" | awk -F'"' '
		/<range_mapping/ { print $2, $4, $6 }
		/<single_mapping/ { print $2, $4, 1 }')
	dmsetup message "$pool" 0 release_metadata_snap
}

# locate ID BLOCK - a block of 4096 bytes of a volume, as one of the pool's data, in $at
locate() {
	local block=$2 virtual=$(($2 / 16)) start data length
	read_maps "$1"
	at=
	while read -r start data length; do
		if [ "$virtual" -ge "$start" ] && [ "$virtual" -lt $((start + length)) ]; then
			at=$(((data + virtual - start) * 16 + block % 16))
			return 0
		fi
	done <<<"$maps"
	echo "block $block of volume $1 is not mapped"
	return 1
}

data_device() { echo "/dev/mapper/${pool%-pool}-data"; }

# damage ID BLOCK, then restore
damage() {
	locate "$@"
	dd if="$(data_device)" of="$WORK/kept" bs=4096 count=1 skip="$at" iflag=direct status=none
	head -c 4096 /dev/urandom >"$WORK/garbage"
	dd if="$WORK/garbage" of="$(data_device)" bs=4096 seek="$at" oflag=direct conv=notrunc status=none
}
restore() {
	dd if="$WORK/kept" of="$(data_device)" bs=4096 seek="$at" oflag=direct conv=notrunc status=none
}

# look_inside REQUEST - of debugfs, on the image's device
look_inside() {
	debugfs -R "$1" "$device" 2>/dev/null
}

image_device() {
	device=$("$VENEER" attach --name look "$1")
}

prepare() {
	fresh_store 2G
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	"$VENEER" load -q -i "$IMAGES/docker.tar" >/dev/null
	mapfile -t ids < <(layer_field ThinID)
	mapfile -t chains < <("$VENEER" layers --no-trunc --format '{{.ChainID}}')
}

clean_image() {
	is "${#chains[@]}" "$(ls "$lists" | wc -l)" 'lists of digests'
	is '' "$("$VENEER" verify debian:12)"
	is '' "$("$VENEER" verify --all 2>&1)"
	fails 125 "$VENEER" verify
	fails 1 "$VENEER" verify nothing
	healthy
}

# found WHAT PATH BLOCK - by verify; with an owner and all the rest
found() {
	local out status=0
	out=$("$VENEER" verify debian:12) || status=$?
	restore
	is 1 "$status" "exit status, after: $out"
	contains "changed: $1${2:+ $2}, image debian:12" "$out"
	contains "thin id ${ids[0]}, block $3" "$out"
	contains "layer ${chains[0]}" "$out"
	"$VENEER" verify debian:12
}

damaged_content() {
	local block
	image_device debian:12
	block=$(look_inside 'blocks /usr/bin/bash' | awk '{ print $7 }')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	found 'content of' /usr/bin/bash "$block"
}

damaged_directory() {
	local block
	image_device debian:12
	block=$(look_inside 'blocks /usr/share/doc' | awk '{ print $1 }')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	found directory /usr/share/doc "$block"
}

damaged_inodes() {
	local block
	image_device debian:12
	block=$(look_inside 'imap /usr/bin/bash' | sed -n 's/.*at block \([0-9]*\),.*/\1/p')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	found 'inode of' /usr/bin/bash "$block"
}

prepare
case_ 'an image as it was loaded verifies' clean_image
case_ 'damage in a file names it' damaged_content
case_ 'damage in a directory names it' damaged_directory
case_ 'damage in an inode table names the files' damaged_inodes

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # those who read this file set $pool, the pool's name, and $WORK
#
# lib-damage.sh - where a block of a volume is on the pool's data device, and what is wrong with it then

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

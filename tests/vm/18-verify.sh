#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# Damage on the pool's data device is found and named; what is damaged is never shown by a
# verified view; digests of layers are hostile input, and go with their layer.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-damage.sh
. "$(dirname "$0")/lib-damage.sh"

# shellcheck disable=SC2154 # remember() sets it
lists=$VENEER_ROOT/verity

# look_inside REQUEST - of debugfs, on the image's device
look_inside() {
	debugfs -R "$1" "$device" 2>/dev/null
}

image_device() {
	device=$("$VENEER" attach --name look "$1")
}

hash_trees() { find "$lists" -name 'tree-*'; }

prepare() {
	"$VENEER" pool create --files 2G --volume-size 1G >/dev/null
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	"$VENEER" load -q -i "$IMAGES/docker.tar" >/dev/null
	mapfile -t ids < <(layer_field ThinID)
	mapfile -t chains < <("$VENEER" layers --no-trunc --format '{{.ChainID}}')
}

clean_image() {
	is "${#chains[@]}" "$(ls "$lists" | wc -l)" 'lists of digests'
	is '' "$("$VENEER" verify debian:12)"
	is '' "$("$VENEER" verify --all 2>&1)"
	fails 1 "$VENEER" verify
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
	block=$(look_inside 'blocks /usr/lib/apt' | awk '{ print $1 }')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	found directory /usr/lib/apt "$block"
}

# with_bad_sector BLOCK COMMAND... - while the disk cannot read that block of the pool's data
with_bad_sector() {
	local at=$1 data=${pool%-pool}-data start length type device offset got=0
	shift
	read -r start length type device offset < <(dmsetup table "$data")
	dmsetup suspend "$data"
	dmsetup load "$data" <<-END
		0 $((at * 8)) linear $device $offset
		$((at * 8)) 8 error
		$((at * 8 + 8)) $((length - at * 8 - 8)) linear $device $((offset + at * 8 + 8))
	END
	dmsetup resume "$data"
	"$@" || got=$?
	dmsetup suspend "$data"
	dmsetup load "$data" --table "$start $length $type $device $offset"
	dmsetup resume "$data"
	return $got
}

unreadable_content() {
	local block out status=0
	image_device debian:12
	block=$(look_inside 'blocks /usr/bin/bash' | awk '{ print $7 }')
	"$VENEER" detach look
	locate "${ids[0]}" "$block"
	out=$(with_bad_sector "$at" "$VENEER" verify --format '{{.Problem}} {{.Block}} {{.Path}}' debian:12) ||
		status=$?
	is 1 "$status" "exit status, after: $out"
	is "unreadable $block /usr/bin/bash" "$out"
	"$VENEER" verify debian:12
}

damaged_inodes() {
	local block
	image_device debian:12
	block=$(look_inside 'imap /usr/lib/x86_64-linux-gnu/libc.so.6' | sed -n 's/.*at block \([0-9]*\),.*/\1/p')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	found 'inode of' /usr/lib/x86_64-linux-gnu/libc.so.6 "$block"
}


# A file whose damage a read finds, through /dev: what a mount shows of it
bash_is_damaged() {
	local got=0
	image_device debian:12
	block=$(look_inside 'blocks /usr/bin/bash' | awk '{ print $7 }')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	echo 3 >/proc/sys/vm/drop_caches
	"$@" || got=$?
	restore
	return $got
}

verified_mount() {
	local dir sum
	dir=$("$VENEER" mount debian:12)
	sum=$(sha256sum <"$dir/usr/bin/bash")
	"$VENEER" unmount "$dir"
	dir=$("$VENEER" mount --verity debian:12)
	is "$sum" "$(sha256sum <"$dir/usr/bin/bash")"
	is "tree-${ids[-1]}" "$(cd "$lists" && echo tree-*)"
	contains verity "$(dmsetup table --target verity)"
	"$VENEER" check
	"$VENEER" unmount "$dir"
	is '' "$(hash_trees)" 'hash tree left'
	is '' "$(losetup -n | grep tree)" 'loop device left'
	fails 1 "$VENEER" mount --verity --rw debian:12
	healthy
}

# Nothing but the file that has the block is affected.
reads_damaged() {
	local dir=$1
	contains 'Input/output error' "$(cat "$dir/usr/bin/bash" 2>&1 >/dev/null)"
	cat "$dir/usr/bin/perl" >/dev/null
}

damage_is_not_shown() {
	local dir link
	dir=$("$VENEER" mount --verity debian:12)
	bash_is_damaged reads_damaged "$dir"
	"$VENEER" unmount debian:12
	link=$("$VENEER" attach --verity --name verified debian:12)
	dd if="$link" of=/dev/null bs=1M count=64 status=none
	bash_is_damaged fails 1 dd if="$link" of=/dev/null bs=4096 skip="$block" count=1
	"$VENEER" detach verified
	is '' "$(hash_trees)" 'hash tree left'
	healthy
}

# Two of them, and one without, share what they can.
views_side_by_side() {
	local one two
	one=$("$VENEER" mount --verity debian:12)
	two=$("$VENEER" mount --verity debian:12)
	plain=$("$VENEER" attach --name plain debian:12)
	"$VENEER" unmount "$one"
	cmp "$two/usr/bin/bash" <(cat "$two/usr/bin/bash")
	e2fsck -fn "$plain"
	"$VENEER" unmount "$two"
	is '' "$(dmsetup table --target verity)"
	"$VENEER" detach plain
	healthy
}

# A kill at each point of a verified mount or its end: nothing is left that is not recorded.
# shellcheck disable=SC2154 # fails() sets stderr
killed_views() {
	local n got
	VENEER_CRASH_AT='?' "$VENEER_CRASH" attach --verity --name v debian:12 2>&1 >/dev/null |
		awk '$1 == "crash" { n++; if ($3 ~ /^view/) print n }' >"$WORK/making"
	VENEER_CRASH_AT='?' "$VENEER_CRASH" detach v 2>&1 >/dev/null |
		awk '$1 == "crash" { n++; if ($3 ~ /^view/) print n }' >"$WORK/ending"
	check 'there are points' test -s "$WORK/making" -a -s "$WORK/ending"
	while read -r n; do
		VENEER_CRASH_AT="*:$n" fails 137 "$VENEER_CRASH" attach --verity --name v debian:12
		"$VENEER" check || { echo "after $stderr"; return 1; }
		if "$VENEER" detach v 2>/dev/null; then
			"$VENEER" check || { echo "after $stderr"; return 1; }
		fi
		no_leftovers || { echo "after $stderr"; return 1; }
		is '' "$(hash_trees)" "hash tree after $stderr"
	done <"$WORK/making"
	while read -r n; do
		"$VENEER" attach --verity --name v debian:12 >/dev/null
		VENEER_CRASH_AT="*:$n" fails 137 "$VENEER_CRASH" detach v
		"$VENEER" check || { echo "after $stderr"; return 1; }
		no_leftovers || { echo "after $stderr"; return 1; }
		is '' "$(hash_trees)" "hash tree after $stderr"
	done <"$WORK/ending"
}

# What the folder verity/ holds is hostile input.
foreign_digests() {
	local base=$lists/${chains[0]#sha256:} top=$lists/${chains[1]#sha256:}
	cp "$top" "$WORK/top"
	truncate -s -100 "$top"
	fails 1 "$VENEER" verify debian:12
	contains "the file's length is wrong" "$("$VENEER" verify debian:12 || true)"
	fails 1 "$VENEER" mount --verity debian:12
	cp "$base" "$top"
	contains 'belong to another layer' "$("$VENEER" verify debian:12 || true)"
	fails 1 "$VENEER" check
	"$VENEER" check --repair
	check 'it was removed' test ! -e "$top"
	out=$("$VENEER" verify debian:12 2>&1)
	contains 'it has no digests' "$out"
	fails 1 "$VENEER" mount --verity debian:12
	contains 'verify --add' "$stderr"
	"$VENEER" verify --add debian:12
	cmp "$top" "$WORK/top"
	rm "$base"
	"$VENEER" check
	contains 'it has no digests' "$("$VENEER" verify debian:12 2>&1)"
	"$VENEER" verify --add debian:12
	is '' "$("$VENEER" verify debian:12 2>&1)"
	: >"$lists/stray"
	: >"$lists/tree-99"
	fails 1 "$VENEER" check
	"$VENEER" check --repair
	healthy
}

# Where a scrub goes on: a number that rises with its layers and their blocks.
scrub_place() {
	local thin first
	read -r _ _ _ thin first _ <"$VENEER_ROOT/scrub"
	echo $((thin * 1000000 + first))
}

# A scrub finds it, and goes on where it was when it is killed.
scrubbing() {
	local status=0 out
	image_device debian:12
	block=$(look_inside 'blocks /usr/bin/bash' | awk '{ print $7 }')
	"$VENEER" detach look
	damage "${ids[0]}" "$block"
	VENEER_CRASH_AT=scrub-saved fails 137 "$VENEER_CRASH" scrub --rate 16M
	place=$(scrub_place)
	printf '%s\n' "$stderr" >"$WORK/killed"
	timeout -s INT 2 "$VENEER" scrub --rate 4M >"$WORK/out" 2>&1 || status=$?
	check "it was stopped ($status)" test "$status" != 0
	check 'it went on from there' test "$(scrub_place)" -gt "$place"
	status=0
	out=$("$VENEER" scrub --rate 1G 2>&1) || status=$?
	restore
	is 1 "$status"
	contains '1 damaged block' "$out"
	contains '/usr/bin/bash' "$(cat "$WORK/killed" "$WORK/out")$out"
	check 'no place is remembered' test ! -e "$VENEER_ROOT/scrub"
	echo nonsense >"$VENEER_ROOT/scrub"
	"$VENEER" scrub --rate 1G
	healthy
}

# Layers that a build has made.
built_layers() {
	mkdir -p "$WORK/context"
	echo built >"$WORK/context/file"
	printf 'FROM debian:12\nCOPY file /file\n' >"$WORK/context/Dockerfile"
	"$VENEER" build -q -t built "$WORK/context"
	out=$("$VENEER" verify built 2>&1)
	is '' "$out"
	is 3 "$(find "$lists" -type f | wc -l)" 'lists of digests'
	dir=$("$VENEER" mount --verity built)
	is built "$(cat "$dir/file")"
	"$VENEER" unmount "$dir"
	"$VENEER" rmi built >/dev/null
	"$VENEER" builder prune -af >/dev/null
	is 2 "$(find "$lists" -type f | wc -l)" 'lists of digests'
	healthy
}

# They go with their layer.
removed_with_layer() {
	"$VENEER" rmi debian:12 >/dev/null
	is '' "$(ls "$lists")" 'lists left'
	healthy
}

prepare
case_ 'an image as it was loaded verifies' clean_image
case_ 'damage in a file names it' damaged_content
case_ 'damage in a directory names it' damaged_directory
case_ 'what cannot be read is damage' unreadable_content
case_ 'damage in an inode table names the files' damaged_inodes
case_ 'a verified mount shows the image, and leaves nothing' verified_mount
case_ 'a verified view does not show what is damaged' damage_is_not_shown
case_ 'verified views and others side by side' views_side_by_side
case_ 'a verified view that is killed at each of its points' killed_views
case_ 'digests that are damaged, foreign or missing' foreign_digests
case_ 'a scrub finds damage, and goes on after an interruption' scrubbing
case_ 'layers of a build have digests' built_layers
case_ 'digests go with their layer' removed_with_layer

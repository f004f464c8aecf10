#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 600
# long
# Archives that are odd but legal, or large: the mounted tree is what they say, in little memory.
# shellcheck disable=SC2154 # lib-odd.sh sets mnt and odd
# shellcheck source=tests/vm/lib-odd.sh
. "$(dirname "$0")/lib-odd.sh"

no_terminal_input() {
	out=$(script -qec "'$VENEER' load; echo status \$?" /dev/null)
	is $'requested load from stdin, but stdin is empty\r\nstatus 1\r' "$out"
}

progress_only_on_terminals() {
	out=$(script -qec "'$VENEER' load -i $WORK/legal/merge.tar" /dev/null)
	contains 'Loading layer' "$out"
	"$VENEER" rmi odd:1 >/dev/null
	out=$(script -qec "'$VENEER' load -q -i $WORK/legal/merge.tar" /dev/null)
	is $'Loaded image: odd:1\r' "$out"
	"$VENEER" rmi odd:1 >/dev/null
	out=$("$VENEER" load -i "$WORK/legal/merge.tar" 2>&1)
	is 'Loaded image: odd:1' "$out"
	"$VENEER" rmi odd:1 >/dev/null
}

# What is mounted is, to the last attribute, what the archive says.
takes() {
	"$VENEER" load "$@" >"$WORK/out" 2>"$WORK/err"
	is 'Loaded image: odd:1' "$(cat "$WORK/out")"
	is '' "$(cat "$WORK/err")" 'standard error'
	"$VENEER" mount odd:1 "$mnt"
	python3 "$odd" list "$mnt" | diff "$tree" - || return 1
	"$VENEER" unmount "$mnt"
}

takes_odd() {
	remember
	tree=$WORK/legal/$1.tree
	takes -i "$WORK/legal/$1.tar"
	dev=$("$VENEER" attach odd:1)
	e2fsck -fn "$dev" >/dev/null
	"$VENEER" detach "$dev"
	"$VENEER" rmi odd:1 >/dev/null
	nothing_left
}

# The same archive in other wrappings, and a second time.
takes_wrapped() {
	remember
	tree=$WORK/legal/merge.tree
	mkdir -p "$WORK/folder"
	tar -C "$WORK/folder" -xf "$WORK/legal/oci-platforms.tar"
	for wrapped in xz bzip2; do
		"$wrapped" -c "$WORK/legal/merge.tar" >"$WORK/wrapped"
		takes -i "$WORK/wrapped"
		"$VENEER" rmi odd:1 >/dev/null
	done
	# GNU tar's own kinds of header outside, with a volume's name and with holes.
	rm -rf "$WORK/members"
	mkdir "$WORK/members"
	tar -C "$WORK/members" -xf "$WORK/legal/merge.tar"
	for layer in "$WORK/members/"?.tar; do cp --sparse=always "$layer" "$WORK/holes" && mv "$WORK/holes" "$layer"; done
	tar -C "$WORK/members" --format=gnu --label=backup -cf "$WORK/wrapped" .
	takes -i "$WORK/wrapped"
	tar -C "$WORK/members" --format=posix --sparse -cf "$WORK/wrapped" .
	takes -i "$WORK/wrapped"
	takes -i "$WORK/folder" # has the same layers, in zstd
	id=$("$VENEER" images -q odd:1)
	takes -i "$WORK/legal/merge.tar"
	is "$id" "$("$VENEER" images -q odd:1)" 'the same image'
	is 5 "$(layer_field ChainID | wc -l)" layers
	"$VENEER" rmi odd:1 >/dev/null
	nothing_left
	untouched
}

moves_name() {
	"$VENEER" load -q -i "$WORK/legal/sparse.tar"
	id=$("$VENEER" images -q --no-trunc odd:1)
	out=$("$VENEER" load -q -i "$WORK/legal/merge.tar")
	is "The image odd:1 already exists, renaming the old one with ID $id to empty string
Loaded image: odd:1" "$out"
	"$VENEER" rmi odd:1 "$id" >/dev/null
	untouched
}

peak_below() {
	local limit=$1 peak
	shift
	peak=$(python3 "$odd" peak "$@" | tail -n 1) || true
	printf 'peak of %s KiB\n' "$peak"
	[ "$peak" -gt 1000 ] && [ "$peak" -lt $((limit * 1024)) ]
}

many_tiny_files() {
	python3 "$odd" tiny 50000 >"$WORK/tiny.tar"
	peak_below 64 "$VENEER" load -q -i "$WORK/tiny.tar"
	"$VENEER" mount odd:1 "$mnt"
	is 50050 "$(find "$mnt" -mindepth 1 ! -name lost+found | wc -l)" entries
	is 49999 "$(cat "$mnt/d49/f49999")"
	"$VENEER" unmount "$mnt"
	"$VENEER" rmi odd:1 >/dev/null
	rm "$WORK/tiny.tar"
	untouched
}

# Documents and headers that are made to take memory.
greedy_documents() {
	for file in manifest-values manifest-deep members-too-many member-sparse-map \
		layer-tar-attributes-many layer-tar-pax-large; do
		peak_below 64 "$VENEER" load -q -i "$WORK/bad/$file.tar" 2>"$WORK/err"
		is 1 "$(wc -l <"$WORK/err")" 'lines of errors'
	done
	untouched
}

# More files than a volume has inodes, more bytes than it has blocks.
full_volume() {
	"$VENEER" pool destroy --force
	"$VENEER" pool create --files 512M --volume-size 64M >/dev/null
	tar -C "$WORK/keep" -c kept | "$VENEER" import - keep:1 >/dev/null
	tar -C "$WORK/outside" -c . | "$VENEER" import - odd:0 >/dev/null
	remember
	python3 "$odd" tiny 9000 >"$WORK/tiny.tar"
	refuse 'larger --volume-size: a volume of this pool holds at most 8192 files' \
		"$VENEER" load -i "$WORK/tiny.tar"
	refuse 'larger --volume-size: a volume of this pool holds at most 5' "$VENEER" load -i "$WORK/bomb.tar"
	untouched
}

# A megabyte of archive that unpacks to more than the pool has.
full_pool() {
	store_with_images 256M
	python3 "$odd" bomb 600 >"$WORK/bomb.tar"
	check 'the archive is small' test "$(stat -c %s "$WORK/bomb.tar")" -lt 5000000
	started=$SECONDS
	refuse 'no space left in the pool' "$VENEER" load -i "$WORK/bomb.tar"
	check 'it fails soon' test $((SECONDS - started)) -lt 60
	untouched
	# The space is there for others.
	remember
	tree=$WORK/legal/merge.tree
	takes -i "$WORK/legal/merge.tar"
	"$VENEER" rmi odd:1 >/dev/null
	refuse 'no space left in the pool' "$VENEER" load -i "$WORK/bomb.tar"
	untouched
}

# on_small_disk CASE POOL_ARGUMENTS... - the store lies on a disk of 96 MiB of its own
on_small_disk() {
	local status=0 case=$1
	shift
	truncate -s 96M "$WORK/disk"
	mkfs.ext4 -q -F "$WORK/disk"
	mkdir -p "$WORK/small"
	mount -o loop "$WORK/disk" "$WORK/small"
	export VENEER_ROOT=$WORK/small/root
	"$VENEER" pool create "$@" >/dev/null
	tar -C "$WORK/keep" -c kept | "$VENEER" import - keep:1 >/dev/null
	tar -C "$WORK/outside" -c . | "$VENEER" import - odd:0 >/dev/null
	remember
	"$case" || status=$?
	"$VENEER" pool destroy --force
	umount "$WORK/small"
	return $status
}

# Of a pipe every member waits in the store until the manifest is there.
no_room_to_wait() {
	head -c 150M /dev/zero | tr '\0' x >"$WORK/large"
	cp "$WORK/legal/merge.tar" "$WORK/large.tar"
	tar -C "$WORK" -rf "$WORK/large.tar" large
	refuse 'No space left on device' bash -c "cat $WORK/large.tar | '$VENEER' load"
	rm "$WORK/large" "$WORK/large.tar"
	untouched
}

# The pool's files cannot grow, although the pool has room.
disk_below_pool() {
	refuse 'no space left on the disk' "$VENEER" load -i "$WORK/bomb.tar"
	untouched
	remember
	tree=$WORK/legal/merge.tree
	takes -i "$WORK/legal/merge.tar"
	"$VENEER" rmi odd:1 >/dev/null
	nothing_left
}

store_with_images 512M
case_ 'a terminal is no archive' no_terminal_input
case_ 'progress on a terminal only, and not with -q' progress_only_on_terminals
for tree in "$WORK/legal/"*.tree; do
	name=$(basename "$tree" .tree)
	case_ "taken: $name" takes_odd "$name"
done
case_ 'taken: other wrappings, a folder, twice' takes_wrapped
case_ 'a name moves to the new image' moves_name
case_ 'greedy documents get little memory' greedy_documents
case_ '50,000 tiny files in little memory' many_tiny_files
case_ 'a pool that runs full' full_pool
case_ 'a volume that runs full' full_volume
"$VENEER" pool destroy --force
case_ 'no room for what must wait' on_small_disk no_room_to_wait --data "$DISK1"
case_ 'a disk that runs full below the pool' on_small_disk disk_below_pool --files 1G

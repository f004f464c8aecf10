#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Named volumes: made, used as a folder and as a disk, grown, kept, rolled back and removed.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }
state() { v volume inspect -f '{{.State}}' "$1"; }

no_devices() {
	is '' "$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -vE -- '-(pool|data|meta)$' || true)" 'devices left'
	is '' "$(ls /dev/veneer 2>/dev/null || true)" 'links left'
	is '' "$(ls "$VENEER_ROOT/mounts")" 'mount points left'
}

from_an_image() {
	local dir id
	is srv "$(v volume create srv debian:12)"
	no_devices
	dir=$(v volume mount srv)
	is "$VENEER_ROOT/mounts/srv" "$dir"
	is mounted "$(state srv)"
	check 'the files of the image' test -e "$dir/etc/debian_version"
	echo kept >"$dir/mine"
	is "$dir" "$(v volume mount srv)" 'again'
	fails 1 "$VENEER" volume rm srv
	contains "remove volume srv: it is mounted at $dir: 'veneer volume unmount srv' first" "$stderr"
	fails 1 "$VENEER" volume attach srv
	v rmi debian:12 >/dev/null
	is kept "$(cat "$dir/mine")" 'the image is gone'
	id=$(findmnt -no UUID "$dir" 2>/dev/null || blkid -o value -s UUID /dev/veneer/srv)
	v volume unmount "$dir"
	no_devices
	v volume create other >/dev/null
	v volume attach other >/dev/null
	check 'each has a UUID of its own' test "$id" != "$(blkid -p -o value -s UUID /dev/veneer/other)"
	v volume detach other
	v volume rm other >/dev/null
	dir=$(v volume mount srv --read-only -o nodev)
	is kept "$(cat "$dir/mine")"
	check 'read only' not touch "$dir/x"
	contains nodev "$(findmnt -no OPTIONS "$dir" 2>/dev/null || grep " $dir " /proc/self/mounts)"
	v volume unmount srv
	fails 1 "$VENEER" volume mount srv -o ro,user_xattr
	contains "unknown mount option 'user_xattr'" "$stderr"
	v volume rm srv >/dev/null
	no_devices
	healthy
}

not() { ! "$@" 2>/dev/null; }

grows() {
	local dir sum
	v volume create big --size 512M >/dev/null
	dir=$(v volume mount big)
	dd if=/dev/urandom of="$dir/data" bs=1M count=8 2>/dev/null
	sum=$(sha256sum <"$dir/data")
	check 'small at first' test "$(df -k --output=size "$dir" | tail -n 1)" -lt $((512 << 10))
	v volume grow big --size 2G
	check 'its file system has grown while it was mounted' test "$(df -k --output=size "$dir" | tail -n 1)" -gt $((1800 << 10))
	v volume unmount big
	v volume grow big --size 3G
	dir=$(v volume mount big)
	check 'and unmounted' test "$(df -k --output=size "$dir" | tail -n 1)" -gt $((2700 << 10))
	is "$sum" "$(sha256sum <"$dir/data")"
	v volume unmount big
	fails 1 "$VENEER" volume grow big --size 1G
	contains 'grow volume big: it has 3221225472 bytes and cannot become smaller' "$stderr"
	v volume attach big >/dev/null
	is 3221225472 "$(blockdev --getsize64 /dev/veneer/big)"
	v volume grow big --size 4G
	is 4294967296 "$(blockdev --getsize64 /dev/veneer/big)" 'attached'
	e2fsck -fn /dev/veneer/big >"$WORK/fsck" 2>&1 || { cat "$WORK/fsck"; return 1; }
	v volume detach big
	v volume rm big >/dev/null
	no_devices
	healthy
}

# What is taken of a mounted volume is whole, and stays as it was.
snapshots() {
	local dir
	v volume create db --size 512M >/dev/null
	dir=$(v volume mount db)
	echo one >"$dir/row"
	is db-1 "$(v volume snapshot db db-1)"
	echo two >"$dir/row"
	v volume unmount db
	v volume mount db-1 >/dev/null
	is one "$(cat "$VENEER_ROOT/mounts/db-1/row")"
	check 'only for reading' not touch "$VENEER_ROOT/mounts/db-1/x"
	v volume unmount db-1
	v volume snapshot --rw db copy >/dev/null
	fails 1 "$VENEER" volume rollback -f db copy2
	contains 'no such volume: copy2' "$stderr"
	v volume rollback -f db db-1
	is one "$(cat "$(v volume mount db)/row")"
	is two "$(cat "$(v volume mount copy)/row")"
	fails 1 "$VENEER" volume rollback -f db db-1
	contains 'it is mounted at' "$stderr"
	v volume unmount db copy
	fails 1 "$VENEER" volume rollback -f copy db-1
	contains "'db-1' is no snapshot of it" "$stderr"
	fails 1 "$VENEER" volume grow db-1 --size 1G
	v volume rename db-1 first
	is $'copy\ndb\nfirst' "$(v volume ls -q)"
	is db "$(v volume inspect -f '{{.SnapshotOf}}' first)"
	is $'first\ncopy\ndb' "$(v volume rm first copy db)"
	no_devices
	healthy
}

# A new tenant reads zeros where the one before him wrote.
no_former_bytes() {
	local before
	v volume create one --raw --size 256M >/dev/null
	v volume attach one >/dev/null
	fails 1 "$VENEER" volume mount one
	contains "it is raw: 'veneer volume attach one' gives its device" "$stderr"
	python3 -c '
import os
fd = os.open("/dev/veneer/one", os.O_WRONLY)
for block in range(64): os.pwrite(fd, b"a secret of the first tenant...\n" * 32768, block << 20)
os.fsync(fd)'
	is "$(readlink -f /dev/veneer/one)" "$(readlink -f "$(v volume attach one)")" 'again'
	v volume detach /dev/veneer/one
	v volume rm one >/dev/null
	v volume create two --raw --size 256M >/dev/null
	before=$(pool_used)
	v volume attach two >/dev/null
	# One sector in each block of the pool: the rest of the block is what a leak would be.
	python3 -c '
import os
fd = os.open("/dev/veneer/two", os.O_WRONLY)
for block in range(1, 1024): os.pwrite(fd, b"b" * 512, block * 65536)
os.fsync(fd)'
	check 'it has the blocks of the first' test "$(pool_used)" -ge $((before + (60 << 20)))
	is 0 "$(grep -c secret /dev/veneer/two || true)" 'lines of the first tenant'
	v volume detach two
	v volume rm two >/dev/null
	no_devices
	healthy
}

refuses() {
	fails 1 "$VENEER" volume create ../x
	contains "invalid name '../x'" "$stderr"
	fails 1 "$VENEER" volume create tiny --size 1M
	contains 'volume tiny: size 1048576 is too small' "$stderr"
	fails 1 "$VENEER" volume create less debian:12 --size 100M
	contains "the size of the image's file system" "$stderr"
	fails 1 "$VENEER" volume create x nothing:here
	v attach --name taken debian:12 >/dev/null
	fails 1 "$VENEER" volume create taken
	contains "the name 'taken' is taken by an attached image" "$stderr"
	v detach taken
	v volume create taken >/dev/null
	fails 1 "$VENEER" volume create taken
	contains "the name 'taken' is taken by a volume" "$stderr"
	fails 1 "$VENEER" attach --name taken debian:12
	fails 125 "$VENEER" run --rm -v taken:/data debian:12 true
	contains "volume taken is a disk: mount it with 'veneer volume mount taken DIR'" "$stderr"
	check 'no folder of that name' test ! -e "$VENEER_ROOT/volumes/taken"
	v volume rm taken >/dev/null
	fails 1 "$VENEER" volume unmount none
	contains 'no such volume: none' "$stderr"
	no_devices
}

# The catalogue is lost: what people wrote is not.
comes_back() {
	local dir
	v volume create precious debian:12 >/dev/null
	dir=$(v volume mount precious)
	echo gold >"$dir/gold"
	v volume unmount precious
	v volume create blank --raw --size 128M >/dev/null
	rm -f "$VENEER_ROOT"/catalogue.db*
	fails 1 "$VENEER" check --repair
	"$VENEER" check --rebuild >"$WORK/rebuild" 2>&1 || { cat "$WORK/rebuild"; return 1; }
	contains 'volume precious is back' "$(cat "$WORK/rebuild")"
	is $'blank\nprecious' "$(v volume ls -q)"
	is gold "$(cat "$(v volume mount precious)/gold")"
	v volume unmount precious
	v volume rm precious blank >/dev/null
	healthy
}

fresh_store 4G
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_ 'a volume has what its image has, and stays' from_an_image
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_ 'a volume grows with its file system while it is used' grows
case_ 'snapshots, and back to them' snapshots
case_ 'a new tenant reads nothing of the one before' no_former_bytes
case_ 'what cannot be says why' refuses
case_ 'a lost catalogue loses no volume' comes_back

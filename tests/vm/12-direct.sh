#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Layers written as blocks are, to the last attribute, those written through a mount.
# shellcheck source=tests/vm/lib-odd.sh
. "$(dirname "$0")/lib-odd.sh"
# shellcheck source=tests/vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

# Everything that can be seen of a tree but times of access and inode numbers, contents as digests.
list_tree() {
	(cd "$1" && find . -xdev -printf '%P|%y|%m|%U|%G|%n|%T@|%l|' \
		\( -type f -printf '%s' -o -printf '-' \) -printf '\n' | LC_ALL=C sort
	find . -xdev \( -type b -o -type c \) -exec stat -c '%n %t %T' {} + | LC_ALL=C sort
	getfattr -Rdhm- -e hex . 2>/dev/null | awk 'BEGIN { RS = ""; FS = "\n" } { print $0 }' | LC_ALL=C sort
	find . -xdev -type f -links +1 -printf '%i %P\n' | LC_ALL=C sort -n | awk '
		$1 != last { name = $2 } { print name, $2; last = $1 }' | LC_ALL=C sort
	find . -xdev -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
}

# Each layer by itself, also those that no image ends with.
check_layers() {
	local id pool size
	pool=$(dmsetup ls | awk '/-pool\t/ { print $1 }')
	size=$(($("$VENEER" pool status --format json | jq -r .VolumeSize) / 512))
	for id in $(layer_field ThinID); do
		dmsetup create one-layer --readonly --table "0 $size thin /dev/mapper/$pool $id"
		e2fsck -fn /dev/mapper/one-layer >"$WORK/fsck" 2>&1 || {
			cat "$WORK/fsck"
			dmsetup remove one-layer
			return 1
		}
		dmsetup remove one-layer
	done
}

# loaded WRITER ARCHIVE NAME LIST - the tree of an image that this writer made
loaded() {
	"$VENEER" load -q --writer "$1" -i "$2" >/dev/null 2>"$WORK/err"
	is '' "$(cat "$WORK/err")" 'standard error'
	"$VENEER" mount "$3" "$mnt" >/dev/null
	list_tree "$mnt" >"$4"
	"$VENEER" unmount "$mnt"
	check_layers
	layer_field OwnSize >"$4.own"
	"$VENEER" rmi "$3" >/dev/null
	healthy
}

both_agree() {
	fresh_store 2G
	for archive in "${@:2}"; do
		printf '%s\n' "$archive"
		loaded direct "$archive" "$1" "$WORK/direct"
		loaded mount "$archive" "$1" "$WORK/mounted"
		diff "$WORK/mounted" "$WORK/direct"
		paste "$WORK/mounted.own" "$WORK/direct.own"
	done
}

# The kernel goes on where the blocks end, and the other way round.
on_each_other() {
	fresh_store 2G
	mkdir -p "$WORK/ctx"
	printf 'FROM debian:12\nRUN rm -rf /usr/lib/x86_64-linux-gnu/gconv && cp -a /etc /etc2 && ln /etc2/passwd /passwd\n' >"$WORK/ctx/Dockerfile"
	"$VENEER" import "$IMAGES/layer1.tar" one:1 >/dev/null
	"$VENEER" load -q --writer direct -i "$IMAGES/oci.tar" >/dev/null
	is 2 "$(layer_field ChainID | wc -l)" 'layers, the lower one through a mount'
	"$VENEER" build -q -t two "$WORK/ctx" >/dev/null
	check_layers
	"$VENEER" save -o "$WORK/two.tar" two
	"$VENEER" rmi two >/dev/null
	"$VENEER" load -q --writer direct -i "$WORK/two.tar" >/dev/null
	check_layers
	"$VENEER" mount --rw two "$mnt" >/dev/null
	cmp "$mnt/passwd" "$mnt/etc/passwd"
	rm -rf "${mnt:?}/usr/share"
	cp -a "$mnt/usr/lib" "$mnt/lib2"
	"$VENEER" unmount "$mnt"
	healthy
	"$VENEER" rmi two debian:12 one:1 >/dev/null
}

# The process dies between the writes of a layer: nothing of it stays, and the next one succeeds.
killed_anywhere() {
	local archive=$WORK/legal/merge.tar point points
	fresh_store 2G
	points=$(ONLY='^(blocks|layer)-' passages load -q --writer direct -i "$archive")
	check 'it passes points' test -n "$points"
	"$VENEER" rmi odd:1 >/dev/null
	for point in $points; do
		! VENEER_CRASH_AT="*:$point" "$VENEER_CRASH" load -q --writer direct -i "$archive" >/dev/null 2>&1 ||
			{ printf 'not killed at %s\n' "$point"; return 1; }
		healthy
		"$VENEER" load -q --writer direct -i "$archive" >/dev/null
		check_layers
		"$VENEER" mount odd:1 "$mnt"
		python3 "$odd" list "$mnt" | diff "$WORK/legal/merge.tree" -
		"$VENEER" unmount "$mnt"
		"$VENEER" rmi odd:1 >/dev/null
	done
	healthy
}

falls_back() {
	"$VENEER" pool destroy --force >/dev/null
	"$VENEER" pool create --files 2G --fs xfs >/dev/null
	"$VENEER" load -q --writer direct -i "$WORK/legal/merge.tar" >/dev/null 2>"$WORK/err"
	contains 'xfs is written by the kernel' "$(cat "$WORK/err")"
	"$VENEER" rmi odd:1 >/dev/null
	healthy
	fails 1 "$VENEER" load --writer other -i "$WORK/legal/merge.tar"
	contains 'must be "auto", "direct" or "mount"' "$stderr"
}

# Each command that adds layers has the option.
import_chooses() {
	fresh_store 2G
	tar -C /etc -cf "$WORK/layer.tar" .
	for writer in direct:'as blocks' mount:'through a mount'; do
		"$VENEER" --debug import --writer "${writer%%:*}" "$WORK/layer.tar" odd:1 >/dev/null 2>"$WORK/err"
		contains "files are written ${writer#*:}" "$(cat "$WORK/err")"
		"$VENEER" rmi odd:1 >/dev/null
		healthy
	done
	fails 1 "$VENEER" import --writer other "$WORK/layer.tar" odd:1
	contains 'invalid argument "other" for "--writer" flag' "$stderr"
}

case_ 'a real image' both_agree debian:12 "$IMAGES/oci.tar"
case_ 'odd archives' both_agree odd:1 "$WORK/legal/"{merge,kinds,sparse}.tar
case_ 'the same, read ahead of their turn' ahead both_agree odd:1 "$WORK/legal/"{merge,oci-platforms}.tar
case_ 'an import by the writer that is asked for' import_chooses
case_ 'layers of both writers on each other' on_each_other
case_ 'a kill between the writes of a layer' killed_anywhere
case_ 'a kill while the next layers are read' ahead killed_anywhere
case_ 'what the kernel has to write it does' falls_back

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mounting, attaching, naming and removing.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

load() {
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
}

writable_mount() {
	before=$(pool_used)
	"$VENEER" mount --rw debian:12 "$mnt"
	echo mine >"$mnt/etc/mine"
	"$VENEER" unmount "$mnt"
	is "$before" "$(pool_used)" 'pool bytes after unmount'
	"$VENEER" mount debian:12 "$mnt"
	check 'the image is untouched' test ! -e "$mnt/etc/mine"
	fails 1 touch "$mnt/etc/x"
	"$VENEER" unmount debian:12
	healthy
}

busy_mount() {
	"$VENEER" mount debian:12 "$mnt"
	(cd "$mnt" && fails 1 "$VENEER" unmount "$mnt" && contains busy "${stderr,,}")
	fails 1 "$VENEER" rmi debian:12
	contains "mounted at '$mnt'" "$stderr"
	fails 1 "$VENEER" pool destroy --force
	"$VENEER" unmount "$mnt"
	healthy
}

mount_of_its_own() {
	dir=$("$VENEER" mount debian:12)
	is veneer-test "$(cat "$dir/etc/hostname")"
	other=$("$VENEER" mount debian:12)
	check 'two views have two folders' test "$dir" != "$other"
	fails 1 "$VENEER" unmount debian:12
	"$VENEER" unmount "$dir"
	"$VENEER" unmount "$other"
	check 'the folder is gone' test ! -e "$dir"
	healthy
}

attach_and_detach() {
	link=$("$VENEER" attach debian:12)
	is /dev/veneer/debian-12 "$link"
	e2fsck -fn "$link"
	is 1 "$(blockdev --getro "$link")" 'read-only flag'
	second=$("$VENEER" attach --rw debian:12)
	is 0 "$(blockdev --getro "$second")" 'read-only flag'
	fails 1 "$VENEER" rmi debian:12
	contains "attached as '/dev/veneer/debian-12" "$stderr"
	"$VENEER" detach "$link"
	"$VENEER" detach "$(basename "$second")"
	check 'the links are gone' test ! -e "$link" -a ! -e "$second"
	fails 1 "$VENEER" detach nothing
	healthy
}

names() {
	"$VENEER" tag debian:12 registry.example:5000/team/app:1
	is 2 "$("$VENEER" images -q | wc -l)"
	is "$("$VENEER" images -q debian)" "$("$VENEER" images -q registry.example:5000/team/app)"
	is 'Untagged: registry.example:5000/team/app:1' "$("$VENEER" rmi registry.example:5000/team/app:1)"
	fails 1 "$VENEER" tag nothing x
	contains 'No such image: nothing:latest' "$stderr"
	fails 1 "$VENEER" rmi nothing
	is 'No such image: nothing' "$stderr"
	fails 1 "$VENEER" tag debian:12 'Bad Name'
	contains 'is not a valid repository/tag' "$stderr"
}

removal() {
	id=$("$VENEER" images -q --no-trunc)
	out=$("$VENEER" rmi debian:12)
	is 4 "$(wc -l <<<"$out")" 'lines: one untagged, image and two layers deleted'
	is "Untagged: debian:12" "$(head -n 1 <<<"$out")"
	contains "Deleted: $id" "$out"
	healthy
	load
	"$VENEER" tag debian:12 other:1
	fails 1 "$VENEER" rmi "${id:7:12}"
	contains 'must be forced' "$stderr"
	"$VENEER" rmi -f "${id:7:12}"
	is '' "$("$VENEER" images -q)"
	load
}

prune() {
	"$VENEER" tag debian:12 keep:1
	is 'Total reclaimed space: 0B' "$("$VENEER" image prune -f)"
	out=$("$VENEER" image prune -af)
	contains 'deleted: sha256:' "$out"
	contains 'untagged: keep:1' "$out"
	is '' "$("$VENEER" images -q)"
	healthy
	load
}

formats() {
	is 'debian 12' "$("$VENEER" images --format '{{.Repository}} {{.Tag}}')"
	is '' "$("$VENEER" images -q --filter dangling=true)"
	is 1 "$("$VENEER" images -q --filter label=org.example.team=storage | wc -l)"
	is 0 "$("$VENEER" images -q --filter label=org.example.team=other | wc -l)"
	fails 64 "$VENEER" inspect -f '{{.Nope' debian:12
	fails 125 "$VENEER" images --nope
	fails 1 "$VENEER" images a b
	is amd64 "$("$VENEER" image inspect -f '{{.Architecture}}' debian:12)"
}

after_reboot() {
	"$VENEER" mount debian:12 "$mnt"
	umount "$mnt" # as a reboot would, behind veneer's back
	"$VENEER" pool deactivate
	fails 1 "$VENEER" check
	contains "recorded, but not there" "$("$VENEER" check || true)"
	"$VENEER" check --repair
	healthy
}

fresh_store 2G
load
case_ 'a writable mount is private and leaves nothing' writable_mount
case_ 'what is in use stays, and the error says by what' busy_mount
case_ 'mount points of its own' mount_of_its_own
case_ 'block devices with stable links' attach_and_detach
case_ 'names' names
case_ 'rmi by name, by id, forced' removal
case_ 'image prune' prune
case_ 'filters and templates' formats
case_ 'mounts that a reboot has ended' after_reboot

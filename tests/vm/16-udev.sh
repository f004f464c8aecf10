#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# With a running udevd and our rules: cookies are answered, links appear, nothing probes volumes.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
rules=/run/udev/rules.d
mkdir -p "$mnt" "$VENEER_ROOT"
unset DM_DISABLE_UDEV

if [ ! -x /lib/systemd/systemd-udevd ]; then
	echo 'skip udev: no systemd-udevd (package udev)'
	exit 0
fi

start_udev() {
	local file
	mkdir -p "$rules"
	for file in "$(dirname "$0")"/../../udev/*.rules.in; do
		cp "$file" "$rules/$(basename "$file" .in)"
	done
	/lib/systemd/systemd-udevd --daemon
	udevadm trigger --subsystem-match=block --action=add
	udevadm settle --timeout=60
}
stop_udev() {
	udevadm control --exit
	rm -f "$rules"/*veneer*
}

# What udev knows of a device: properties, and links as "S:".
known() {
	udevadm info "/dev/$1"
}
name_of() { # the name of what a link or node leads to
	cat "/sys/block/$(basename "$(readlink -f "$1")")/dm/name"
}
dm_of() { # the dm-N of a device-mapper name
	basename "$(readlink -f "/dev/mapper/$1")"
}
pool_device() { # data, meta or pool
	dmsetup ls | awk -v part="-$1$" '/^veneer-/ && $1 ~ part { print $1 }'
}

# Every event has been dealt with, and no semaphore of a cookie is left.
no_cookies() {
	udevadm settle --timeout=30
	is '' "$(dmsetup udevcookies | grep '^0x')" cookies
	is '' "$(ipcs -s | grep -i 0x0d4d)" semaphores
}

# NAME [LINK] - udev has made its link, and looked at nothing in it; systemd may use what has a name
left_alone() {
	local name=$1 link=${2:-} info
	check "link of $name" test -L "/dev/mapper/$name"
	info=$(known "$(dm_of "$name")")
	contains "DM_NAME=$name" "$info"
	if [ -n "$link" ]; then
		contains 'SYSTEMD_READY=1' "$info"
		contains "S: $link" "$info"
		is "$(dm_of "$name")" "$(readlink "/dev/$link" | sed 's#^\(\.\./\)*##')" 'the link is of udev'
	else
		contains 'SYSTEMD_READY=0' "$info"
		is '' "$(grep '^S: veneer/' <<<"$info")" "names of $name"
	fi
	contains 'UDISKS_IGNORE=1' "$info"
	contains 'DM_UDEV_DISABLE_OTHER_RULES_FLAG=1' "$info"
	is '' "$(grep -E 'ID_FS_|ID_PART|disk/by-' <<<"$info")" "what was probed of $name"
	check "no watch on $name" test ! -e "/run/udev/watch/b$(dmsetup info -c --noheadings --separator : -o major,minor "$name")"
}

links() { # of ours in /dev/mapper
	find /dev/mapper -name 'veneer-*' | wc -l
}

create() {
	said=$("$VENEER" -D pool create --data "$DISK1" --volume-size 2G 2>&1) || echo "$said"
	is '' "$(grep -i 'did not answer' <<<"$said")" 'cookies without an answer'
	no_cookies
	for part in pool data meta; do
		left_alone "$(pool_device "$part")"
	done
	is 3 "$(links)" 'links in /dev/mapper'
}

load() {
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
	no_cookies
	is 3 "$(links)" 'links in /dev/mapper'
	is '' "$(find /dev/disk -lname '*/dm-*' 2>/dev/null)" 'links to volumes'
	healthy
}

attached() {
	local link name
	link=$("$VENEER" attach --rw debian:12)
	name=$(name_of "$link")
	no_cookies
	is "/dev/$(dm_of "$name")" "$(readlink -f "$link")" 'where the link leads'
	left_alone "$name" veneer/debian-12
	# Written to and closed: that makes no event for a scan.
	dd if=/dev/zero of="$link" bs=1024 count=1 conv=notrunc status=none
	tune2fs -L found "$link" >/dev/null
	udevadm settle
	left_alone "$name" veneer/debian-12
	# Somebody triggers everything, as at boot.
	for action in change add; do
		udevadm trigger --subsystem-match=block --action=$action
		udevadm settle --timeout=60
		left_alone "$name" veneer/debian-12
		left_alone "$(pool_device pool)"
	done
	check 'no link by label' test ! -e /dev/disk/by-label/found
	"$VENEER" detach "$link"
	no_cookies
	check 'the links are gone' test ! -e "$link" -a ! -e "/dev/mapper/$name"
	healthy
}

# A volume is named as long as it is used.
named() {
	local name
	"$VENEER" volume create data --size 128M >/dev/null
	"$VENEER" volume attach data >/dev/null
	name=$(name_of /dev/veneer/data)
	no_cookies
	left_alone "$name" veneer/data
	is data "$(udevadm info -q property --property=VENEER_LINK --value -n /dev/veneer/data)"
	"$VENEER" volume detach data
	no_cookies
	check 'the links are gone' test ! -e /dev/veneer/data -a ! -e "/dev/mapper/$name"
	is '' "$(ls /run/veneer/links)" 'names left'
	"$VENEER" volume mount data "$mnt" >/dev/null
	no_cookies
	left_alone "$name" veneer/data
	"$VENEER" volume unmount data
	"$VENEER" volume rm data >/dev/null
	no_cookies
	healthy
}

# The device of a container is named while it runs.
container() {
	local name
	"$VENEER" run -d --name web debian:12 sleep 1000 >/dev/null
	name=$(name_of /dev/veneer/containers/web)
	no_cookies
	left_alone "$name" veneer/containers/web
	is web "$("$VENEER" explain --format '{{.Container}}' /dev/veneer/containers/web)"
	"$VENEER" rm -f web >/dev/null
	no_cookies
	check 'the links are gone' test ! -e /dev/veneer/containers/web -a ! -e "/dev/mapper/$name"
	is '' "$(ls /run/veneer/links)" 'names left'
	healthy
}

mounted() {
	"$VENEER" mount --rw debian:12 "$mnt"
	name=$(name_of "$(findmnt -no SOURCE "$mnt")")
	no_cookies
	left_alone "$name"
	"$VENEER" unmount "$mnt"
	no_cookies
	check 'the link is gone' test ! -e "/dev/mapper/$name"
	healthy
}

stop_and_start() {
	"$VENEER" pool deactivate
	no_cookies
	is 0 "$(links)" 'links in /dev/mapper'
	"$VENEER" pool activate
	no_cookies
	left_alone "$(pool_device pool)"
	healthy
}

# udevd is there, but hears nothing: cookies are waited for no longer than said.
deaf() {
	local pid before
	pid=$(pgrep -o systemd-udevd)
	kill -STOP "$pid"
	before=$SECONDS
	said=$("$VENEER" pool deactivate 2>&1 && "$VENEER" pool activate 2>&1)
	kill -CONT "$pid"
	contains 'udev did not answer for cookie' "$said"
	check "took $((SECONDS - before)) s" test $((SECONDS - before)) -lt 40
	no_cookies
	healthy
}

destroy() {
	"$VENEER" pool destroy --force
	no_cookies
	is 0 "$(links)" 'links in /dev/mapper'
	is '' "$(dmsetup ls | grep '^veneer-')" devices
}

dd if=/dev/zero of="$DISK1" bs=1M count=4 oflag=direct status=none
start_udev
case_ 'a pool is made' create
case_ 'an image is loaded' load
case_ 'an attached volume is left alone' attached
case_ 'a named volume is ready for systemd, with its link' named
case_ 'a running container has a link' container
case_ 'a mounted volume is left alone' mounted
case_ 'the pool is stopped and started' stop_and_start
case_ 'a udevd that does not answer' deaf
case_ 'the pool is destroyed' destroy
stop_udev

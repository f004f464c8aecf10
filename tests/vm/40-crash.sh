#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 420
# A kill at every crash point and at random moments: the next command finds the old state or
# the new one, and a repeated command succeeds.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

# make_archive NAME FILE - two small gzip layers; the second has a whiteout
make_archive() {
	local dir=$WORK/make-$1 diffs=() files=() n
	mkdir -p "$dir/1/etc" "$dir/1/data" "$dir/2/etc"
	echo "$1" >"$dir/1/etc/name"
	head -c "${3:-300000}" /dev/urandom >"$dir/1/data/random"
	echo "$1 changed" >"$dir/2/etc/hostname"
	: >"$dir/2/.wh.data"
	for n in 1 2; do
		tar --create --numeric-owner --owner=0 --group=0 -C "$dir/$n" -f "$dir/$n.tar" .
		diffs+=("\"sha256:$(sha256sum <"$dir/$n.tar" | cut -d' ' -f1)\"")
		gzip -1 "$dir/$n.tar"
		files+=("\"$n.tar.gz\"")
	done
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s,%s]}}' \
		"${diffs[@]}" >"$dir/config.json"
	printf '[{"Config":"config.json","RepoTags":["%s:1"],"Layers":[%s,%s]}]' "$1" "${files[@]}" \
		>"$dir/manifest.json"
	tar --create -C "$dir" -f "$2" manifest.json config.json 1.tar.gz 2.tar.gz
	rm -rf "$dir"
}

# What a store is, as far as a user can tell.
state() {
	"$VENEER" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'
	"$VENEER" layers --no-trunc --human=false --format '{{.ChainID}} {{.OwnSize}}'
	pool_used
	ls "$VENEER_ROOT/blobs/sha256"
	grep -c " $mnt " /proc/mounts
	ls /dev/veneer 2>/dev/null
	true
}

# As no_leftovers, but what is recorded as mounted or attached may be there.
tidy() {
	is '' "$(ls "$VENEER_ROOT/sessions")" 'sessions left'
	is '' "$(ls "$VENEER_ROOT/tmp")" 'temporary files left'
	is '' "$(ls "$VENEER_ROOT/chains")" 'locks left'
	is '' "$(dmsetup ls 2>/dev/null | awk '/^veneer-/ { print $1 }' | while read -r name; do
		dmsetup info -c --noheadings -o suspended "$name" | grep -x Suspended
	done)" 'suspended devices'
	[ "$(ls "$VENEER_ROOT/mounts")" = '' ] || is mounts none 'mount points'
}

# kill_everywhere PREPARE COMMAND... - a kill at each passage of any crash point
#
# PREPARE brings the store to the old state; it runs again whenever the new one was found.
kill_everywhere() {
	local prepare=$1 n=0 old new now got where
	shift
	$prepare
	old=$(state)
	"$@" >/dev/null
	new=$(state)
	$prepare
	is "$old" "$(state)" 'prepared state'
	while :; do
		n=$((n + 1))
		[ $n -lt 200 ]
		got=0
		where=$(VENEER=$VENEER_CRASH VENEER_CRASH_AT="*:$n" "$@" 2>&1 >/dev/null) || got=$?
		where=${where##*crash point }
		[ $got != 0 ] || break
		is 137 $got "status of $* with crash point $n: $where"
		echo "$where" >>"$WORK/points"
		"$VENEER" check >"$WORK/check" 2>&1 || {
			echo "after a kill at point $n, $where:"
			cat "$WORK/check"
			return 1
		}
		tidy || { echo "after a kill at point $n, $where"; return 1; }
		now=$(state)
		if [ "$now" = "$new" ]; then
			$prepare
			is "$old" "$(state)" "prepared state after $where"
		elif [ "$now" != "$old" ]; then
			printf 'neither old nor new state after a kill at point %s, %s\nold:\n%s\nnew:\n%s\nnow:\n%s\n' \
				"$n" "$where" "$old" "$new" "$now"
			return 1
		fi
	done
	# The last one was not killed, with all the crashes before it.
	is "$new" "$(state)" 'state at the end'
	healthy_but_views
	printf '%d points\n' $n
}

healthy_but_views() {
	"$VENEER" check
	tidy
}

run() { "$VENEER" "$@"; }

empty() {
	"$VENEER" unmount "$mnt" >/dev/null 2>&1 || true
	"$VENEER" detach name >/dev/null 2>&1 || true
	"$VENEER" rmi -f small:1 >/dev/null 2>&1 || true
}
loaded() {
	empty
	"$VENEER" load -q -i "$WORK/small.tar" >/dev/null
}
mounted() {
	loaded
	"$VENEER" mount "$@" small:1 "$mnt" >/dev/null
}
mounted_rw() { mounted --rw; }
attached() {
	loaded
	"$VENEER" attach --rw --name name small:1 >/dev/null
}

fresh_store 1G
make_archive small "$WORK/small.tar"
t() { local s=$SECONDS; "$@"; echo "# $((SECONDS - s)) s"; }
t case_ 'load, killed at every point' kill_everywhere empty run load -i "$WORK/small.tar"
t case_ 'rmi, killed at every point' kill_everywhere loaded run rmi small:1
t case_ 'image prune, killed at every point' kill_everywhere loaded run image prune -af
t case_ 'a writable mount, killed at every point' kill_everywhere loaded run mount --rw small:1 "$mnt"
t case_ 'a mount, killed at every point' kill_everywhere loaded run mount small:1 "$mnt"
t case_ 'unmount, killed at every point' kill_everywhere mounted_rw run unmount "$mnt"
t case_ 'attach, killed at every point' kill_everywhere loaded run attach --rw --name name small:1
t case_ 'detach, killed at every point' kill_everywhere attached run detach name
sort "$WORK/points" | uniq -c

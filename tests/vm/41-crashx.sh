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

# Blocks of data that the pool has in use.
blocks_used() {
	dmsetup status --noflush "$(dmsetup ls | awk '/-pool/ { print $1 }')" | awk '{ print $6 }'
}

# What a store is, as far as a user can tell, at the price of one command.
state() {
	"$VENEER" images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'
	blocks_used
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

# Which passages of crash points are worth a kill: each point's first and its last, as "*:NUMBER".
passages() {
	VENEER_CRASH_AT='?' VENEER=$VENEER_CRASH "$@" 2>&1 >/dev/null |
		awk '$1 == "crash" { nr++; if (!($3 in first)) first[$3] = nr; last[$3] = nr }
			END { for (n in first) { print first[n]; if (last[n] != first[n]) print last[n] } }' |
		sort -n
}

# kill_everywhere PREPARE COMMAND... - a kill at every crash point
#
# PREPARE brings the store to the old state; it runs again whenever the new one was found.
kill_everywhere() {
	local prepare=$1 n old new now got where
	shift
	$prepare
	old=$(state)
	passages "$@" >"$WORK/passages"
	new=$(state)
	$prepare
	is "$old" "$(state)" 'prepared state'
	while read -r n; do
		got=0
		where=$(VENEER=$VENEER_CRASH VENEER_CRASH_AT="*:$n" "$@" 2>&1 >/dev/null) || got=$?
		where="point $n, ${where##*crash point }"
		is 137 $got "exit status at $where"
		"$VENEER" check >"$WORK/check" 2>&1 || { echo "after $where:"; cat "$WORK/check"; return 1; }
		tidy || { echo "after $where"; return 1; }
		now=$(state)
		if [ "$now" = "$new" ]; then
			$prepare
			is "$old" "$(state)" "prepared state after $where"
		elif [ "$now" != "$old" ]; then
			printf 'neither old nor new state after %s\nold:\n%s\nnew:\n%s\nnow:\n%s\n' \
				"$where" "$old" "$new" "$now"
			return 1
		fi
	done <"$WORK/passages"
	"$@" >/dev/null
	is "$new" "$(state)" 'state at the end'
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


t() { local s=$SECONDS; "$@"; echo "# $((SECONDS - s)) s $(wc -l <$WORK/passages)"; }; started=$SECONDS
fresh_store 1G
make_archive small "$WORK/small.tar"
t case_ 'a writable mount, killed at every point' kill_everywhere loaded run mount --rw small:1 "$mnt"
t case_ 'a mount, killed at every point' kill_everywhere loaded run mount small:1 "$mnt"
t case_ 'unmount, killed at every point' kill_everywhere mounted_rw run unmount "$mnt"
t case_ 'attach, killed at every point' kill_everywhere loaded run attach --rw --name name small:1
t case_ 'detach, killed at every point' kill_everywhere attached run detach name

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Commands of volumes are killed at every point of their own: the old state or the new one is there.
# long
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

v() { "$VENEER" "$@"; }

# What volumes are, and what they hold.
look() {
	local name
	state=$(v volume ls --format '{{.Name}} {{.State}} {{.Size}} {{.SnapshotOf}}')
	for name in db first; do
		[ ! -e "$VENEER_ROOT/mounts/$name/row" ] || state+=" $(cat "$VENEER_ROOT/mounts/$name/row")"
	done
}

# The content of db, which nobody uses.
content() {
	cat "$(v volume mount db)/row"
	v volume unmount db
}

clean() {
	v volume unmount db 2>/dev/null || true
	v volume detach db 2>/dev/null || true
	v volume ls -q | xargs -r "$VENEER" volume rm >/dev/null
}

made() {
	clean
	v volume create db --size 128M >/dev/null
	echo one >"$(v volume mount db)/row"
	v volume unmount db
}
mounted() { made; v volume mount db >/dev/null; }
attached() { made; v volume attach db >/dev/null; }
kept() {
	mounted
	v volume snapshot db first >/dev/null
	echo two >"$VENEER_ROOT/mounts/db/row"
	v volume unmount db
}

# kill_at PREPARE COMMAND...
kill_at() {
	local prepare=$1 n old new where
	shift
	$prepare
	look
	old=$state
	passages "$@" >"$WORK/passages"
	look
	new=$state
	while read -r n; do
		[ "$state" = "$old" ] || $prepare
		VENEER_CRASH_AT="*:$n" fails 137 "$VENEER_CRASH" "$@"
		where=${stderr##*crash point }
		v check >"$WORK/check" 2>&1 || v check --repair >/dev/null && v check || { echo "after $where"; cat "$WORK/check"; return 1; }
		look
		[ "$state" = "$old" ] || is "$new" "$state" "state after $where" || return 1
		is '' "$(dmsetup info -c --noheadings -o suspended | grep Suspended || true)" "after $where" || return 1
	done <"$WORK/passages"
	clean
	healthy
}

# Whatever the kill left, it is one of both contents.
kill_rollback() {
	local n got
	kept
	passages volume rollback -f db first >"$WORK/passages"
	is one "$(content)"
	while read -r n; do
		kept
		VENEER_CRASH_AT="*:$n" fails 137 "$VENEER_CRASH" volume rollback -f db first
		v check >/dev/null 2>&1 || v check --repair >/dev/null
		v check
		got=$(content)
		[ "$got" = one ] || is two "$got" "after ${stderr##*crash point }" || return 1
		v volume rollback -f db first
		is one "$(content)" || return 1
	done <"$WORK/passages"
	clean
	healthy
}

# From one command to the next the rest is the same.
ONLY='^(volume|note|journal-(intent|advanced))'
fresh_store 1G
case_ 'create' kill_at clean volume create db --size 128M
case_ 'mount' kill_at made volume mount db
case_ 'unmount' kill_at mounted volume unmount db
case_ 'attach' kill_at made volume attach db
case_ 'detach' kill_at attached volume detach db
case_ 'snapshot of what is mounted' kill_at mounted volume snapshot db first
case_ 'grow' kill_at made volume grow db --size 256M
case_ 'grow while it is mounted' kill_at mounted volume grow db --size 256M
case_ 'rename' kill_at made volume rename db first
case_ 'rollback' kill_rollback
case_ 'rm' kill_at made volume rm db

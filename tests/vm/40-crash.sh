#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A kill at every crash point and at random moments: the next command finds the old state or
# the new one, and a repeated command succeeds.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-archive.sh
. "$(dirname "$0")/lib-archive.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

# A fork takes long in this kernel, so what runs for each kill does without, where it can.
shopt -s nullglob

# listed FOLDER - its names, in $names
listed() {
	local files=("$1"/*)
	names=${files[*]##*/}
}

# Blocks of data that the pool has in use, in $blocks.
count_blocks() {
	local line
	line=$(dmsetup status --noflush --target thin-pool)
	read -r _ _ _ _ _ _ blocks _ <<<"$line"
}

is_mounted() {
	case $(</proc/mounts) in *" $mnt "*) return 0 ;; esac
	return 1
}

# What a store is, without asking it, in $state, with $blocks.
look() {
	blocks=0
	[ ! -e "$VENEER_ROOT/pool.json" ] || count_blocks
	listed "$VENEER_ROOT/blobs/sha256"
	state="blobs: $names, links:"
	listed /dev/veneer
	state+=" $names"
	! is_mounted || state+=", mounted"
}

# As no_leftovers, but what is recorded as mounted or attached may be there.
tidy() {
	local folder
	for folder in sessions tmp chains mounts; do
		listed "$VENEER_ROOT/$folder"
		is '' "$names" "left in $folder" || return 1
	done
	case $(dmsetup info -c --noheadings -o name,suspended) in
	*Suspended*) is 'no suspended device' "$(dmsetup info -c)" ;;
	esac
}

# is_state STATE BLOCKS [WHAT] - the present one; ext4 does not lay out the same files in quite the
# same blocks each time, and the small image has twenty.
is_state() {
	is "$1" "$state" "${3:-}" || return 1
	[ $((blocks - $2)) -le 8 ] && [ $(($2 - blocks)) -le 8 ] && return 0
	printf 'expected %s: %s blocks\n     got: %s\n' "${3:-}" "$2" "$blocks"
	return 1
}

# Which passages of crash points are worth a kill, as "*:NUMBER": the last of each, and the first with
# VM_LONG. ONLY is a pattern for the names.
passages() {
	VENEER_CRASH_AT='?' VENEER=$VENEER_CRASH "$@" 2>&1 >/dev/null |
		awk -v only="${ONLY:-.}" -v long="${VM_LONG:-}" '$1 == "crash" { nr++ }
			$1 == "crash" && $3 ~ only { if (!($3 in first)) first[$3] = nr; last[$3] = nr }
			END { for (n in last) { if (long) print first[n]; print last[n] } }' |
		sort -n -u
}

# kill_everywhere PREPARE COMMAND... - a kill at every crash point
#
# PREPARE brings the store to the old state; it runs again whenever the new one was found.
kill_everywhere() {
	local prepare=$1 n old old_blocks new new_blocks got where
	shift
	$prepare
	look
	old=$state old_blocks=$blocks
	passages "$@" >"$WORK/passages"
	look
	new=$state new_blocks=$blocks
	$prepare
	look
	is_state "$old" "$old_blocks" 'prepared state'
	while read -r n; do
		got=0
		where=$(VENEER=$VENEER_CRASH VENEER_CRASH_AT="*:$n" "$@" 2>&1 >/dev/null) || got=$?
		where="point $n, ${where##*crash point }"
		is 137 $got "exit status at $where"
		"$VENEER" check >"$WORK/check" 2>&1 || { echo "after $where:"; cat "$WORK/check"; return 1; }
		tidy || { echo "after $where"; return 1; }
		look
		if is_state "$new" "$new_blocks" >/dev/null; then
			$prepare
			look
			is_state "$old" "$old_blocks" "prepared state after $where"
		elif ! is_state "$old" "$old_blocks" >/dev/null; then
			printf 'neither old nor new state after %s\nold: %s, %s\nnew: %s, %s\nnow: %s, %s\n' \
				"$where" "$old_blocks" "$old" "$new_blocks" "$new" "$blocks" "$state"
			return 1
		fi
	done <"$WORK/passages"
	"$@" >/dev/null
	look
	is_state "$new" "$new_blocks" 'state at the end'
	"$VENEER" check
	tidy
}

run() { "$VENEER" "$@"; }

no_views() {
	! is_mounted || "$VENEER" unmount "$mnt"
	[ ! -L /dev/veneer/name ] || "$VENEER" detach name
}
empty() {
	no_views
	listed "$VENEER_ROOT/blobs/sha256"
	[ "$names" = '' ] || "$VENEER" rmi -f small:1 >/dev/null
}
loaded() {
	no_views
	listed "$VENEER_ROOT/blobs/sha256"
	[ "$names" != '' ] || "$VENEER" load -q -i "$WORK/small.tar" >/dev/null
}
no_blobs() {
	listed "$VENEER_ROOT/blobs/sha256"
	is '' "$names" blobs
}
mounted() {
	loaded
	"$VENEER" mount --rw small:1 "$mnt" >/dev/null
}
attached() {
	loaded
	"$VENEER" attach --rw --name name small:1 >/dev/null
}
no_pool() {
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool destroy --force >/dev/null
}

# What a kill leaves while it was itself taken away: every point of the recovery, until it ends well.
recovery_is_killed() {
	local n=0 got=137
	empty
	VENEER_CRASH_AT=$1 fails 137 "$VENEER_CRASH" load -i "$WORK/small.tar"
	while [ $got = 137 ]; do
		n=$((n + 1))
		got=0
		VENEER_CRASH_AT="*:$((n % 8 + 1))" "$VENEER_CRASH" check >/dev/null 2>&1 || got=$?
		[ $n -lt 60 ]
	done
	is 0 $got 'exit status of check'
	tidy
	no_blobs
}

# While one load is killed, with its volume frozen, another goes on.
two_loads() {
	local got=0 other=0
	empty
	make_archive other "$WORK/other.tar" 20000000
	"$VENEER" load -q -i "$WORK/other.tar" >"$WORK/other.out" 2>&1 &
	VENEER_CRASH_AT=volume-frozen:2 fails 137 "$VENEER_CRASH" load -i "$WORK/small.tar"
	wait $! || other=$?
	is 0 $other "status of the other load: $(cat "$WORK/other.out")"
	is 'other:1' "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
	"$VENEER" check
	tidy
	"$VENEER" rmi other:1
	no_blobs
}

# A volume that somebody left suspended: nobody may hang on it.
left_suspended() {
	local device
	loaded
	"$VENEER" mount --rw small:1 "$mnt"
	device=$(awk -v dir="$mnt" '$2 == dir { print $1 }' /proc/mounts)
	device=$(cat "/sys/block/${device##*/}/dm/name")
	dmsetup suspend "$device"
	timeout 30 "$VENEER" check
	is Active "$(dmsetup info -c --noheadings -o suspended "$device")"
	timeout 10 touch "$mnt/alive"
	"$VENEER" unmount "$mnt"
}

random_kills() {
	local before n got delay
	empty
	count_blocks
	before=$blocks
	for n in 1 2 3 4 5 6; do
		got=0
		delay=$(printf '%d.%03d' $((RANDOM % 3)) $((RANDOM % 1000)))
		timeout -s KILL "$delay" "$VENEER" load -q -i "$WORK/other.tar" >/dev/null 2>&1 || got=$?
		"$VENEER" check || { echo "killed after $delay s"; return 1; }
		tidy || { echo "killed after $delay s"; return 1; }
		count_blocks
		listed "$VENEER_ROOT/blobs/sha256"
		if [ "$names" = '' ]; then
			is "$before" "$blocks" "blocks after a kill after $delay s"
		else
			is 'other:1' "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
			"$VENEER" rmi other:1 >/dev/null
		fi
	done
	"$VENEER" load -q -i "$WORK/other.tar"
	"$VENEER" rmi other:1 >/dev/null
	count_blocks
	is "$before" "$blocks" 'blocks at the end'
}

# Whatever a killed 'pool create' or 'pool destroy' leaves, the next command finds a pool or none.
pool_is_whole() {
	if [ -e "$VENEER_ROOT/pool.json" ]; then
		"$VENEER" pool status >/dev/null
		return
	fi
	is '' "$(dmsetup ls | grep veneer-)" devices || return 1
	is '' "$(losetup -l --noheadings)" 'loop devices' || return 1
	is '' "$(find "$VENEER_ROOT" -path '*/pool*' -o -path '*/blobs/*/*')" files
}

kill_pool_command() {
	local prepare=$1 n where
	shift
	$prepare
	passages "$@" >"$WORK/passages"
	while read -r n; do
		$prepare
		VENEER_CRASH_AT="*:$n" VENEER=$VENEER_CRASH fails 137 "$@"
		# shellcheck disable=SC2154 # fails() sets it
		where="${stderr##*crash point }"
		"$VENEER" check || { echo "after $where"; return 1; }
		tidy || { echo "after $where"; return 1; }
		pool_is_whole || { echo "after $where"; return 1; }
	done <"$WORK/passages"
	$prepare
	"$@"
	"$VENEER" check
	pool_is_whole
}
create() { "$VENEER" pool create --files 256M --volume-size 256M; }
destroy() { "$VENEER" pool destroy --force; }
small_pool() {
	[ -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool create --files 256M --volume-size 256M
	loaded
}

fresh_store 1G
make_archive small "$WORK/small.tar"
case_ 'load, killed at every point' kill_everywhere empty run load -i "$WORK/small.tar"
case_ 'a recovery that is killed goes on with the next one' recovery_is_killed volume-frozen:2
case_ 'a load is killed while another goes on' two_loads
case_ 'a volume left suspended is resumed' left_suspended
case_ 'load, killed at random moments' random_kills
case_ 'rmi, killed at every point' kill_everywhere loaded run rmi small:1
# From here on only what is not the same for all of them.
ONLY='^(remove|blob|view|pool|catalogue|journal-(intent|advanced))'
case_ 'image prune, killed at every point of its own' kill_everywhere loaded run image prune -af
case_ 'a writable mount, killed at every point of its own' kill_everywhere loaded run mount --rw small:1 "$mnt"
case_ 'unmount, killed at every point of its own' kill_everywhere mounted run unmount "$mnt"
case_ 'attach, killed at every point of its own' kill_everywhere loaded run attach --rw --name name small:1
case_ 'detach, killed at every point of its own' kill_everywhere attached run detach name
no_pool
ONLY=^pool
case_ 'pool create, killed at every point of its own' kill_pool_command no_pool create
case_ 'pool destroy, killed at every point of its own' kill_pool_command small_pool destroy

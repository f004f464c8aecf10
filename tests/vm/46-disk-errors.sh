#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# long
# Disks that fail, lie or have bad places below loads, commits and volumes: each command says what
# failed and for what, nothing half made stays, and what was acknowledged is there again.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-archive.sh
. "$(dirname "$0")/lib-archive.sh"

exec 3>&1
mnt=$WORK/mnt
mkdir -p "$mnt"
declare -A disks=([data]=$DISK1 [meta]=$DISK2) sectors=([data]=$((512 * 2048)) [meta]=$((16 * 2048)))

v() { "$VENEER" "$@"; }

# disk data|meta well|bad|UP DOWN error_writes|drop_writes - bad: a disk whose bad places messages tell
disk() {
	local name=$1
	shift
	case $* in
	well) printf '0 %s linear %s 0\n' "${sectors[$name]}" "${disks[$name]}" ;;
	bad) printf '0 %s dust %s 0 4096\n' "${sectors[$name]}" "${disks[$name]}" ;;
	*) printf '0 %s flakey %s 0 %s %s 1 %s\n' "${sectors[$name]}" "${disks[$name]}" "$@" ;;
	esac | dmsetup reload "test-$name"
	dmsetup resume "test-$name"
}

# look - what is there, in $state
look() {
	state="images $(v images --format '{{.Repository}}:{{.Tag}}')
layers $(v layers --no-trunc --format '{{.ChainID}}')
volumes $(v volume ls --format '{{.Name}} {{.Size}} {{.SnapshotOf}}')
containers $(v ps -a --format '{{.Names}}')"
}

# What was written and acknowledged before anything failed. Where the disk has failed below a mounted
# file system, that is mended first, as it would be on any disk.
unharmed() {
	v volume attach db >/dev/null
	[ "${1:-}" != mend ] || e2fsck -fy /dev/veneer/db >"$WORK/fsck" 2>&1 || [ $? = 1 ]
	v volume detach db
	v volume mount db >/dev/null
	(cd "$VENEER_ROOT/mounts/db" && sha256sum --quiet -c "$WORK/sums")
	v volume unmount db
	v volume attach db >/dev/null
	e2fsck -fn /dev/veneer/db >"$WORK/fsck" 2>&1 || { cat "$WORK/fsck"; return 1; }
	v volume detach db
	v verify --all
}

# Well again. What the message said mends it, once nobody uses the pool, which an ill one must allow.
well_again() {
	disk data well
	disk meta well
	case $(</proc/mounts) in *"/mounts/db "*) v volume unmount db ;; esac
	v pool deactivate
	v check --repair >"$WORK/repair"
	is '' "$(v check 2>&1)" 'findings after the repair'
	no_leftovers
	unharmed "$@"
}

# said NEEDLE - one error, with the object's name and the reason, or the way out
said() {
	local errors
	errors=$(grep -v '^warning: ' "$WORK/err")
	is 1 "$(wc -l <<<"$errors")" "lines of errors ($errors)"
	contains "$1" "$errors"
	[[ $errors = *'Input/output error'* || $errors = *"run 'veneer "* || $errors = *"kernel's log"* ]] ||
		is 'a reason' "$errors"
}

# fails_on DISK NEEDLE COMMAND... - then it is as before, or as after it, and it works again
fails_on() {
	local disk=$1 needle=$2 old status=0
	shift 2
	look
	old=$state
	disk "$disk" 0 1 error_writes
	timeout 100 "$VENEER" "$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	is 1 $status "exit status ($(cat "$WORK/out" "$WORK/err"))"
	said "$needle"
	well_again
	look
	if [ "$state" != "$old" ]; then
		# Names go before volumes do, and a volume that was grown is as large as it says.
		case "$1 $2" in
		'rmi '* | 'volume rm' | 'volume grow') return ;;
		esac
		is "$old" "$state" 'what is there'
	fi
	v "$@" >/dev/null
}

load_fails() {
	fails_on "$1" '' load -q -i "$WORK/small.tar"
	v rmi small:1 >/dev/null
}
create_fails() {
	fails_on "$1" 'volume new' volume create new --size 128M
	v volume rm new >/dev/null
}
create_of_image_fails() {
	fails_on "$1" 'volume new' volume create new old:1
	v volume rm new >/dev/null
}
snapshot_fails() {
	fails_on "$1" 'volume db' volume snapshot db kept
	v volume rm kept >/dev/null
}
mounted_snapshot_fails() {
	v volume mount db >/dev/null
	fails_on "$1" 'volume db' volume snapshot db kept
	v volume rm kept >/dev/null
}
grow_fails() {
	local size=$2
	fails_on "$1" 'volume db' volume grow db --size "$size"
}
# It may need nothing new of the pool's metadata: then it is done, and stays done.
grow_may_fail() {
	local status=0
	disk meta 0 1 error_writes
	timeout 100 "$VENEER" volume grow db --size "$1" >"$WORK/out" 2>"$WORK/err" || status=$?
	[ $status = 0 ] || said 'volume db'
	well_again
	[ $status != 0 ] || is "$(numfmt --from=iec "$1")" "$(v volume inspect -f '{{.Size}}' db)" 'size'
}
rollback_fails() {
	v volume snapshot db kept >/dev/null
	fails_on "$1" 'volume db' volume rollback -f db kept
	v volume rm kept >/dev/null
}
rm_fails() {
	v volume create new --size 128M >/dev/null
	fails_on "$1" 'volume' volume rm new
	v volume rm new >/dev/null 2>&1 || is '' "$(v volume ls -q | grep -x new || true)"
}
commit_fails() {
	v create --name web old:1 true >/dev/null
	v cp "$WORK/sums" web:/etc/sums
	fails_on "$1" web commit web new:1
	v rm web >/dev/null
	v rmi new:1 >/dev/null
}

# What fsync has said is there, whatever became of the writes behind it.
writes_fail() {
	local failed=
	v volume mount db >/dev/null
	disk "$1" 0 1 error_writes
	for n in 1 2 3; do
		dd if=/dev/urandom of="$VENEER_ROOT/mounts/db/late$n" bs=1M count=4 conv=fsync status=none 2>/dev/null || failed=yes
	done
	is yes "$failed" 'a write has failed'
	well_again mend
	v volume mount db >/dev/null
	rm -f "$VENEER_ROOT"/mounts/db/late*
	dd if=/dev/urandom of="$VENEER_ROOT/mounts/db/later" bs=1M count=4 conv=fsync status=none
	rm "$VENEER_ROOT/mounts/db/later"
	v volume unmount db
}

# A view can be ended as well; its volume goes when the pool is well.
view_fails() {
	v mount --rw old:1 "$mnt" >/dev/null
	disk "$1" 0 1 error_writes
	! dd if=/dev/urandom of="$mnt/late" bs=1M count=4 conv=fsync status=none 2>/dev/null
	fails 1 "$VENEER" volume create new
	v unmount "$mnt"
	fails 1 "$VENEER" unmount "$mnt"
	contains 'neither an image nor mounted' "$stderr"
	well_again
	is '' "$(v pool ls --format '{{.Kind}}' | grep -x view || true)" 'volumes of views'
}

# A disk that says it has written, and has not, until the power is cut: all since then is gone, and
# nothing else.
writes_are_lost() {
	v volume mount db >/dev/null
	disk data 0 1 drop_writes
	dd if=/dev/urandom of="$VENEER_ROOT/mounts/db/lost" bs=1M count=4 conv=fsync status=none
	v volume unmount db
	v pool deactivate
	well_again
}

# Each command has been done, or has failed and left nothing, while the disk comes and goes.
comes_and_goes() {
	local n made=() failed=0 status
	disk data 1 1 error_writes
	for ((n = 0; n < 30; n++)); do
		status=0
		timeout 100 "$VENEER" volume create "try$n" --size 128M >"$WORK/out" 2>"$WORK/err" || status=$?
		if [ $status = 0 ]; then
			made+=("try$n")
		else
			failed=$((failed + 1))
			is 1 $status 'exit status'
			said "volume try$n"
			well_again
			disk data 1 1 error_writes
		fi
		[ ${#made[@]} -lt 3 ] || [ $failed -lt 2 ] || break
	done
	echo "${#made[@]} volumes were made, $failed were not" >&3
	check 'some were made' test ${#made[@]} -gt 0
	check 'some were not' test $failed -gt 0
	well_again
	is "$(printf '%s\n' db "${made[@]}" | sort)" "$(v volume ls -q | sort)" volumes
	for n in "${made[@]}"; do
		v volume attach "$n" >/dev/null
		e2fsck -fn "/dev/veneer/$n" >"$WORK/fsck" 2>&1 || { cat "$WORK/fsck"; return 1; }
		v volume detach "$n"
	done
	v volume rm "${made[@]}" >/dev/null
}

# dust DISK MESSAGE...
dust() {
	local name=$1
	shift
	dmsetup message "test-$name" 0 "$@"
}

# The place of a file's first block on the data disk, in blocks of 4096, in $at.
find_block() {
	local id=$1 file=$2 block device
	# shellcheck source=tests/vm/lib-damage.sh
	. "$(dirname "$0")/lib-damage.sh"
	# shellcheck disable=SC2034 # for locate()
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	device=$(v attach --name look old:1)
	block=$(debugfs -R "bmap $file 0" "$device" 2>/dev/null)
	v detach look
	locate "$id" "$block"
	# Its own header, which no map has.
	at=$((at + 256))
}

bad_place_of_data() {
	local id
	id=$(layer_field ThinID | tail -n 1)
	find_block "$id" /etc/name
	disk data bad
	dust data quiet
	dust data addbadblock "$at"
	dust data enable
	fails 1 "$VENEER" verify --all
	contains 'unreadable: content of /etc/name, image old:1' "$(v verify --all || true)"
	v mount old:1 "$mnt" >/dev/null
	contains 'Input/output error' "$(cat "$mnt/etc/name" 2>&1 || true)"
	is 'old changed' "$(cat "$mnt/etc/hostname")"
	v unmount "$mnt"
	dust data removebadblock "$at"
	well_again
}

# bad_place_of_metadata BLOCK - the pool does not start, says so, and starts when it can be read
bad_place_of_metadata() {
	v pool deactivate
	disk meta bad
	dust meta quiet
	dust meta addbadblock $((256 + $1))
	dust meta enable
	fails 1 "$VENEER" pool activate
	contains "activate the pool of '$VENEER_ROOT'" "$stderr"
	contains 'Input/output error' "$stderr"
	is '' "$(dmsetup ls | awk '/^veneer-/ { print $1 }')" 'devices of a pool that did not start'
	fails 1 "$VENEER" volume mount db
	dust meta removebadblock $((256 + $1))
	v pool activate
	is '' "$(v check 2>&1)"
	well_again
}

# What a case that failed has left must not make the next one fail.
disk_case() {
	case_ "$@"
	{
		disk data well
		disk meta well
		v volume unmount db
		v unmount "$mnt"
		v detach look
		v pool deactivate
		v check --repair
		v rm web
		v volume rm kept
		v volume rm new
		v rmi small:1 new:1
	} >/dev/null 2>&1
	return 0
}

end_of_disks() {
	v volume unmount db 2>/dev/null
	end_of_script
	dmsetup remove test-data
	dmsetup remove test-meta
}
trap end_of_disks EXIT

for name in data meta; do
	printf '0 %s linear %s 0\n' "${sectors[$name]}" "${disks[$name]}" | dmsetup create "test-$name"
	dd if=/dev/zero of="/dev/mapper/test-$name" bs=1M count=4 oflag=direct status=none
done
v pool create --data /dev/mapper/test-data --metadata /dev/mapper/test-meta --volume-size 128M
make_archive old "$WORK/old.tar"
make_archive small "$WORK/small.tar" 3000000
v load -q -i "$WORK/old.tar" >/dev/null
v volume create db --size 128M >/dev/null
v volume mount db >/dev/null
dd if=/dev/urandom of="$VENEER_ROOT/mounts/db/one" bs=1M count=3 conv=fsync status=none
(cd "$VENEER_ROOT/mounts/db" && sha256sum one) >"$WORK/sums"
v volume unmount db

for name in data meta; do
	disk_case "the $name disk fails in a load" load_fails $name
	disk_case "the $name disk fails in 'volume create'" create_fails $name
	disk_case "the $name disk fails in 'volume create' of an image" create_of_image_fails $name
	disk_case "the $name disk fails in 'volume snapshot'" snapshot_fails $name
	disk_case "the $name disk fails in 'volume snapshot' of a mounted one" mounted_snapshot_fails $name
	disk_case "the $name disk fails in 'volume rollback'" rollback_fails $name
	disk_case "the $name disk fails in 'volume rm'" rm_fails $name
	disk_case "the $name disk fails in a commit" commit_fails $name
	disk_case "the $name disk fails under a mounted volume" writes_fail $name
	disk_case "the $name disk fails under a mounted image" view_fails $name
done
disk_case "the data disk fails in 'volume grow'" grow_fails data 160M
disk_case "the metadata disk fails in 'volume grow'" grow_may_fail 192M
disk_case 'the data disk loses what a volume writes' writes_are_lost
disk_case 'the data disk comes and goes' comes_and_goes
disk_case 'a place of the data disk cannot be read' bad_place_of_data
disk_case 'the start of the metadata disk cannot be read' bad_place_of_metadata 0

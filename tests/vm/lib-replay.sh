# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib-replay.sh - a machine whose disks are logged, and what a power cut would have left of them
#
# Three disks: the file system of the store's root, the pool's metadata and the
# pool's data. Below all of them is one dm-log-writes, whose log has what was
# written to the whole machine, in its order. To look at a moment is to start a
# machine on a snapshot of disks that hold what was durable then, and some, all
# or nothing of what was not: replay_log.c says what that is.
#
#	step, write, recorded	the log gets a mark; what is there now is there after it
#	replayed STRIDE		every STRIDE'th moment
#
# A cut leaves what was before a command or what is after it, and all that was
# acknowledged.
ram=$WORK/ram
states=$WORK/replay
replay_log=$(dirname "$VENEER")/replay-log
seed_of_all=${REPLAY_SEED:-$RANDOM}
exec 3>&1 # a case's own output is shown only when it fails
root_mib=48 meta_mib=8 data_mib=168
all_mib=$((root_mib + meta_mib + data_mib))

# parts DEVICE - the disks, as /dev/mapper/veneer-test-NAME
parts() {
	dmsetup create --noudevsync --concise "\
veneer-test-root,,,rw,0 $((root_mib * 2048)) linear $1 0;\
veneer-test-meta,,,rw,0 $((meta_mib * 2048)) linear $1 $((root_mib * 2048));\
veneer-test-data,,,rw,0 $((data_mib * 2048)) linear $1 $(((root_mib + meta_mib) * 2048))"
}

remove_parts() {
	dmsetup remove --noudevsync veneer-test-data veneer-test-meta veneer-test-root
}

# file NAME MIB - a loop device that is memory; what is written to the file is on it at once
file() {
	truncate -s "$2M" "$ram/$1"
	losetup -f --show "$ram/$1" >"$ram/$1.loop"
}
loop_of() { printf '%s' "$(<"$ram/$1.loop")"; }

make_disks() {
	mkdir -p "$ram" "$states" "$VENEER_ROOT"
	mount -t tmpfs -o size=1400m tmpfs "$ram"
	file disks $all_mib
	parts "$(loop_of disks)"
	# What it leaves to do, the kernel would write at any moment.
	mkfs.ext4 -qF -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/veneer-test-root
	remove_parts
	cp --sparse=always "$ram/disks" "$ram/base"
	file base $all_mib
	file cow $all_mib
	file log 768
}

# The machine runs, and is logged.
start_log() {
	dmsetup create --noudevsync veneer-test-log \
		--table "0 $((all_mib * 2048)) log-writes $(loop_of disks) $(loop_of log)"
	parts /dev/mapper/veneer-test-log
	mount -t ext4 /dev/mapper/veneer-test-root "$VENEER_ROOT"
	: >"$states/marks"
	: >"$states/sums"
	recorded start
}

end_log() {
	"$VENEER" pool deactivate
	umount "$VENEER_ROOT"
	remove_parts
	case $(dmsetup status veneer-test-log) in *disabled*) is 'the log' 'full'; esac
	dmsetup remove --noudevsync veneer-test-log
}

# What is there, in $state.
look() {
	state='no pool'
	[ -e "$VENEER_ROOT/pool.json" ] || return 0
	state="images $("$VENEER" images --format '{{.Repository}}:{{.Tag}}')
layers $("$VENEER" layers --no-trunc --format '{{.ChainID}}')
volumes $("$VENEER" volume ls --format '{{.Name}} {{.Size}} {{.SnapshotOf}}')
containers $("$VENEER" ps -a --format '{{.Names}}')"
}

# keep VOLUME FILE - it is on the disk, says fsync
keep() {
	(cd "$VENEER_ROOT/mounts" && sha256sum "$1/$2") >>"$states/sums"
}

# forget VOLUME
forget() {
	sed -i "/  $1\//d" "$states/sums"
}

# same_in VOLUME COPY - what the one holds the other holds as well
same_in() {
	sed -n "s|  $1/|  $2/|p" "$states/sums" >"$states/more"
	cat "$states/more" >>"$states/sums"
}

recorded() {
	dmsetup message veneer-test-log 0 mark "$1"
	look
	printf '%s\n' "$state" >"$states/$1"
	cp "$states/sums" "$states/$1.sums"
	printf '%s\n' "$1" >>"$states/marks"
}

# step NAME COMMAND... - of veneer, recorded
step() {
	local name=$1
	shift
	"$VENEER" "$@" >/dev/null
	recorded "$name"
}

# write VOLUME FILE KIB - in a mounted volume, recorded
write() {
	dd if=/dev/urandom of="$VENEER_ROOT/mounts/$1/$2" bs=1K count="$3" conv=fsync status=none
	keep "$1" "$2"
	recorded "write-$1-$2"
}

# A machine that starts: what is on the disk is all that is left of the one before.
power_on() {
	rm -f /dev/veneer/*
	parts /dev/mapper/veneer-test-copy
	mount -t ext4 /dev/mapper/veneer-test-root "$VENEER_ROOT"
}

# prepare_copy KIND - of the base, with none or all of what was not flushed, or the part that a seed says
prepare_copy() {
	dmsetup create --noudevsync veneer-test-copy \
		--table "0 $((all_mib * 2048)) snapshot $(loop_of base) $(loop_of cow) N 8"
	[ "$1" = none ] || ask add /dev/mapper/veneer-test-copy "$1"
}

power_off() {
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool deactivate
	umount "$VENEER_ROOT"
	remove_parts
	dmsetup remove --noudevsync veneer-test-copy
}

# holds SUMS - each file that was acknowledged, in volumes whose file systems are whole
holds() {
	local volumes volume
	[ -s "$1" ] || return 0
	mapfile -t volumes < <(sed 's|^[^ ]*  \([^/]*\)/.*|\1|' "$1" | sort -u)
	for volume in "${volumes[@]}"; do
		"$VENEER" volume mount "$volume" >/dev/null || return 1
	done
	(cd "$VENEER_ROOT/mounts" && sha256sum --quiet -c "$1") || return 1
	"$VENEER" volume unmount "${volumes[@]}" || return 1
	for volume in "${volumes[@]}"; do
		"$VENEER" volume attach "$volume" >/dev/null || return 1
		e2fsck -fn "/dev/veneer/$volume" >"$states/fsck" 2>&1 || { cat "$states/fsck"; return 1; }
		"$VENEER" volume detach "$volume" || return 1
	done
}

# The kernel takes a metadata snapshot back in two steps, as it does with much else (driver/volume.h).
# Between them blocks belong to nobody: nothing is lost, and a repair gives them back. Anything else
# that check finds is wrong.
sound() {
	local status=0
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool activate || return 1
	"$VENEER" check >"$states/check" 2>&1 || status=$?
	if grep -qxE '[0-9]+ KiB of the pool belong to no volume' "$states/check"; then
		leaked=$((leaked + 1))
		"$VENEER" check --repair >/dev/null || return 1
		status=0
		"$VENEER" check >"$states/check" 2>&1 || status=$?
	fi
	is '' "$(<"$states/check")" 'what check says' && is 0 $status 'status of check' || return 1
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" verify --all >"$states/verify" 2>&1 || {
		cat "$states/verify"
		return 1
	}
}

# thin_check must have found the same before anything was started.
kernel_leaked() {
	local meta=/dev/mapper/veneer-test-thin
	prepare_copy "$1"
	dmsetup create --noudevsync veneer-test-thin --table \
		"0 $(((meta_mib - 1) * 2048)) linear /dev/mapper/veneer-test-copy $(((root_mib + 1) * 2048))"
	fails 1 thin_check $meta
	dmsetup remove --noudevsync veneer-test-thin veneer-test-copy
}

# whole OLD NEW - the store is sound, and is as after one mark or the other
whole() {
	local old new
	sound || return 1
	look
	old=$(<"$states/$1")
	new=$(<"$states/$2")
	if [ "$state" = "$old" ] && [ "$state" = "$new" ]; then
		holds "$states/$1.sums" || holds "$states/$2.sums"
	elif [ "$state" = "$old" ]; then
		holds "$states/$1.sums"
	elif [ "$state" = "$new" ]; then
		holds "$states/$2.sums"
	else
		printf 'neither old nor new\nold: %s\nnew: %s\nnow: %s\n' "$old" "$new" "$state"
		return 1
	fi
}

# after MARK - the one that follows it, in $next_mark; the last one itself
after() {
	next_mark=$(awk -v mark="$1" 'seen { print; exit } $0 == mark { seen = 1 }' "$states/marks")
	next_mark=${next_mark:-$1}
}

# ask WORD... - of the replayer; its answer in $answer
ask() {
	printf '%s\n' "$*" >&"${replayer[1]}"
	read -r -a answer <&"${replayer[0]}" || { echo "the replayer ended at: $*"; return 1; }
}

# look_at MARK KIND - at the moment that the replayer has chosen
look_at() {
	local leaked_before=$leaked
	after "$1"
	prepare_copy "$2"
	power_on
	whole "$1" "$next_mark" || return 1
	power_off
	[ "$leaked" = "$leaked_before" ] || kernel_leaked "$2"
}

replayed() {
	local stride=$1 number mark looked=0 leaked=0 kinds=(none all seed) kind
	RANDOM=$seed_of_all
	coproc replayer { exec "$replay_log" "$ram/log" "$ram/base" 0 $root_mib $((root_mib + meta_mib)); }
	while ask next && [ "${answer[0]}" = moment ]; do
		number=${answer[1]} mark=${answer[3]:-start}
		[ $((number % stride)) = 0 ] || continue
		kind=${kinds[looked++ % 3]}
		[ $kind != seed ] || kind=$((RANDOM * 32768 + RANDOM + 1))
		look_at "$mark" $kind || {
			dmesg | tail -n 20
			echo "moment $number, after $mark, with what was not flushed: $kind (REPLAY_SEED=$seed_of_all)"
			return 1
		}
	done
	is end "${answer[0]}" 'the last answer'
	eval "exec ${replayer[1]}>&-"
	# shellcheck disable=SC2154 # bash sets it
	wait "$replayer_PID"
	echo "looked at $looked of $number moments, $leaked of them with a torn metadata snapshot" >&3
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# lib-pool.sh - for scripts about pools on devices: source it after lib.sh
#
# A case makes its devices with loop() and part(), and is run by pool_case(),
# which takes them and the pool away.
mnt=$WORK/mnt
mkdir -p "$mnt" "$VENEER_ROOT"

# loop NAME MIB - an empty device of that size; its path is in $device
loop() {
	rm -f "$WORK/$1.img"
	truncate -s "$2M" "$WORK/$1.img"
	device=$(losetup -f --show "$WORK/$1.img")
}

# part NAME MIB DISK [START] - a piece of a disk that can be made larger, or fail; $device
part() {
	echo "0 $(($2 * 2048)) linear $3 $((${4:-0} * 2048))" | dmsetup create "veneer-test-$1"
	device=/dev/mapper/veneer-test-$1
	dd if=/dev/zero of="$device" bs=1M count=2 oflag=direct status=none
}

# remap NAME TABLE
remap() {
	dmsetup suspend --noflush --nolockfs "veneer-test-$1"
	echo "$2" | dmsetup load "veneer-test-$1"
	dmsetup resume "veneer-test-$1"
}

# A case ends with nothing of its own in the kernel, however it ends.
clear_all() {
	local name
	if mountpoint -q "$mnt"; then
		"$VENEER" unmount "$mnt" || umount "$mnt"
	fi
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool destroy --force
	for name in $(dmsetup ls | awk '/^veneer-test-/ { print $1 }'); do
		dmsetup remove "$name"
	done
	losetup -D
	rm -f "$WORK"/*.img
	rm -rf "$VENEER_ROOT"
	mkdir -p "$VENEER_ROOT"
}

# The store is whole, and nothing is active but the pool and what it lies on.
sound() {
	"$VENEER" check
	is '' "$(dmsetup ls | awk '/^veneer-/ && !/^veneer-test-/ && !/-(pool|data|meta)\t/')" 'active volumes'
}

pool_case() {
	case_ "$@"
	clear_all >/dev/null 2>&1
}

status() {
	"$VENEER" pool status --format "{{.$1}}"
}
pool_device() { # data, meta or pool
	dmsetup ls | awk -v part="-$1$" '/^veneer-/ && $1 ~ part { print $1 }'
}
sum() { # of a disk only the start, which is what a test here uses
	if [ "$(blockdev --getsize64 "$1")" -gt $((1 << 30)) ]; then
		head -c 24M "$1" | cksum
	else
		cksum <"$1"
	fi
}

# refused TEXT DEVICE COMMAND... - it says TEXT, and leaves device, root and kernel as they were
refused() {
	local want=$1 on=$2 before maps
	shift 2
	before=$(sum "$on")
	maps=$(dmsetup ls)
	fails 1 "$@"
	# shellcheck disable=SC2154 # fails() sets it
	contains "$want" "$stderr"
	is 1 "$(wc -l <<<"$stderr")" 'lines of errors'
	is "$before" "$(sum "$on")" "content of $on"
	is "$maps" "$(dmsetup ls)" 'device-mapper devices'
	is '' "$(compgen -G "$VENEER_ROOT/pool*")" 'files of a pool'
}

load() {
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
}

# create_thins POOL FIRST LAST - by the kernel's own interface, since so many processes take long
create_thins() {
	perl -e 'my ($name, $first, $last) = @ARGV;
		open(my $control, "+<", "/dev/mapper/control") or die;
		for my $id ($first .. $last) {
			my $message = pack("Q Z*", 0, "create_thin $id");
			my $call = pack("L3 L2 L l L3 Q a128 a129 a7", 4, 0, 0, 312 + length $message, 312,
				1, 0, 0, 0, 0, 0, $name, "", "") . $message;
			ioctl($control, 0xc138fd0e, $call) or die "$id: $!";
		}' "$@"
}

# leave_metadata POOL BLOCKS - volumes from 1000 on take what else is free; each has a block, and
# together they have some more
leave_metadata() {
	local next=1000 used total
	while IFS=' /' read -r _ _ _ _ used total _ < <(dmsetup status "$1") &&
		[ $((total - used)) -gt "$2" ]; do
		create_thins "$1" $next $((next += (total - used - $2 + 1) / 2))
		next=$((next + 1))
	done
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 600
# What the pool commands refuse, and that refusing changes nothing.
# shellcheck disable=SC2154 # the libraries set stderr, device and mnt
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"

bad_sizes() {
	loop one 96
	refused 'block size of 64512 bytes: it must be a multiple of 64K, at most 1G' "$device" \
		"$VENEER" pool create --data "$device" --block-size 63K
	refused 'a multiple of 64K, at most 1G' "$device" "$VENEER" pool create --data "$device" --block-size 2G
	refused 'it must be a multiple of the block size, from 64M to 256T' "$device" \
		"$VENEER" pool create --data "$device" --volume-size 63M
	refused 'from 64M to 256T' "$device" "$VENEER" pool create --data "$device" --volume-size 257T
	refused 'xfs needs at least 320M' "$device" "$VENEER" pool create --data "$device" --fs xfs --volume-size 64M
	refused "unknown file system 'btrfs': use ext4 or xfs" "$device" "$VENEER" pool create --data "$device" --fs btrfs
	refused 'cannot specify both --data and --files' "$device" "$VENEER" pool create --data "$device" --files 1G
	refused 'the --metadata option requires --data' "$device" "$VENEER" pool create --metadata "$device"
	refused 'is too small for a pool: it has 96 MiB, and at least 1041 are needed' "$device" \
		"$VENEER" pool create --data "$device" --block-size 1G --volume-size 10G
	refused 'a pool of 1 bytes is too small: it needs at least 64M' "$device" "$VENEER" pool create --files 1
	refused 'File too large' "$device" "$VENEER" pool create --files 7.9E
	refused 'choose smaller blocks' "$device" "$VENEER" pool create --files 100M --block-size 128M
	for bad in -1 0 99999999999999999999 12Q 0x10 ''; do
		for option in files block-size volume-size; do
			fails 125 "$VENEER" pool create "--$option" "$bad"
			contains "invalid argument \"$bad\" for \"--$option\" flag" "$stderr"
		done
	done
	fails 125 "$VENEER" pool grow --size 0
	# What is found only when the template is made.
	refused 'No space left on device' "$device" "$VENEER" pool create --files 64M --fs xfs
	is 1 "$(losetup -n -O NAME | wc -l)" 'loop devices'
}

no_device() {
	loop one 96
	refused "'$WORK/none': No such file or directory" "$device" "$VENEER" pool create --data "$WORK/none"
	refused "is not a block device" "$device" "$VENEER" pool create --data "$WORK/one.img"
	refused "is not a block device" "$device" "$VENEER" pool create --data /dev/null
	refused "open $WORK: Is a directory" "$device" "$VENEER" pool create --data "$WORK"
	refused "'$WORK/one.img' is not a block device" "$device" "$VENEER" pool create --data "$device" --metadata "$WORK/one.img"
	loop tiny 80
	refused "'$device' is too small for a pool: it has 80 MiB, and at least 81 are needed; choose another" \
		"$device" "$VENEER" pool create --data "$device" --force
	loop least 81
	"$VENEER" pool create --data "$device"
	"$VENEER" pool destroy --force
	data=$device
	loop meta 2
	refused "'$device' is too small for a pool: it has 2 MiB, and at least 3 are needed" \
		"$data" "$VENEER" pool create --data "$data" --metadata "$device"
	losetup -d "$data"
	data=$(losetup -f -r --show "$WORK/least.img")
	refused "'$data' is read-only: choose another" "$data" "$VENEER" pool create --data "$data" --force
}

crc_of_lvm() {
	perl -e 'my ($crc, $s) = (0xf597a6cf, join "", <STDIN>); for my $b (unpack "C*", $s) {
		$crc ^= $b; $crc = $crc & 1 ? ($crc >> 1) ^ 0xedb88320 : $crc >> 1 for 1 .. 8 }
		print pack "V", $crc'
}

sign() { # KIND, on $device
	local bytes
	case $1 in
	ext4) mkfs.ext4 -qF "$device" ;;
	xfs) mkfs.xfs -qf "$device" ;;
	swap) mkswap "$device" >/dev/null ;;
	luks) printf 'LUKS\xba\xbe\0\1' | dd of="$device" conv=notrunc status=none ;;
	partitions) # one of 128 MiB
		printf '\0\0\2\0\203\0\0\0\0\10\0\0\0\0\4\0' | dd of="$device" bs=1 seek=446 conv=notrunc status=none
		printf '\x55\xaa' | dd of="$device" bs=1 seek=510 conv=notrunc status=none
		;;
	lvm) # the label, in sector 1
		bytes=$WORK/label
		{ printf '\40\0\0\0LVM2 001'; printf '%032d' 7; head -c 448 /dev/zero; } >"$bytes"
		{ printf 'LABELONE\1\0\0\0\0\0\0\0'; crc_of_lvm <"$bytes"; cat "$bytes"; } |
			dd of="$device" seek=1 conv=notrunc status=none
		;;
	thin) # as dmsetup makes it: metadata without any other sign
		printf '\xba\x52\x9c\1\0\0\0\0' | dd of="$device" bs=1 seek=32 conv=notrunc status=none
		;;
	esac
	sync
}

signed() { # KIND WHAT
	loop one "$([ "$1" = xfs ] && echo 300 || echo 96)"
	sign "$1"
	refused "'$device' carries $2; if nobody needs it, take the device with --force" "$device" \
		"$VENEER" pool create --data "$device"
	data=$device
	loop other 96
	blank=$(sum "$device")
	refused "'$data' carries $2" "$data" "$VENEER" pool create --data "$device" --metadata "$data"
	is "$blank" "$(sum "$device")" 'content of the empty device'
	[ "$1" = ext4 ] || return 0
	"$VENEER" pool create --data "$data" --force
	"$VENEER" pool destroy --force
	is '' "$(blkid -p "$data")" 'signature'
}

of_another_store() {
	loop one 96
	"$VENEER" pool create --data "$device"
	id=$(jq -r .uuid "$VENEER_ROOT/pool.json")
	first=$VENEER_ROOT
	export VENEER_ROOT=$WORK/second
	mkdir -p "$VENEER_ROOT"
	refused "'$device' is in use: it, or a part of it, is mounted, is swap, or belongs to another device" \
		"$device" "$VENEER" pool create --data "$device" --force
	"$VENEER" --root "$first" pool deactivate
	refused "'$device' belongs to the veneer store $id; if that store is gone, take the device with --force" \
		"$device" "$VENEER" pool create --data "$device"
	# Both copies of its header are damaged: it still is one.
	for at in 0 65536; do
		printf x | dd of="$device" bs=1 seek=$((at + 200)) conv=notrunc status=none
	done
	refused "'$device' belongs to a veneer store, and the header's checksum is wrong" \
		"$device" "$VENEER" pool create --data "$device"
	"$VENEER" pool create --data "$device" --force
	fails 1 "$VENEER" --root "$first" pool activate
	contains "'$device' belongs to the store $(jq -r .uuid "$VENEER_ROOT/pool.json"), not to this one ($id)" "$stderr"
	before=$(sum "$device")
	# What is not the first store's any more is not wiped with it.
	"$VENEER" --root "$first" pool destroy --force
	is "$before" "$(sum "$device")" "content of $device"
	"$VENEER" check
	"$VENEER" pool destroy --force
}

in_use() { # HOW TEXT
	loop one 96
	data=$device
	case $1 in
	mounted)
		mkfs.ext4 -qF "$data"
		mount -o ro "$data" "$mnt"
		;;
	swap)
		mkswap "$data" >/dev/null
		swapon "$data"
		;;
	dm) echo "0 2048 linear $data 4096" | dmsetup create veneer-test-on ;;
	loop) losetup -f "$data" ;;
	pool) # one made by hand, with the metadata in another place
		loop meta 4
		echo "0 $((2048 * 64)) thin-pool $device $data 128 0" | dmsetup create veneer-test-pool
		;;
	open)
		perl -MFcntl -e 'sysopen(my $f, shift, O_RDWR | O_EXCL) or die; print "open\n";
			close STDOUT; sleep 60' "$data" >"$WORK/opened" &
		until [ -s "$WORK/opened" ]; do :; done
		;;
	esac
	loop other 96
	blank=$(sum "$device")
	refused "'$data' $2" "$data" "$VENEER" pool create --data "$data"
	refused "'$data' $2" "$data" "$VENEER" pool create --data "$data" --force
	refused "'$data' $2" "$data" "$VENEER" pool create --data "$device" --metadata "$data" --force
	is "$blank" "$(sum "$device")" 'content of the other device'
	case $1 in
	swap) swapoff "$data" ;;
	open) kill %% ;;
	esac
}

partition_and_disk() {
	local name
	device=$DISK3
	dd if=/dev/zero of="$device" bs=1M count=256 oflag=direct status=none
	sign partitions
	blockdev --rereadpt "$device"
	name=/dev/$(lsblk -rno KNAME "$device" | tail -n 1)
	check "$name is a partition" test "$(blockdev --getsize64 "$name")" = $((128 << 20))
	refused 'carries a partition table (dos)' "$device" "$VENEER" pool create --data "$device"
	refused "'$name' is in use" "$device" "$VENEER" pool create --data "$device" --metadata "$name" --force
	mkfs.ext4 -qF "$name"
	mount "$name" "$mnt"
	refused "'$device' is in use: it, or a part of it, is mounted" "$device" "$VENEER" pool create --data "$device" --force
	refused "'$name' is mounted: unmount it, or choose another" "$device" "$VENEER" pool create --data "$name" --force
	umount "$mnt"
	"$VENEER" pool create --data "$name" --force
	is $((111 << 20)) "$(status DataTotal)"
	mkdir -p "$WORK/second"
	fails 1 "$VENEER" --root "$WORK/second" pool create --data "$device" --force
	contains "'$device' is in use: it, or a part of it" "$stderr"
	"$VENEER" check
	"$VENEER" pool deactivate
	fails 1 "$VENEER" --root "$WORK/second" pool create --data "$device"
	contains 'carries a partition table (dos)' "$stderr"
	"$VENEER" check
	"$VENEER" pool destroy --force
}

forget_partitions() {
	dd if=/dev/zero of="$DISK3" bs=1M count=2 oflag=direct status=none
	blockdev --rereadpt "$DISK3"
}

# Something else on the devices of a pool that is not started.
stranger_below() { # HOW TEXT
	loop one 256
	"$VENEER" pool create --data "$device"
	"$VENEER" pool deactivate
	case $1 in
	map) echo "0 2048 linear $device 65536" | dmsetup create veneer-test-on ;;
	loop) losetup -f "$device" ;;
	mount)
		head -c 2M "$device" >"$WORK/head"
		mkfs.ext4 -qF "$device"
		mount -o ro "$device" "$mnt" # else the file system itself writes, when it likes
		;;
	pool) # the very same data and metadata, started by hand
		echo "0 $((16 * 2048)) linear $device 2048" | dmsetup create veneer-test-meta
		echo "0 $((239 * 2048)) linear $device $((17 * 2048))" | dmsetup create veneer-test-data
		echo "0 $((239 * 2048)) thin-pool /dev/mapper/veneer-test-meta /dev/mapper/veneer-test-data 128 0" |
			dmsetup create veneer-test-pool
		;;
	esac
	maps=$(dmsetup ls)
	before=$(sum "$device")
	for command in 'pool activate' 'pool grow' 'check --repair' "load -q -i $IMAGES/oci.tar"; do
		# shellcheck disable=SC2086 # several words
		fails 1 "$VENEER" $command
		contains "$2" "$stderr"
		is "$maps" "$(dmsetup ls)" devices
	done
	is "$before" "$(sum "$device")" "content of $device"
	case $1 in
	map) dmsetup remove veneer-test-on ;;
	loop) losetup -d "$(losetup -n -O NAME,BACK-FILE | awk -v on="$device" '$2 == on { print $1 }')" ;;
	mount)
		umount "$mnt"
		dd if="$WORK/head" of="$device" conv=notrunc,fsync status=none
		;;
	pool) dmsetup remove veneer-test-pool && dmsetup remove veneer-test-data && dmsetup remove veneer-test-meta ;;
	esac
	"$VENEER" pool activate
	sound
}

stranger_above() {
	loop one 256
	"$VENEER" pool create --data "$device"
	dmsetup message "$(pool_device pool)" 0 'create_thin 77'
	echo "0 2048 thin /dev/mapper/$(pool_device pool) 77" | dmsetup create veneer-test-thin
	is 77 "$("$VENEER" pool ls --format '{{.Kind}} {{.ID}}' | sed -n 's/^unknown //p')" 'unknown id'
	is 1 "$(status Unknown)"
	for command in deactivate 'destroy --force'; do
		# shellcheck disable=SC2086 # two words
		fails 1 "$VENEER" pool $command
		contains "$(pool_device pool) is in use by something that veneer did not make" "$stderr"
		contains 'remove that first' "$stderr"
		is 2 "$(status Volumes)"
	done
	dmsetup remove veneer-test-thin
	"$VENEER" check --repair >/dev/null
	sound
	"$VENEER" pool deactivate
}

lost_device() {
	part one 256 "$DISK1"
	"$VENEER" pool create --data "$device"
	"$VENEER" pool deactivate
	dmsetup remove veneer-test-one
	for command in 'pool activate' 'pool status' 'pool create --files 100M' check "load -q -i $IMAGES/oci.tar"; do
		# shellcheck disable=SC2086 # several words
		fails 1 "$VENEER" $command
		[ "$command" = 'pool create --files 100M' ] || contains "open $device: No such file or directory" "$stderr"
	done
	contains "bring the device back, or give the pool up with 'veneer pool destroy --force'" "$stderr"
	contains "Health:            inactive" "$("$VENEER" pool status 2>/dev/null || true)"
	"$VENEER" pool destroy </dev/null >/dev/null
	check 'the pool is there' test -e "$VENEER_ROOT/pool.json"
	"$VENEER" pool destroy --force
	check 'the root has no pool' test ! -e "$VENEER_ROOT/pool.json"
}

# One of each kind of answer always, the others with VM_LONG.
long_case() { [ -z "${VM_LONG:-}" ] || pool_case "$@"; }

pool_case 'sizes that cannot be' bad_sizes
pool_case 'what is no device, or too small, or cannot be written' no_device
pool_case 'a device with ext4' signed ext4 'a file system (ext4)'
long_case 'a device with xfs' signed xfs 'a file system (xfs)'
long_case 'a device with swap' signed swap 'a signature (swap)'
pool_case 'a device with a partition table' signed partitions 'a partition table (dos)'
long_case 'a physical volume of LVM' signed lvm 'a signature (LVM2_member)'
pool_case 'an encrypted device' signed luks 'a signature (crypto_LUKS)'
long_case "a thin pool's metadata" signed thin 'a signature (metadata of a thin pool)'
pool_case 'a device of another store' of_another_store
pool_case 'a mounted device' in_use mounted 'is mounted: unmount it, or choose another'
long_case 'a device that is swap' in_use swap 'is in use: it, or a part of it, is mounted, is swap'
pool_case 'a device below a map' in_use dm 'is in use: it, or a part of it'
long_case 'a device below a loop device' in_use loop 'is in use: /dev/loop'
long_case 'a device below a pool made by hand' in_use pool 'is in use: it, or a part of it'
pool_case 'a device that a program has for itself' in_use open 'is in use: it, or a part of it'
pool_case 'partitions and the whole disk' partition_and_disk
forget_partitions
pool_case 'a map on the data of a stopped pool' stranger_below map 'is in use: it, or a part of it'
long_case 'a loop device on the data of a stopped pool' stranger_below loop 'is in use: /dev/loop'
long_case 'the data of a stopped pool run by hand' stranger_below pool 'is in use: it, or a part of it'
pool_case 'the data of a stopped pool is a mounted file system now' stranger_below mount 'is not the pool of this store'
pool_case "a stranger's device on the running pool" stranger_above
pool_case 'a device that is gone' lost_device

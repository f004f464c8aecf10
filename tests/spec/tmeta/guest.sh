#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as init of a User-Mode Linux kernel: makes a thin pool on ubda and ubdb
# and changes it in all the ways that veneer does. $WORK is a folder of the host.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DM_DISABLE_UDEV=1
exec >"$WORK/guest.log" 2>&1
set -x
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
modprobe -d "$WORK" dm-thin-pool

off() {
	sync
	halt -f -p
}
trap off EXIT
set -e

message() {
	dmsetup message pool 0 "$1"
}

# volume ID: activate it as /dev/mapper/vID
volume() {
	dmsetup create "v$1" --table "0 4194304 thin /dev/mapper/pool $1"
}

# snapshot ID ORIGIN: the origin rests meanwhile
snapshot() {
	dmsetup suspend "v$2"
	message "create_snap $1 $2"
	dmsetup resume "v$2"
	volume "$1"
}

# write ID FIRST NR: pool blocks of 64 KiB
write() {
	dd if=/dev/zero of="/dev/mapper/v$1" bs=64K seek="$2" count="$3" oflag=direct
}

trim() {
	blkdiscard -o $(($2 * 65536)) -l $(($3 * 65536)) "/dev/mapper/v$1"
}

# Data blocks in use; asking commits what is open.
used() {
	dmsetup status pool | sed 's|.* [0-9]*/[0-9]* \([0-9]*\)/.*|\1|'
}

dmsetup create pool --table "0 4194304 thin-pool /dev/ubda /dev/ubdb 128 0 1 skip_block_zeroing"
message "create_thin 1"
volume 1
write 1 0 480
snapshot 2 1
write 2 160 80
trim 2 320 32
snapshot 3 2
write 3 640 320
message "create_thin 4"
snapshot 5 1
trim 5 0 480
snapshot 6 3
block=0
while [ $block -lt 600 ]; do
	write 6 $block 1
	block=$((block + 40))
done
snapshot 7 6
write 7 0 20
dmsetup remove v7
message "delete 7"

message "reserve_metadata_snap"
dmsetup status pool | awk '{ print $7 }' >"$WORK/held"
used >"$WORK/used-held"
snapshot 8 6
write 8 100 30
trim 8 0 16
dmsetup remove v5
message "delete 5"
used
dd if=/dev/ubda of="$WORK/meta-held" bs=64K iflag=direct
message "release_metadata_snap"
used >"$WORK/used"
for id in 1 2 3 6 8; do
	dmsetup remove "v$id"
done
dmsetup remove pool
touch "$WORK/done"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 240
# A pool on logical volumes: the monitor takes what is short from the volume group.
# shellcheck disable=SC2154 # the libraries set stderr, device, link and monitor
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"
# shellcheck source=tests/vm/lib-monitor.sh
. "$(dirname "$0")/lib-monitor.sh"

# Nothing of this machine: neither its configuration nor its disks, and no udevd to wait for.
export LVM_SYSTEM_DIR=$WORK/lvm
mkdir -p "$LVM_SYSTEM_DIR/lock" "$LVM_SYSTEM_DIR/run"
cat >"$LVM_SYSTEM_DIR/lvm.conf" <<END
devices {
	use_devicesfile = 0
	hints = "none"
	obtain_device_list_from_udev = 0
	external_device_info_source = "none"
	filter = [ "a|^/dev/loop|", "r|.*|" ]
}
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
backup { backup = 0 archive = 0 }
global { locking_dir = "$LVM_SYSTEM_DIR/lock" use_lvmpolld = 0 event_activation = 0 }
END

# A hyphen in a name of LVM's is two in one of device-mapper's.
vg=test-vg

# group MIB MIB - a volume group on two disks
group() {
	loop one "$1"
	first=$device
	loop two "$2"
	vgcreate -qq "$vg" "$first" "$device" 2>/dev/null
}

lv() { # NAME MIB
	lvcreate -qq -W n -Z n -n "$1" -L "$2m" "$vg" 2>/dev/null
}

lv_mib() { # NAME
	lvs --noheadings --nosuffix --units m -o lv_size "$vg/$1" | tr -d ' ' | cut -d. -f1
}

vg_free_mib() {
	vgs --noheadings --nosuffix --units m -o vg_free "$vg" | tr -d ' ' | cut -d. -f1
}

# as_the_service COMMAND... - with no more capabilities than the monitor's unit has
as_the_service() {
	local unit caps
	unit=$(dirname "$0")/../../systemd/veneer-monitor.service
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g')
	setpriv --bounding-set "-all,$caps" --no-new-privs "$@"
}

# A case takes its group with it, before the disks below it go.
lvm_case() {
	case_ "$@"
	end_monitor
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool destroy --force >/dev/null 2>&1
	vgremove -qq -f -y "$vg" >/dev/null 2>&1
	clear_all >/dev/null 2>&1
}

# write_at MIB COUNT - of $WORK/written, through $link
write_at() {
	dd if="$WORK/written" of="$link" bs=1M skip="$1" seek="$((100 + $1))" count="$2" oflag=direct status=none
}

# has_grown PERCENT MIB - less than that is in use, or it is that large
has_grown() {
	local used total
	read -r _ _ _ _ _ used _ < <(dmsetup status "$(pool_device pool)")
	total=${used#*/}
	used=${used%/*}
	[ $((used * 100)) -lt $((total * $1)) ] || [ "$total" -ge $(($2 * 16)) ]
}

grows() {
	group 128 128
	lv data 120
	lv meta 8
	"$VENEER" pool create --data "/dev/$vg/data" --metadata "/dev/$vg/meta"
	is "/dev/$vg/data $((119 << 20)) /dev/$vg/meta $((7 << 20))" \
		"$(status 'DataDevice}} {{.DataTotal}} {{.MetadataDevice}} {{.MetadataTotal')"
	image base 1
	start_monitor '"grow_at": 60, "grow_step": "25M", "grow_max": "200M"'
	link=$("$VENEER" attach --rw base)
	dd if=/dev/urandom of="$WORK/written" bs=1M count=120 status=none
	for at in $(seq 0 20 100); do
		write_at "$at" 20
		until_true 'it grows as it is filled' has_grown 60 200
	done
	until_true 'it has grown to the most it may' total_is pool_data_size_bytes $((200 << 20))
	is "$(cksum <"$WORK/written")" "$(dd if="$link" bs=1M skip=100 count=120 iflag=direct status=none | cksum)" 'what was written'
	contains 'the pool has grown from 119 to 144 MiB' "$(<"$WORK/said")"
	contains 'to 200 MiB' "$(<"$WORK/said")"
	check 'the volume has whole extents, and no more' test "$(lv_mib data)" = 204
	check 'it lies on both disks' test "$(lvs --noheadings -o seg_count "$vg/data")" -gt 1
	is 8 "$(lv_mib meta)" 'MiB of the other volume'
	# The most it may have is no problem as long as it is not full.
	is '' "$(status Problem)"
	stop_monitor
	"$VENEER" detach "$link"
	"$VENEER" pool deactivate
	"$VENEER" pool activate
	is $((200 << 20)) "$(status DataTotal)"
	sound
}

exhausted() {
	group 160 64
	lv data 128
	lv meta 8
	"$VENEER" pool create --data "/dev/$vg/data" --metadata "/dev/$vg/meta"
	image first 30
	image second 30
	image held 1
	link=$("$VENEER" attach --rw held)
	dd if=/dev/urandom of="$WORK/written" bs=1M count=140 status=none
	start_monitor '"grow_at": 70, "grow_step": "64M", "grow_max": "10G", "prune": "all", "prune_at": 85, "prune_to": 75'
	write_at 0 30
	until_true 'it grows' total_is pool_data_size_bytes $((191 << 20))
	write_at 30 70
	until_true 'an image went' pruned 1
	is 'held second' "$(images)"
	contains 'the pool has grown from 127 to 191 MiB' "$(<"$WORK/said")"
	contains "the pool cannot grow: enlarge the logical volume '/dev/mapper/test--vg-data': lvextend failed (exit status 5): Insufficient free space: " "$(<"$WORK/said")"
	is 1 "$(grep -c 'cannot grow' "$WORK/said")" 'how often it said so'
	contains 'cannot grow' "$(status Problem)"
	is 192 "$(lv_mib data)" 'MiB of the volume'
	# Another disk, and it goes on at the next event.
	loop three 160
	vgextend -qq "$vg" "$device" 2>/dev/null
	write_at 100 30
	until_true 'it has grown again' total_is pool_data_size_bytes $((255 << 20))
	until_true 'the problem is over' total_is monitor_problem 0
	is 'held second' "$(images)"
	stop_monitor
	"$VENEER" detach "$link"
	sound
}

guards_metadata() {
	group 256 64
	lv data 240
	lv meta 8
	"$VENEER" pool create --data "/dev/$vg/data" --metadata "/dev/$vg/meta"
	# Without a maximum for the data nothing is taken from the group by itself.
	start_monitor '"grow_at": 80'
	create_thins "$(pool_device pool)" 1000 2450
	until_true 'it says why' grep -q 'metadata cannot grow' "$WORK/said"
	contains "metadata cannot grow: '/dev/$vg/meta' has 0 MiB more than the pool uses, and 7 MiB are needed" "$(<"$WORK/said")"
	stop_monitor
	start_monitor '"grow_at": 80, "grow_max": "1G"'
	until_true 'metadata has grown' total_is pool_metadata_size_bytes $((14 << 20))
	contains 'the metadata of the pool has grown from 7 to 14 MiB' "$(<"$WORK/said")"
	is '16 240' "$(lv_mib meta) $(lv_mib data)" 'MiB of the volumes'
	is 'ok read-write' "$(status 'Health}} {{.Mode')"
	stop_monitor
}

guards_shared_metadata() {
	group 128 128
	lv both 128
	"$VENEER" pool create --data "/dev/$vg/both"
	was=$(status MetadataTotal)
	start_monitor '"grow_at": 80, "grow_max": "1G"'
	create_thins "$(pool_device pool)" 1000 $((1000 + was / 5000))
	until_true 'metadata has grown' total_is pool_metadata_size_bytes $((2 * was))
	check 'so has the volume' test "$(lv_mib both)" = $((128 + (was >> 20)))
	is ok "$(status Health)"
	stop_monitor
	# What is there already is used first.
	said=$(as_the_service lvextend -L +64m "$vg/both" 2>&1)
	contains 'successfully resized' "$said"
	is '' "$(grep -i 'failed' <<<"$said")" 'what the unit denies it'
	free=$(vg_free_mib)
	start_monitor '"grow_at": 1, "grow_step": "32M", "grow_max": "150M"'
	until_true 'data has grown' total_is pool_data_size_bytes $((150 << 20))
	is "$free" "$(vg_free_mib)" 'MiB that the group has left'
	stop_monitor
}

lvm_case 'the pool grows with its volume, up to its maximum' grows
lvm_case 'a group without space is said, and images go instead' exhausted
lvm_case 'metadata on a volume grows' guards_metadata
lvm_case 'metadata on the volume of the data grows' guards_shared_metadata

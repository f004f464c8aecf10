#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The monitor: a pool that grows by itself, images that make room, metadata that does not run out.
# shellcheck disable=SC2154 # the libraries set stderr, device and mnt
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"
# shellcheck source=tests/vm/lib-monitor.sh
. "$(dirname "$0")/lib-monitor.sh"

exec 3>&1

grows() {
	"$VENEER" pool create --files 256M
	load
	start_monitor '"grow_at": 60, "grow_step": "64M", "grow_max": "1G"'
	link=$("$VENEER" attach --rw debian:12)
	dd if=/dev/urandom of="$WORK/written" bs=1M count=300 status=none
	# Slower than this kernel writes, as a disk would be.
	for at in $(seq 0 20 280); do
		dd if="$WORK/written" of="$link" bs=1M skip="$at" seek="$((100 + at))" count=20 oflag=direct status=none
	done
	sum=$(cksum <"$WORK/written")
	is "$sum" "$(dd if="$link" bs=1M skip=100 count=300 iflag=direct status=none | cksum)" 'what was written'
	contains 'the pool has grown from 256 to 320 MiB' "$(<"$WORK/said")"
	check 'it has grown' test "$(status DataTotal)" -ge $((400 << 20))
	until_true 'metrics follow' total_is pool_data_size_bytes "$(status DataTotal)"
	stop_monitor
	cat "$WORK/said"
	"$VENEER" detach "$link"
	sound
}

# switches - how often the waiting monitor has been woken so far
switches() {
	awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$monitor/status"
}

waits() {
	"$VENEER" pool create --files 128M
	start_monitor '"grow_max": "1G"'
	fails 1 "$VENEER" monitor
	contains 'a monitor runs for the store' "$stderr"
	# The events of its own first look.
	until_true 'it rests' eval 'before=$(switches); sleep 1; [ "$(switches)" = "$before" ]'
	sleep 3
	is "$before" "$(switches)" 'wake-ups in three seconds'
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$monitor/status")
	check "$rss KiB are less than 5 MiB" test "$rss" -lt 5120
	echo "resident: $rss KiB" >&3
	# A pool that comes and goes beside it.
	"$VENEER" pool deactivate
	until_true 'it has seen the pool stop' total_is pool_active 0
	is '' "$(dmsetup ls | grep veneer)" 'devices of a stopped pool'
	"$VENEER" pool activate
	until_true 'it has seen the pool start' total_is pool_active 1
	"$VENEER" pool destroy --force
	until_true 'it has seen the pool go' total_is pool_active 0
	"$VENEER" pool create --files 192M
	until_true 'it has seen the new pool' total_is pool_data_size_bytes $((192 << 20))
	check 'the kernel has its mark' until_true 'a mark' eval \
		'[ "$(dmsetup table "$(pool_device pool)" | cut -d" " -f7)" = 614 ]'
	stop_monitor
	is '' "$(grep -v 'the pool is' "$WORK/said")" 'what it said'
}

prunes() {
	"$VENEER" pool create --files 128M
	for name in first second third held; do
		image $name 16
	done
	used first 5
	used second 4
	used third 3
	used held 9
	# Shown just now, so it is not the oldest any more.
	"$VENEER" mount first "$mnt"
	"$VENEER" unmount "$mnt"
	link=$("$VENEER" attach --rw held)
	start_monitor '"grow_at": 50, "grow_max": "128M", "prune": "all", "prune_at": 75, "prune_to": 60'
	is 'first held second third' "$(images)"
	dd if=/dev/urandom of="$link" bs=1M seek=1000 count=30 oflag=direct status=none
	until_true 'two images went' pruned 2
	is 'first held' "$(images)"
	contains '2 unused images were deleted (second:latest, third:latest)' "$(<"$WORK/said")"
	used_now=$(pool_used)
	check "$used_now bytes are at the mark" test "$used_now" -le $((128 * 1024 * 1024 / 10 * 6))
	# Nothing more can go than the last one that is not in use, and it says so once.
	dd if=/dev/urandom of="$link" bs=1M seek=1100 count=40 oflag=direct status=none
	until_true 'the third went' pruned 3
	is held "$(images)"
	dd if=/dev/urandom of="$link" bs=1M seek=1200 count=20 oflag=direct status=none
	until_true 'it knows no more' grep -q 'no image is unused' "$WORK/said"
	is 1 "$(grep -c 'no image is unused' "$WORK/said")" 'how often it said so'
	contains "run 'veneer pool grow'" "$(status Problem)"
	"$VENEER" pool grow --size 512M
	until_true 'the problem is over' total_is monitor_problem 0
	"$VENEER" detach "$link"
	stop_monitor
	sound
}

# What a pull brings back goes; what was made, loaded, pushed or named here stays, however old it is.
prunes_what_can_return() {
	local name
	start_registry
	"$VENEER" pool create --files 160M
	for name in pulled named; do
		filling 16
		tar -C "$WORK/tree" -cf - . | "$VENEER" import - "$host/$name" >/dev/null
		"$VENEER" push -q "$host/$name"
		"$VENEER" rmi "$host/$name" >/dev/null
		"$VENEER" pull -q "$host/$name"
	done
	"$VENEER" tag "$host/named" mine
	image "$host/pushed" 16
	"$VENEER" push -q "$host/pushed"
	image imported 16
	image held 1
	used "$host/pushed" 9
	used imported 8
	used mine 7
	link=$("$VENEER" attach --rw held)
	start_monitor '"prune_at": 75, "prune_to": 55'
	is "held imported $host/named $host/pulled $host/pushed mine" "$(images)"
	is pulled "$(status Prune)"
	contains 'at 75 % of the data, down to 55 %, unused images that were pulled' \
		"$(VENEER_CONFIG=$config "$VENEER" pool status)"
	dd if=/dev/urandom of="$link" bs=1M seek=1000 count=58 oflag=direct status=none
	until_true 'an image went' pruned 1
	is "held imported $host/named $host/pushed mine" "$(images)"
	until_true 'it knows no more' grep -q 'no unused image can be pulled again' "$WORK/said"
	contains "$host/pulled:latest" "$(<"$WORK/said")"
	stop_monitor
	# It can, indeed.
	"$VENEER" pull -q "$host/pulled"
	# Nothing goes where nothing shall.
	start_monitor '"prune": "none", "prune_at": 75, "prune_to": 55'
	until_true 'it is said' grep -q "the pool is nearly full: run 'veneer pool grow'" "$WORK/said"
	is "held imported $host/named $host/pulled $host/pushed mine" "$(images)"
	stop_monitor
	"$VENEER" detach "$link"
	sound
}

# With fields, where standard error is the journal. Its socket is one of ours here.
tells_the_journal() {
	mkdir -p /run/systemd/journal
	python3 -c 'if True:
		import os, socket, sys
		journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		journal.bind("/run/systemd/journal/socket")
		open(sys.argv[1] + ".ready", "w").close()
		journal.settimeout(60)
		entry = journal.recv(65536)
		open(sys.argv[1], "wb").write(entry)' "$WORK/entry" &
	socket=$!
	: >"$WORK/said"
	until_true 'the socket is there' test -e "$WORK/entry.ready"
	"$VENEER" pool create --files 128M
	settings '"grow_at": 1, "grow_max": "160M", "grow_step": "32M"'
	VENEER_CONFIG=$config JOURNAL_STREAM=$(stat -c %d:%i "$WORK/said") "$VENEER" monitor 2>>"$WORK/said" 3>&- &
	monitor=$!
	echo "$monitor" >"$WORK/monitor.pid"
	wait "$socket"
	stop_monitor
	rm -rf /run/systemd/journal
	for field in 'MESSAGE=the pool has grown from 128 to 160 MiB' PRIORITY=5 SYSLOG_IDENTIFIER=veneer \
		VENEER_EVENT=data-grown "VENEER_ROOT=$VENEER_ROOT" "VENEER_POOL=$(pool_device pool)" \
		"VENEER_DATA_SIZE_BYTES=$((160 << 20))"; do
		check "the field $field" grep -q "^$field" "$WORK/entry"
	done
	is '' "$(<"$WORK/said")" 'on standard error'
}

trims() {
	"$VENEER" pool create --files 128M
	image one 8
	image other 1
	"$VENEER" mount --rw one "$mnt"
	dd if=/dev/urandom of="$mnt/gone" bs=1M count=80 conv=fsync status=none
	rm "$mnt/gone"
	sync -f "$mnt"
	start_monitor '"prune_at": 60, "prune_to": 50'
	until_true 'space came back' grep -q 'gave .* MiB of deleted files back' "$WORK/said"
	is 'one other' "$(images)"
	"$VENEER" unmount "$mnt"
	stop_monitor
}

guards_metadata() {
	"$VENEER" pool create --files 256M
	start_monitor '"grow_at": 80'
	create_thins "$(pool_device pool)" 1000 4200
	until_true 'metadata has grown' total_is pool_metadata_size_bytes $((32 << 20))
	contains 'the metadata of the pool has grown from 16 to 32 MiB' "$(<"$WORK/said")"
	is 'ok read-write' "$(status 'Health}} {{.Mode')"
	stop_monitor
}

repairs_metadata() {
	loop data 400
	data=$device
	part meta 3 "$DISK2"
	"$VENEER" pool create --data "$data" --metadata "$device"
	load
	link=$("$VENEER" attach --rw debian:12)
	leave_metadata "$(pool_device pool)" 16
	dd if=/dev/zero of="$link" bs=1M seek=1000 count=200 oflag=direct status=none 2>/dev/null && false
	fails 1 "$VENEER" detach "$link"
	contains "is out of metadata space: run 'veneer pool grow --metadata-size SIZE'" "$stderr"
	is 'out of metadata space' "$(status Health 2>/dev/null || true)"
	contains 'metadata: 100 % in use' "$(status Pressure 2>/dev/null || true)"
	out=$("$VENEER" pool check)
	contains "is stopped for the check
thin_check reads the metadata on $device" "$out"
	contains 'the metadata is sound
the pool runs again' "$out"
	"$VENEER" pool repair >"$WORK/out" 2>"$WORK/err" && false
	contains "a copy of the metadata as it was is kept in $VENEER_ROOT/pool.damaged" "$(<"$WORK/out")"
	contains "the metadata is in order, and catalogue and pool are not compared yet: the pool has" "$(<"$WORK/err")"
	thin_check -q "$VENEER_ROOT/pool.damaged"
	remap meta "0 $((64 * 2048)) linear $DISK2 0"
	"$VENEER" pool grow
	"$VENEER" pool repair >"$WORK/out"
	is ok "$(status Health)"
	"$VENEER" mount debian:12 "$mnt"
	is veneer-test "$(cat "$mnt/etc/hostname")"
	fails 1 "$VENEER" pool check
	contains 'is in use: unmount or detach it first' "$stderr"
	"$VENEER" unmount "$mnt"
	sound
}

# acknowledged DIR - writes files until one fails, and keeps the sums of those that are on the disk
acknowledged() {
	local i
	: >"$WORK/sums"
	for ((i = 0; i < 100; i++)); do
		dd if=/dev/urandom of="$1/file$i" bs=1M count=2 conv=fsync status=none 2>/dev/null || break
		(cd "$1" && sha256sum "file$i") >>"$WORK/sums"
	done
	check 'the pool is full' test "$i" -lt 100
}

full() {
	local link i
	"$VENEER" pool create --files 96M
	image spare 24
	image one 8
	link=$("$VENEER" attach --rw one)
	mount -o noatime "$link" "$mnt"
	acknowledged "$mnt"
	is 'out of data space' "$(status Health)"
	contains 'data: full, writes fail; run' "$(status Pressure)"
	for command in 'attach --rw one' "load -q -i $IMAGES/oci.tar" 'create one true' 'import /dev/null x'; do
		# shellcheck disable=SC2086 # several words
		fails 1 "$VENEER" $command
		contains "the pool has 0 KiB of data left, and keeps 1536 KiB in reserve: remove images, or run 'veneer pool grow'" "$stderr"
	done
	"$VENEER" rmi spare >/dev/null
	is ok "$(status Health)"
	(cd "$mnt" && sha256sum --quiet -c "$WORK/sums")
	# To the end once more, past the file system.
	for ((i = 1000; i < 1100; i++)); do
		dd if=/dev/urandom of="$WORK/piece" bs=1M count=1 status=none
		dd if="$WORK/piece" of="$link" bs=1M seek=$i oflag=direct status=none 2>/dev/null || break
		cksum <"$WORK/piece" >"$WORK/piece$i"
	done
	check 'the pool is full' test "$i" -lt 1100
	"$VENEER" pool grow --size 256M
	is ok "$(status Health)"
	dd if="$WORK/piece" of="$link" bs=1M seek=$i oflag=direct status=none
	cksum <"$WORK/piece" >"$WORK/piece$i"
	for ((; i >= 1000; i--)); do
		is "$(<"$WORK/piece$i")" "$(dd if="$link" bs=1M skip=$i count=1 iflag=direct status=none | cksum)"
	done
	umount "$mnt"
	mount -o noatime "$link" "$mnt"
	(cd "$mnt" && sha256sum --quiet -c "$WORK/sums")
	dd if=/dev/urandom of="$mnt/after" bs=1M count=2 conv=fsync status=none
	umount "$mnt"
	"$VENEER" detach "$link"
	sound
}

monitor_case 'a pool grows by itself under writes' grows
monitor_case 'it sleeps while nothing happens, and lives on beside a pool that goes' waits
monitor_case 'unused images make room, the least recently used first' prunes
monitor_case 'by itself only what a pull brings back makes room' prunes_what_can_return
monitor_case 'the journal has its messages, with fields' tells_the_journal
monitor_case 'space of deleted files comes back before images go' trims
monitor_case 'metadata grows before it is full' guards_metadata
monitor_case 'metadata that was filled is repaired' repairs_metadata
monitor_case 'a full pool loses nothing that it has acknowledged' full

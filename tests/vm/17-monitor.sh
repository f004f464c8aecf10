#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# The monitor: a pool that grows by itself, images that make room, metadata that does not run out.
# shellcheck disable=SC2154 # the libraries set stderr, device and mnt
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"

exec 3>&1
metrics=$WORK/veneer.prom
config=$WORK/settings.json

# settings KEYS - of "pool"
settings() {
	printf '{ "pool": { "metrics": "%s", %s } }\n' "$metrics" "$1" >"$config"
}

# start_monitor KEYS - returns once it has looked; its messages are in $WORK/said
start_monitor() {
	settings "$1"
	rm -f "$metrics"
	VENEER_CONFIG=$config "$VENEER" monitor 2>"$WORK/said" &
	monitor=$!
	until_true 'the monitor has looked' test -s "$metrics"
}

stop_monitor() {
	kill -TERM "$monitor"
	wait "$monitor"
}

# until_true DESCRIPTION COMMAND... - asks again for ten seconds
until_true() {
	local what=$1 i
	shift
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	printf 'never: %s\n' "$what"
	sed 's/^/  said: /' "$WORK/said"
	return 1
}

metric() {
	awk -v name="veneer_$1{" 'index($0, name) == 1 { print $NF }' "$metrics"
}

total_is() {
	[ "$(metric "$1")" = "$2" ]
}

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

pool_case 'a pool grows by itself under writes' grows
pool_case 'it sleeps while nothing happens, and lives on beside a pool that goes' waits

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# The monitor: a pool that grows by itself, images that make room, metadata that does not run out.
# shellcheck disable=SC2154 # the libraries set stderr, device and mnt
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"

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

# until_true DESCRIPTION COMMAND... - waits for device-mapper's next event, or a moment, in between
until_true() {
	local what=$1 i
	shift
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		read -rt 0.1 <> <(:) || true
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

pool_case 'a pool grows by itself under writes' grows

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib-monitor.sh - for scripts with a monitor that runs: source it after lib-pool.sh
#
# A case is run by monitor_case(), which ends its monitor and takes what is attached away.
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
	VENEER_CONFIG=$config "$VENEER" monitor >"$WORK/out" 2>"$WORK/said" 3>&- &
	monitor=$!
	echo "$monitor" >"$WORK/monitor.pid"
	until_true 'the monitor has looked' test -s "$metrics"
}

stop_monitor() {
	kill -TERM "$monitor"
	wait "$monitor"
	rm "$WORK/monitor.pid"
}

# A case that failed leaves its monitor and its attachments.
end_monitor() {
	local link
	if [ -e "$WORK/monitor.pid" ]; then
		kill "$(<"$WORK/monitor.pid")"
		rm "$WORK/monitor.pid"
	fi
	for link in /dev/veneer/*; do
		[ ! -e "$link" ] || "$VENEER" detach "$link"
	done
}

monitor_case() {
	case_ "$@"
	end_monitor
	clear_all >/dev/null 2>&1
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

# filling MIB - a tree with so much that no other has
filling() {
	mkdir -p "$WORK/tree"
	dd if=/dev/urandom of="$WORK/tree/filling" bs=1M count="$1" status=none
}

# image NAME MIB
image() {
	filling "$2"
	tar -C "$WORK/tree" -cf - . | "$VENEER" import - "$1" >/dev/null
}

# used IMAGE HOURS - was so long ago; uses are written down once in an hour
used() {
	"$VENEER" inspect --format '{{.Id}}' "$1"
	python3 - "$VENEER_ROOT/catalogue.db" "$1" "$2" <<-'END'
		import sqlite3, sys, time
		ns = int((time.time() - 3600 * int(sys.argv[3])) * 1e9)
		db = sqlite3.connect(sys.argv[1])
		db.execute("UPDATE image SET used_ns = ?1, tagged_ns = ?1 WHERE id ="
			   " (SELECT image FROM reference WHERE repository = ?2)", (ns, sys.argv[2]))
		db.commit()
	END
}

images() {
	"$VENEER" images --format '{{.Repository}}' | sort | xargs
}

pruned() {
	[ "$(metric monitor_pruned_images_total)" = "$1" ]
}

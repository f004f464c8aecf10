#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the server of server.sh at the end of a boot, and shows it on the console, behind "demo|".
# shellcheck disable=SC2034 # variables of lib-damage.sh
# shellcheck source=tests/vm/lib-damage.sh
. /root/lib-damage.sh
WORK=/root # of lib-damage.sh, as pool is

line() { printf 'demo| %s\n' "$*"; }
# show COMMAND...
show() {
	line
	line "\$ $*"
	"$@" 2>&1 | while IFS= read -r said; do line "$said"; done
}

# What must be true before the next step.
wait_for() {
	for _ in $(seq 300); do
		"$@" && return 0
		sleep 0.1
	done
	line "never: $*"
}

data_bytes() { veneer pool status --format '{{.DataTotal}}'; }

units() {
	show systemctl list-units --no-pager --no-legend --plain 'veneer*' 'srv-*.mount' 'dev-veneer-*.device'
	show journalctl -b -o cat --no-pager -u 'veneer-provision@*' --grep '^(web.json|kernel)'
	show findmnt -o TARGET,SOURCE,FSTYPE,SIZE,OPTIONS /srv/web
	show findmnt -o TARGET,SOURCE,FSTYPE,SIZE,OPTIONS /srv/data
	show veneer volume ls
}

has_grown() { [ "$(data_bytes)" -gt "$1" ]; }

grows() {
	local before
	before=$(data_bytes)
	show veneer pool status
	line
	line '$ dd if=/dev/urandom of=/srv/web/much bs=1M count=500'
	dd if=/dev/urandom of=/srv/web/much bs=1M count=500 conv=fsync status=none
	wait_for has_grown "$before"
	show veneer pool status
	show journalctl -b -o cat --no-pager -u veneer-monitor --grep grown
}

damaged() {
	local id device block
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	id=$(veneer layers --format '{{.ThinID}}' debian:12 | head -n 1)
	device=$(veneer attach --name look debian:12)
	block=$(debugfs -R 'blocks /usr/bin/bash' "$device" 2>/dev/null | awk '{ print $7 }')
	veneer detach look
	damage "$id" "$block"
	line
	line "A block of the pool's disk has gone bad:"
	show veneer verify debian:12
	restore
	line
	line 'and is right again:'
	show veneer verify debian:12
	show veneer check
}

exec 2>&1
if [ ! -e /root/booted ]; then
	touch /root/booted
	units
	grows
	damaged
else
	units
	show ls -l /srv/web/much
fi
line the end
systemctl --no-block poweroff

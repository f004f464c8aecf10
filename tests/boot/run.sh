#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh FOLDER IMAGES - a Debian with systemd and our package boots, and has what its plans want
#
# FOLDER keeps the Debian from one run to the next. With BOOT_SHORT no power is cut.
set -uo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
images=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
passed=0
failed=0
# shellcheck source=tests/boot/lib.sh
. "$here/lib.sh"
words='veneer.volume=data,size=300M,mount=/srv/data'

case_() {
	local said
	if said=$("${@:2}" 2>&1); then
		passed=$((passed + 1))
		printf 'ok %s\n' "$1"
	else
		failed=$((failed + 1))
		printf 'not ok %s\n%s\n' "$1" "$said"
	fi
}

# As it is before its first boot: an archive, a registry that comes late, a word for the kernel.
fresh() {
	server && registry_unit || return 1
	report "$here/report.sh"
	plan web '{ "image": "debian:12", "archive": "/srv/images/oci.tar",
		"volume": { "name": "web", "size": "12G", "mount": "/srv/web", "options": "nodev" } }'
	plan app '{ "image": "127.0.0.1:5000/app:1", "volume": { "name": "app", "mount": "/srv/app", "read_only": true } }'
	make_disk
}

units() {
	local unit level
	for unit in systemd/veneer-*.*; do
		unit=${unit#systemd/}
		chroot "$root" systemd-analyze verify "${unit/@/@x}" 2>&1 | grep -v "Command 'man " && return 1
	done
	# From systemd 254 on.
	if chroot "$root" udevadm verify --version >/dev/null 2>&1; then
		chroot "$root" udevadm verify --no-summary /lib/udev/rules.d/*veneer.rules || return 1
	fi
	for unit in monitor scrub prune; do
		level=$(chroot "$root" systemd-analyze security --offline=yes "/lib/systemd/system/veneer-$unit.service" | awk '/Overall exposure/ { print $(NF - 2) }')
		awk -v level="$level" 'BEGIN { exit !(level != "" && level <= 4.0) }' || { echo "exposure of $unit: $level"; return 1; }
	done
	[ "$(chroot "$root" systemctl is-enabled veneer-pool veneer-provision.target veneer-monitor veneer-scrub.timer veneer-prune.timer | xargs)" = \
		'enabled enabled enabled enabled disabled' ] || { echo 'other units are enabled'; return 1; }
}

# said KEY - what the report says
said() { sed -n "s/^.*boot $1 //p" "$folder/console" | head -n 1; }

is() { [ "$1" = "$2" ] || { printf 'expected %s: %q\n     got: %q\n' "$3" "$1" "$2"; grep -a "boot [a-z]" "$folder/console"; return 1; }; }

# right CHANGED BOOTS
right() {
	is "$1" "$(said changed)" 'what provision says' &&
		is "$2" "$(said boots-web)" 'boots with this volume' && is "$2" "$(said boots-data)" 'boots with the other volume' &&
		is 'active active active active' "$(said active)" units && is 'active active active' "$(said mounts)" mounts &&
		is nodev "$(said options)" 'mount options' && is 'from a registry' "$(said origin)" 'the file from the registry' &&
		is clean "$(said check)" check && is clean "$(said verify)" verify &&
		is active "$(said device)" 'unit of the device' && is '' "$(said doctor)" 'what doctor says' &&
		is 'DEVLINKS=/dev/veneer/web SYSTEMD_READY=1' "$(said ready | sed 's# */dev/mapper/[^ ]*##; s#= #=#')" 'what udev says'
}

made='app.json: image 127.0.0.1:5000/app:1: pulled;app.json: volume app: attached as /dev/veneer/app;app.json: volume app: made from 127.0.0.1:5000/app:1;'
made+='kernel:1: volume data: attached as /dev/veneer/data;kernel:1: volume data: made, empty;'
made+='web.json: image debian:12: loaded from /srv/images/oci.tar;web.json: volume web: attached as /dev/veneer/web;web.json: volume web: made from debian:12;'
used='app.json: volume app: attached as /dev/veneer/app;kernel:1: volume data: attached as /dev/veneer/data;web.json: volume web: attached as /dev/veneer/web;'

first() {
	boot && right "$made" 1 && is '' "$(said failed)" 'failed units' || return 1
	[ "$(said retried)" -ge 1 ] || { echo 'the registry was not away'; return 1; }
}
second() {
	boot && right "$used" 2 && is '' "$(said failed)" 'failed units' || return 1
	for unit in 'Unmounted.*srv-web.mount' 'Stopped.*plan web' 'Stopped.*veneer-pool.service'; do
		grep -q "$unit" "$folder/console" || { echo "not seen: $unit"; return 1; }
	done
}

# A file that is broken and an image that is nowhere have a failed unit each, and stop nothing.
bad() {
	words+=' veneer.volume=x,colour=red'
	plan broken '{ "volume": { "name": "y", "sise": "1G" } }'
	plan away '{ "image": "nothing:1", "archive": "/srv/images/oci.tar" }'
	make_disk && boot || return 1
	is '' "$(said failed | tr ' ' '\n' | grep -vE '^veneer-provision@(away|broken|kernel:2).service$')" 'other failed units' &&
		is 1 "$(said boots-web)" 'boots with this volume' && is clean "$(said check)" check || return 1
	for why in "'/etc/veneer/provision.d/away.json': image nothing:1: archive '/srv/images/oci.tar' has no image nothing:1" sise colour; do
		said why | grep -qF "$why" || { echo "nobody says why: $why"; said why; return 1; }
	done
}

cut_first() {
	local n
	for n in 1 3 5; do
		make_disk && cut_at 'Starting.*plan web' "$n" && boot || return 1
		is '' "$(said failed)" 'failed units' && is 1 "$(said boots-web)" boots && is clean "$(said check)" check || return 1
	done
}
cut_second() {
	cut_at 'Starting.*veneer-pool' 1 && boot && right "$used" 2 && cut_at 'Starting.*plan web' 1 && boot &&
		right "$used" 3
}

debian && registry && fresh || exit 1
case_ 'the units are right, and those that run are confined' units
case_ 'the first boot provisions, and waits for a registry' first
case_ 'the second boot changes nothing' second
[ -n "${BOOT_SHORT:-}" ] || {
	case_ 'power is cut while the first boot provisions' cut_first
	case_ 'power is cut in a later boot' cut_second
	case_ 'a broken plan stops only itself' bad
}
printf 'boot: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

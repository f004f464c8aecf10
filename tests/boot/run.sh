#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh FOLDER IMAGES - a Debian with systemd and our package boots, and has what its files want
#
# FOLDER keeps the Debian from one run to the next. Needs root, for debootstrap and chroot, and the
# package of `make deb`. The machine is User-Mode Linux; its power is cut by killing it.
set -uo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
images=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$folder/root
disk=$folder/disk
passed=0
failed=0
modules=/usr/lib/uml/modules

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

# What a server needs, but us.
debian() {
	[ ! -e "$folder/base" ] || return 0
	rm -rf --one-file-system "$root"
	debootstrap --variant=minbase \
		--include=systemd,systemd-sysv,udev,dmsetup,e2fsprogs,thin-provisioning-tools,kmod,libcurl4,libkmod2,libisal2,procps \
		bookworm "$root" >"$folder/debootstrap.log" 2>&1 || { tail -n 20 "$folder/debootstrap.log"; return 1; }
	rm -rf "$root/var/cache/apt/archives/"*.deb "$root/var/lib/apt/lists/"*
	mkdir -p "$root/lib/modules"
	cp -a "$modules"/* "$root/lib/modules/"
	echo '/dev/ubda / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
	touch "$folder/base"
}

server() {
	local deb
	deb=$(echo build/deb/veneer_*.deb)
	cp "$deb" "$root/tmp/veneer.deb"
	chroot "$root" dpkg --force-depends -i /tmp/veneer.deb >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; return 1; }
	install -D -m 0644 "$images/oci.tar" "$root/srv/images/oci.tar"
	install -D -m 0755 "$here/report.sh" "$root/root/report.sh"
	mkdir -p "$root/etc/veneer/provision.d"
	echo '{ "kernel": "host" }' >"$root/etc/veneer/veneer.json"
	echo '{ "image": "debian:12", "archive": "/srv/images/oci.tar",
		"volume": { "name": "web", "size": "12G", "mount": "/srv/web", "options": "nodev" } }' >"$root/etc/veneer/provision.d/web.json"
	cat >"$root/etc/systemd/system/report.service" <<-END
		[Unit]
		After=veneer-provision.service veneer-monitor.service
		[Service]
		Type=oneshot
		ExecStart=/root/report.sh
		StandardOutput=journal+console
		StandardError=journal+console
		[Install]
		WantedBy=multi-user.target
	END
	chroot "$root" systemctl enable report 2>/dev/null
	rm -f "$disk"
	truncate -s 6G "$disk"
	mkfs.ext4 -q -F -d "$root" "$disk"
}

units() {
	local unit level
	for unit in pool provision monitor; do
		chroot "$root" systemd-analyze verify "veneer-$unit.service" 2>&1 | grep -v "Command 'man " && return 1
	done
	level=$(chroot "$root" systemd-analyze security --offline=yes /lib/systemd/system/veneer-monitor.service | awk '/Overall exposure/ { print $(NF - 2) }')
	awk -v level="$level" 'BEGIN { exit !(level != "" && level <= 4.0) }' || { echo "exposure $level"; return 1; }
}

machine() {
	exec linux.uml mem=1500M "ubda=$disk" root=/dev/ubda rw rootfstype=ext4 con=null con0=null,fd:1 quiet systemd.show_status=1 \
		"uml_dir=$folder/uml" </dev/null 2>&1
}

# Until it is off, or for two minutes; the console is in $folder/console.
boot() {
	mkdir -p "$folder/uml"
	timeout -s KILL 120 bash -c "$(declare -f machine); disk=$disk folder=$folder machine" | tr -d '\r' >"$folder/console"
	grep -q 'System halted' "$folder/console" || { tail -n 40 "$folder/console"; echo 'it did not end'; return 1; }
}

# said KEY - what the report says
said() { sed -n "s/^.*boot $1 //p" "$folder/console" | head -n 1; }

is() { [ "$1" = "$2" ] || { printf 'expected %s: %q\n     got: %q\n' "$3" "$1" "$2"; tail -n 60 "$folder/console"; return 1; }; }

# right CHANGED BOOTS
right() {
	is '' "$(said failed)" 'failed units' && is "$1" "$(said changed)" 'what provision says' &&
		is "$2" "$(said boots)" 'boots with this volume' && is clean "$(said check)" check &&
		is clean "$(said verify)" verify && is active "$(said device)" 'unit of the device' &&
		is 'DEVLINKS=/dev/veneer/web SYSTEMD_READY=1' "$(said ready | sed 's# */dev/mapper/[^ ]*##; s#= #=#')" 'what udev says'
}

made="web.json: image debian:12: loaded from /srv/images/oci.tar;web.json: volume web: made from debian:12;"
used='web.json: volume web: mounted at /srv/web;'

first() { boot && right "$made$used" 1; }
second() {
	boot && right "$used" 2 && is 'active active active' "$(said active)" units || return 1
	grep -q 'Stopped.*veneer-pool' "$folder/console" || { echo 'the pool was not stopped'; return 1; }
}

# Killed N seconds after the console shows PATTERN; then it boots again.
cut_at() { # PATTERN SECONDS
	local pid
	(disk=$disk folder=$folder machine) >"$folder/console" &
	pid=$!
	for _ in $(seq 600); do grep -q "$1" "$folder/console" && break; sleep 0.1; done
	sleep "$2"
	kill -KILL "$pid"
	pkill -KILL -f "ubda=$disk "
	wait "$pid" 2>/dev/null
	return 0
}
cut_first() {
	local n
	for n in 1 3 5; do
		server && cut_at 'Starting.*veneer-provision' "$n" && boot || return 1
		is '' "$(said failed)" 'failed units' && is 1 "$(said boots)" boots && is clean "$(said check)" check || return 1
	done
}
cut_second() {
	cut_at 'Starting.*veneer-pool' 1 && boot && right "$used" 2 && cut_at 'Starting.*veneer-provision' 1 && boot &&
		right "$used" 3
}

debian && server || exit 1
case_ 'the units are right, and the one that runs is confined' units
case_ 'the first boot provisions' first
case_ 'the second boot changes nothing' second
case_ 'power is cut while the first boot provisions' cut_first
case_ 'power is cut in a later boot' cut_second
printf 'boot: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # variables of and for those who read this file
#
# lib.sh - a machine of User-Mode Linux with a Debian, systemd and our package on its disk
#
# For scripts that have set $folder (keeps the Debian from one run to the next), $images (what `make
# images` made) and $here (this folder). Needs root, for debootstrap and chroot, and the package of
# `make deb`. The machine's power is cut by killing it.
root=$folder/root
disk=$folder/disk
words= # for the kernel's command line
modules=/usr/lib/uml/modules
peers=$(dirname "$images")/peers/usr/bin

# What a server needs, but us; each server begins as a copy of it. The package runs on the release
# that it was built on.
debian() {
	local base=$folder/base release curl=libcurl4
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	[ "$release" = bookworm ] || curl=libcurl4t64 # debootstrap knows no other names of a package
	[ ! -e "$base" ] || return 0
	rm -rf --one-file-system "$base.part"
	debootstrap --variant=minbase \
		--include=systemd,systemd-sysv,udev,dmsetup,e2fsprogs,thin-provisioning-tools,kmod,$curl,libkmod2,libisal2,procps \
		"$release" "$base.part" >"$folder/debootstrap.log" 2>&1 || { tail -n 20 "$folder/debootstrap.log"; return 1; }
	rm -rf "$base.part/var/cache/apt/archives/"*.deb "$base.part/var/lib/apt/lists/"* \
		"$base.part/usr/share/"{locale,man,doc,zoneinfo,info}/*
	mkdir -p "$base.part/lib/modules"
	cp -a "$modules"/* "$base.part/lib/modules/"
	echo '/dev/ubda / ext4 errors=remount-ro 0 1' >"$base.part/etc/fstab"
	chroot "$base.part" systemctl mask -q getty-static.service getty.target
	mv "$base.part" "$base"
}

registry_config() { # FOLDER PORT
	printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: "127.0.0.1:%s" }\n' "$1" "$2"
}

# registry - what the machine's own registry holds: 127.0.0.1:5000/app:1, one small layer
registry() {
	local port=5017 server
	[ ! -e "$folder/registry" ] || return 0
	rm -rf "$folder/app" "$folder/registry.part"
	mkdir -p "$folder/app/files" "$folder/registry.part"
	echo 'from a registry' >"$folder/app/files/origin"
	{
		umoci init --layout "$folder/app/oci"
		umoci new --image "$folder/app/oci:1"
		umoci insert --image "$folder/app/oci:1" "$folder/app/files" /srv
	} >"$folder/umoci.log" 2>&1 || { cat "$folder/umoci.log"; return 1; }
	registry_config "$folder/registry.part" "$port" >"$folder/registry.yml"
	"$peers/docker-registry" serve "$folder/registry.yml" >"$folder/registry.log" 2>&1 &
	server=$!
	skopeo copy -q --retry-times 5 --dest-tls-verify=false "oci:$folder/app/oci:1" "docker://127.0.0.1:$port/app:1" ||
		{ kill "$server"; cat "$folder/registry.log"; return 1; }
	kill "$server"
	mv "$folder/registry.part" "$folder/registry"
}

# It answers once somebody has been told that it does not.
registry_unit() {
	install -D -m 0755 "$peers/docker-registry" "$root/usr/local/bin/docker-registry"
	cp -a "$folder/registry" "$root/srv/registry"
	registry_config /srv/registry 5000 >"$root/etc/registry.yml"
	cat >"$root/etc/systemd/system/registry.service" <<-END
		[Unit]
		After=veneer-provision.target
		[Service]
		ExecStart=/usr/local/bin/docker-registry serve /etc/registry.yml
		[Install]
		WantedBy=multi-user.target
	END
	mkdir -p "$root/etc/systemd/system/veneer-provision@.service.d"
	printf '[Service]\nRestartSec=2\n' >"$root/etc/systemd/system/veneer-provision@.service.d/soon.conf"
	chroot "$root" systemctl enable -q registry
}

# report SCRIPT - what runs at the end of a boot, and ends it
report() {
	install -D -m 0755 "$1" "$root/root/report.sh"
	cat >"$root/etc/systemd/system/report.service" <<-END
		[Unit]
		After=veneer-provision.target veneer-monitor.service
		[Service]
		Type=oneshot
		ExecStart=/root/report.sh
		StandardOutput=journal+console
		StandardError=journal+console
		[Install]
		WantedBy=multi-user.target
	END
	chroot "$root" systemctl enable -q report
}

# plan NAME JSON
plan() {
	mkdir -p "$root/etc/veneer/provision.d"
	echo "$2" >"$root/etc/veneer/provision.d/$1.json"
}

# A Debian with the package, an archive, and no plan yet.
server() {
	local deb
	deb=$(echo build/deb/veneer_*.deb)
	rm -rf --one-file-system "$root"
	cp -a "$folder/base" "$root"
	cp "$deb" "$root/tmp/veneer.deb"
	chroot "$root" dpkg --force-depends -i /tmp/veneer.deb >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; return 1; }
	rm "$root/tmp/veneer.deb"
	install -D -m 0644 "$images/oci.tar" "$root/srv/images/oci.tar"
	mkdir -p "$root/etc/veneer/provision.d"
	echo '{ "kernel": "host" }' >"$root/etc/veneer/veneer.json"
}

make_disk() {
	rm -f "$disk"
	truncate -s 6G "$disk"
	mkfs.ext4 -q -F -d "$root" "$disk"
}

machine() {
	mkdir -p "$folder/uml"
	# shellcheck disable=SC2086 # words
	exec linux.uml mem=1500M "ubda=$disk" root=/dev/ubda rw rootfstype=ext4 con=null con0=null,fd:1 quiet systemd.show_status=1 \
		$words "uml_dir=$folder/uml" </dev/null 2>&1
}

# Until it is off, or for five minutes, of which a quiet machine takes less than one; the console is in
# $folder/console.
boot() {
	(machine) >"$folder/raw" &
	local machine=$!
	for _ in $(seq $((${1:-300} * 10))); do
		kill -0 "$machine" 2>/dev/null || break
		sleep 0.1
	done
	power_off "$machine"
	tr -d '\r' <"$folder/raw" >"$folder/console"
	grep -qE 'System halted|reboot: Power down' "$folder/console" || { tail -n 40 "$folder/console"; echo 'it did not end'; return 1; }
}

# Every process of it: each of the machine's own is one of ours.
power_off() {
	kill -KILL "$1" 2>/dev/null
	pkill -KILL -f "ubda=$disk "
	wait "$1" 2>/dev/null
}

# Killed N seconds after the console shows PATTERN.
cut_at() { # PATTERN SECONDS
	local pid
	(machine) >"$folder/console" &
	pid=$!
	for _ in $(seq 1500); do
		grep -q "$1" "$folder/console" && break
		sleep 0.1
	done
	grep -q "$1" "$folder/console" || { power_off "$pid"; echo "not seen: $1"; return 1; }
	sleep "$2"
	kill -0 "$pid" || { echo "it had ended $2 s after $1"; return 1; }
	power_off "$pid"
	return 0
}

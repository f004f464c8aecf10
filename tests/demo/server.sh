#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# server.sh FOLDER IMAGES - a server that boots twice, with its storage from a plan
#
# A debootstrapped Debian with the package, in User-Mode Linux. What is shown is what
# server-inside.sh does there, at the end of each boot. Needs root, and the package of `make deb`.
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
# shellcheck disable=SC2034 # for lib.sh
images=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/boot/lib.sh
. "$here/../boot/lib.sh"
# shellcheck disable=SC2154 # lib.sh sets it
inside=$root/root
disk=$folder/demo-disk
words='veneer.volume=data,size=512M,mount=/srv/data'

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

demo_boot() {
	say "$1"
	(machine) | tr -d '\r' | tee "$folder/demo-console" | sed -un '/demo| the end/d; s/^.*demo| \?//p'
	grep -q 'demo| the end' "$folder/demo-console" || { tail -n 40 "$folder/demo-console"; exit 1; }
}

printf '  %-7s %s\n' SERVER 'a Debian with the package on a disk'
debian
server
report "$here/server-inside.sh"
install -D -m 0644 "$here/../vm/lib-damage.sh" "$inside/lib-damage.sh"
echo '{ "kernel": "host", "pool": { "grow_at": 70, "grow_step": "512M", "grow_max": "4G" } }' >"$root/etc/veneer/veneer.json"
plan web '{ "image": "debian:12", "archive": "/srv/images/oci.tar",
  "volume": { "name": "web", "size": "2G", "mount": "/srv/web", "options": "nodev" } }'
# What an operator does once by hand, here before the first boot's pool.
cat >"$root/etc/systemd/system/once.service" <<-END
	[Unit]
	DefaultDependencies=no
	RequiresMountsFor=/var/lib/veneer
	After=systemd-remount-fs.service systemd-udevd.service modprobe@dm_mod.service modprobe@loop.service
	Wants=modprobe@dm_mod.service modprobe@loop.service
	Before=veneer-pool.service
	ConditionPathExists=!/var/lib/veneer/pool.json
	[Service]
	Type=oneshot
	ExecStart=veneer pool create --files 768M --volume-size 1G
	[Install]
	WantedBy=multi-user.target
END
chroot "$root" systemctl enable -q once
say "/etc/veneer/provision.d/web.json"
cat "$root/etc/veneer/provision.d/web.json"
say "on the kernel's command line"
echo "$words"
make_disk
trap 'rm -f "$disk"' EXIT
demo_boot 'The first boot.'
demo_boot 'The second boot.'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside, at the end of a boot: what became of it, as lines "boot KEY VALUE" on the console; then off.
say() { printf 'boot %s %s\n' "$1" "${*:2}"; }
# since UNIT PROPERTY: milliseconds since the kernel began
since() { echo $(($(systemctl show -p "$2" --value "$1") / 1000)); }

# What a registry that is away for now gives, later.
for _ in $(seq 600); do
	! mountpoint -q /srv/app || break
	sleep 0.1
done
say failed "$(systemctl --failed --no-legend --plain | awk '{ print $1 }' | xargs)"
say active "$(systemctl is-active veneer-pool veneer-provision.target veneer-monitor veneer-scrub.timer | xargs)"
say mounts "$(systemctl is-active srv-web.mount srv-data.mount srv-app.mount | xargs)"
say changed "$(journalctl -b -u 'veneer-provision@*' -o cat --no-pager | grep -E '^(web.json|app.json|kernel:1): ' | LC_ALL=C sort | tr '\n' ';')"
say why "$(journalctl -b -u 'veneer-provision@*' -o cat --no-pager | grep '^provision ' | LC_ALL=C sort -u | tr '\n' ';')"
say retried "$(systemctl show -p NRestarts --value veneer-provision@app.service)"
say options "$(findmnt -no OPTIONS /srv/web | tr , '\n' | grep -x nodev)"
say system "$(cat /srv/web/etc/debian_version)"
say origin "$(cat /srv/app/srv/origin)"
say ready "$(udevadm info -q property -n /dev/veneer/web | grep -E '^(SYSTEMD_READY|DEVLINKS)' | sort | xargs)"
say device "$(systemctl is-active dev-veneer-web.device)"
say took "pool $(($(since veneer-pool ActiveEnterTimestampMonotonic) - $(since veneer-pool InactiveExitTimestampMonotonic)))" \
	"plan $(($(since veneer-provision@web ActiveEnterTimestampMonotonic) - $(since veneer-provision@web InactiveExitTimestampMonotonic)))" \
	"mount $(($(since srv-web.mount ActiveEnterTimestampMonotonic) - $(since srv-web.mount InactiveExitTimestampMonotonic)))"
for each in web data; do
	! mountpoint -q "/srv/$each" || echo x >>"/srv/$each/boots"
	say "boots-$each" "$(wc -l <"/srv/$each/boots")"
done
say doctor "$(veneer doctor -q --format '{{.Topic}}: {{.Finding}}' | grep -E '^(devices|mounts|pool|loops):' | tr '\n' ';')"
veneer check && say check clean
veneer verify --all && say verify clean
say end
systemctl --no-block poweroff

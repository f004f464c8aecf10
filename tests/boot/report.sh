#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside, at the end of a boot: what became of it, as lines "boot KEY VALUE" on the console; then off.
say() { printf 'boot %s %s\n' "$1" "${*:2}"; }

say failed "$(systemctl --failed --no-legend --plain | awk '{ print $1 }' | xargs)"
say active "$(systemctl is-active veneer-pool veneer-provision veneer-monitor | xargs)"
say changed "$(journalctl -b -u veneer-provision -o cat --no-pager | grep '^web.json: ' | tr '\n' ';')"
say mounted "$(findmnt -no SOURCE,OPTIONS /srv/web)"
say system "$(cat /srv/web/etc/debian_version)"
say ready "$(udevadm info -q property -n /dev/veneer/web | grep -E '^(SYSTEMD_READY|DEVLINKS)' | sort | xargs)"
say device "$(systemctl is-active dev-veneer-web.device)"
echo x >>/srv/web/boots
say boots "$(wc -l </srv/web/boots)"
veneer check && say check clean
veneer verify --all && say verify clean
say end
systemctl --no-block poweroff

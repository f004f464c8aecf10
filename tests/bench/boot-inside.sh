#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the server of boot.sh at the end of a boot; what it measured is on the console, behind "bench|".
set -u
rounds=5
mnt=/srv/web

line() { printf 'bench| %s\n' "$*"; }
now() { echo $(($(date +%s%N) / 1000000)); }
median() { sort -n | sed -n "$((rounds / 2 + 1))p"; }
# since UNIT PROPERTY: milliseconds since the kernel began
since() { echo $(($(systemctl show -p "$2" --value "$1") / 1000)); }
took() { echo $(($(since "$1" ActiveEnterTimestampMonotonic) - $(since "$1" InactiveExitTimestampMonotonic))); }

stop() {
	systemctl stop srv-web.mount veneer-provision@web veneer-pool veneer-monitor
}

# From no device to the mounted volume, by the units and by the commands in them.
by_units() {
	local start pool end
	stop
	start=$(now)
	systemctl start veneer-pool
	pool=$(now)
	systemctl start veneer-provision@web srv-web.mount
	end=$(now)
	echo "$((pool - start)) $((end - pool)) $((end - start))"
}
by_commands() {
	local start pool plan end
	stop
	start=$(now)
	veneer --kernel host pool activate
	pool=$(now)
	veneer --kernel host provision --no-mount -- web >/dev/null
	plan=$(now)
	mount -o nodev /dev/veneer/web "$mnt"
	end=$(now)
	# All is there: nothing to do.
	veneer --kernel host provision --no-mount -- web >/dev/null
	echo "$((pool - start)) $((plan - pool)) $((end - start)) $(($(now) - end))"
	umount "$mnt"
	veneer --kernel host provision --release -- web >/dev/null
	veneer --kernel host pool deactivate
}

# As many units of systemd that do nothing.
by_nothing() {
	local start end
	systemctl stop 'nothing@*'
	start=$(now)
	systemctl start nothing@pool
	systemctl start nothing@plan nothing@mount
	end=$(now)
	echo $((end - start))
}

# The devices as they are, in the order of their making: loops, the pool, the volume.
remember() {
	losetup -nO NAME,BACK-FILE >/run/loops
	dmsetup ls | sed 's/[():]/ /g' | sort -k 3n | awk '{ print $1 }' >/run/names
	while read -r name; do
		dmsetup table "$name" >"/run/table-$name"
	done </run/names
}
by_hand() {
	local start end name loop file
	start=$(now)
	while read -r loop file; do
		losetup --direct-io=on "$loop" "$file"
	done </run/loops
	while read -r name; do
		dmsetup create "$name" "/run/table-$name"
	done </run/names
	mount -o nodev "/dev/mapper/$name" "$mnt"
	end=$(now)
	echo $((end - start))
	umount "$mnt"
	tac /run/names | xargs -n 1 dmsetup remove
	while read -r loop file; do
		losetup -d "$loop"
	done </run/loops
}

round() { # FUNCTION FILE
	for _ in $(seq $rounds); do "$1"; done >"/run/$2"
}
column() { awk -v n="$2" '{ print $n }' "/run/$1" | median; }

# Until the boot has come to its end, but for us.
for _ in $(seq 600); do
	! mountpoint -q "$mnt" || [ "$(systemctl list-jobs --no-legend | grep -vcE 'report|multi-user|graphical|update-utmp')" != 0 ] || break
	sleep 0.1
done
line "within the boot: pool $(took veneer-pool), plan $(took veneer-provision@web), mount $(took srv-web.mount)"
if [ -e /root/second ]; then
	remember
	round by_units units
	stop
	round by_commands commands
	round by_hand hand
	printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' >/run/systemd/system/nothing@.service
	systemctl daemon-reload
	round by_nothing nothing
	line "units: pool $(column units 1), plan and mount $(column units 2), both $(column units 3)"
	line "commands: pool $(column commands 1), plan $(column commands 2), all with mount $(column commands 3)"
	line "a plan that finds all there: $(column commands 4)"
	line "three units that do nothing: $(column nothing 1)"
	line "losetup, dmsetup create and mount alone: $(column hand 1)"
fi
touch /root/second
systemctl --no-block poweroff

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# explain, why-busy and doctor with a real pool: what a device is, who holds it, what is left over.
# shellcheck disable=SC2154 # stderr is set by fails
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

# explained FIELD DEVICE
explained() {
	"$VENEER" explain --format "{{.$1}}" "$2"
}
# held NAME - the kinds of what holds it, and what releases them
held() {
	fails 1 "$VENEER" why-busy "$1" >&2
	"$VENEER" why-busy --format '{{.Kind}}: {{.Release}}' "$1" || true
}
free() {
	is "nothing holds $1" "$("$VENEER" why-busy "$1")"
}
# What doctor has to say beyond ok of the store's own things.
ill() {
	"$VENEER" doctor -q --format '{{.Level}} {{.Topic}}: {{.Finding}}' |
		grep -E '^[a-z]* (devices|mounts|loops|pool|store|clock|leftovers|configuration):' || true
}

a_layer() {
	local top id chain
	top=$("$VENEER" layers -q --no-trunc debian:12 | tail -n 1)
	id=$("$VENEER" layers --format '{{.ChainID}} {{.ThinID}}' --no-trunc | awk -v c="$top" '$1 == c { print $2 }')
	chain=${top#sha256:}
	is "layer $top false [debian:12]" "$("$VENEER" explain --format '{{.Kind}} {{.ChainID}} {{.Active}} {{.Images}}' "$id")"
	contains "Descends from: layer sha256:" "$("$VENEER" explain "$id")"
	contains 'template (thin id 1)' "$("$VENEER" explain "$id")"
	is 'image: veneer rmi debian:12' "$(held "${chain:0:12}")"
	free debian:12
	fails 1 "$VENEER" explain 16777215
	contains 'no thin id 16777215' "$stderr"
	fails 1 "$VENEER" why-busy nothing-like-it
	contains 'neither a container, an image, a view, a volume, a layer nor a device' "$stderr"
}

attached() {
	local link pid node
	link=$("$VENEER" attach --name disk --rw debian:12)
	node=$(readlink -f "$link")
	free "$link"
	# shellcheck disable=SC2217 # it only has it open
	sleep 1000 <"$link" >/dev/null 2>&1 &
	pid=$!
	is "view $node [/dev/veneer/disk] 1" "$("$VENEER" explain --format '{{.Kind}} {{.Device}} {{.Views}} {{.OpenCount}}' "$link")"
	is "$pid sleep 1000 true" "$("$VENEER" explain --format '{{range .Processes}}{{.PID}} {{.Command}} {{.OpenDevice}}{{end}}' "${node##*/}")"
	is "process: kill $pid" "$(held disk)"
	is 'attachment: veneer detach disk' "$(held debian:12)"
	fails 1 "$VENEER" detach disk
	kill "$pid"
	wait "$pid" || true
	free disk
	"$VENEER" detach disk
	free debian:12
}

mounted() {
	local pid loop
	"$VENEER" mount debian:12 "$mnt"
	(cd "$mnt" && exec sleep 1000 >/dev/null 2>&1) &
	pid=$!
	sleep 0.2
	is "layer [$mnt]" "$("$VENEER" explain --format '{{.Kind}} {{range .Mounts}}[{{.Target}}]{{end}}' "$mnt")"
	is "process: kill $pid" "$(held "$mnt")"
	is "mount: veneer unmount $mnt" "$(held debian:12)"
	kill "$pid"
	wait "$pid" || true
	# Another namespace has it still when ours has not any more.
	unshare -m sleep 1000 >/dev/null 2>&1 &
	pid=$!
	sleep 0.5
	contains "nsenter -t $pid -m umount $mnt" "$(held "$mnt")"
	kill "$pid"
	wait "$pid" || true
	loop=$(losetup -r -f --show "$mnt/bin/bash")
	contains "device: losetup -d $loop" "$(held "$mnt")"
	losetup -d "$loop"
	umount "$mnt"
	contains "note mounts: the view at $mnt is recorded, but not mounted" "$(ill)"
	"$VENEER" unmount "$mnt"
	is '' "$(ill)"
}

a_container() {
	local node
	"$VENEER" run -d --name box debian:12 sleep 1000 >/dev/null
	is 'running container: veneer stop box' "$(held box)"
	contains 'running container: veneer rm -f box' "$(held debian:12)"
	node=$(for each in /sys/block/dm-*; do
		[ "$("$VENEER" explain --format '{{.Container}}' "${each##*/}" 2>/dev/null)" != box ] || echo "${each##*/}"
	done)
	contains 'sleep 1000' "$("$VENEER" explain "$node")"
	is 'running container: veneer stop box' "$(held "$node")"
	is '' "$(ill)"
	"$VENEER" stop -t 0 box >/dev/null
	free box
	contains 'container: veneer rm box' "$(held debian:12)"
	is 'debian:12 box ' "$("$VENEER" __complete images containers | tr '\n' ' ')" 'names for the shell'
	"$VENEER" rm box >/dev/null
	is 'image: veneer rmi debian:12' "$(held "$("$VENEER" layers -q --no-trunc | head -n 1)" | grep ^image)"
	healthy
}

strangers() {
	local name
	name=$(dmsetup ls | awk '/^veneer-.*-pool/ { sub("-pool", "", $1); print $1 }')
	dmsetup create --uuid LVM-abcdef foreign --table '0 8 zero'
	fails 1 "$VENEER" explain /dev/mapper/foreign
	contains "is no device of veneer: its uuid 'LVM-abcdef' is one of LVM" "$stderr"
	fails 1 "$VENEER" explain /
	contains 'no device of device-mapper' "$stderr"
	is '' "$(ill)" 'a device of others is no concern of ours'
	dmsetup create --uuid "$name-4242" "$name-4242" --table '0 8 zero'
	contains "warning devices: $name-4242 is active, but the catalogue has no thin id 4242" "$(ill)"
	dmsetup create --uuid veneer-00000000-7 veneer-00000000-7 --table '0 8 zero'
	contains 'veneer-00000000-7 belongs to another store' "$(ill)"
	fails 1 "$VENEER" explain veneer-00000000-7
	contains 'belongs to the store 00000000' "$stderr"
	dmsetup remove "$name-4242"
	dmsetup remove veneer-00000000-7
	dmsetup remove foreign
	is pool "$(explained Kind "$name-pool")"
	check 'doctor is content' "$VENEER" doctor -q >&2
}

a_volume() {
	local dir
	"$VENEER" volume create box --size 128M >/dev/null
	free box
	dir=$("$VENEER" volume mount box)
	is 'volume [/dev/veneer/box]' "$("$VENEER" explain --format '{{.Kind}} {{.Views}}' "$dir")"
	is "mount: umount $dir" "$(held box)"
	check 'doctor is content' "$VENEER" doctor -q >&2
	"$VENEER" volume unmount box
	"$VENEER" volume attach box >/dev/null
	mkdir -p "$WORK/elsewhere"
	mount /dev/veneer/box "$WORK/elsewhere"
	is '' "$(ill)" 'its user has mounted an attached one'
	umount "$WORK/elsewhere"
	"$VENEER" volume detach box
	"$VENEER" volume rm box >/dev/null
	healthy
}

resting() {
	local loop
	"$VENEER" pool deactivate
	contains "note pool: the pool" "$(ill)"
	loop=$(losetup -f --show "$VENEER_ROOT/pool/data")
	contains "warning loops: $loop is still on" "$(ill)"
	losetup -d "$loop"
	check 'a look has started nothing' test -z "$(dmsetup ls | grep '^veneer' || true)"
	"$VENEER" pool activate
	echo '{"roof":1}' >"$WORK/veneer.json"
	fails 1 env VENEER_CONFIG="$WORK/veneer.json" "$VENEER" doctor
	contains 'roof' "$(VENEER_CONFIG=$WORK/veneer.json ill)"
	healthy
}

check 'doctor without a store' "$VENEER" doctor -q
check 'it makes none' test ! -e "$VENEER_ROOT"
fresh_store
"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
case_ 'a layer is explained' a_layer
case_ 'an attached view that a process holds' attached
case_ 'a mounted view: processes, namespaces, loop devices' mounted
case_ 'a container' a_container
case_ 'a volume' a_volume
case_ 'devices of others, and stray ones' strangers
case_ 'a pool at rest, and a wrong configuration' resting

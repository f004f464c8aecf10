#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The pool on real devices, through the command line: made, grown, ill, taken away.
# shellcheck disable=SC2154 # the libraries set stderr, device and mnt
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-pool.sh
. "$(dirname "$0")/lib-pool.sh"

on_one_device() {
	part one 512 "$DISK1"
	is '' "$("$VENEER" pool create --data "$device" 2>&1)" output
	is "true ok read-write 1 ext4 65536 10737418240 false $device $((495 << 20)) $device $((16 << 20)) 1 1 0" "$(status \
		'Active}} {{.Health}} {{.Mode}} {{.TransactionId}} {{.Filesystem}} {{.BlockSize}} {{.VolumeSize}} {{.OnFiles}} {{.DataDevice}} {{.DataTotal}} {{.MetadataDevice}} {{.MetadataTotal}} {{.Template}} {{.Volumes}} {{.Unknown')"
	is "$(status DataTotal)" "$("$VENEER" pool status --format json |
		jq '.DataUsed + .DataFree')" 'used and free'
	text=$("$VENEER" pool status)
	contains "Pool:              $(pool_device pool)" "$text"
	contains 'Health:            ok' "$text"
	contains "Data total:        519MB ($((495 << 20)) bytes)" "$text"
	fails 1 "$VENEER" pool status --format '{{.Nope}}'
	fails 64 "$VENEER" pool status --format '{{.Nope'
	is "$(printf '%-10s%-11s%-10s%s\n' 'THIN ID' KIND STATE NAME)" "$("$VENEER" pool ls | head -n 1)"
	is 1 "$("$VENEER" pool ls -q)" 'thin ids'
	is '1 template live true' "$("$VENEER" pool list --format '{{.ID}} {{.Kind}} {{.State}} {{.InPool}}')"
	fails 1 "$VENEER" pool create --data "$device"
	contains "has a pool already: see 'veneer pool status'" "$stderr"
	fails 1 "$VENEER" pool create --files 100M --force
	load
	is 3 "$("$VENEER" pool ls -q | wc -l)" 'thin ids'
	is '3 2' "$(status 'Volumes}} {{.Layers')"
	sound
}

start_and_stop() {
	part one 512 "$DISK1"
	"$VENEER" pool create --data "$device"
	load
	"$VENEER" pool deactivate
	is '' "$(dmsetup ls | grep -v veneer-test)" devices
	"$VENEER" pool deactivate
	"$VENEER" pool activate
	"$VENEER" pool activate
	is 3 "$(dmsetup ls | grep -vc veneer-test)" devices
	"$VENEER" mount debian:12 "$mnt"
	fails 1 "$VENEER" pool deactivate
	contains 'is in use: unmount or detach it first' "$stderr"
	"$VENEER" unmount "$mnt"
	# Nobody there to say yes.
	out=$("$VENEER" pool destroy </dev/null)
	contains 'WARNING! This will remove the pool with all images and volumes.' "$out"
	contains '[y/N]' "$out"
	"$VENEER" pool destroy <<<n >/dev/null
	is 1 "$("$VENEER" images -q | wc -l)" images
	"$VENEER" pool destroy <<<y >/dev/null
	is '' "$(dmsetup ls | grep -v veneer-test)" devices
	is 0 "$(dd if="$device" bs=1M count=1 status=none | tr -d '\0' | wc -c)" 'bytes of the header'
	is '' "$("$VENEER" images -q)" images
	fails 1 "$VENEER" pool status
	contains 'has no pool' "$stderr"
	for command in activate deactivate destroy 'destroy --force' grow ls; do
		# shellcheck disable=SC2086 # two words
		"$VENEER" pool $command </dev/null >"$WORK/out" 2>&1 || contains 'has no pool' "$(<"$WORK/out")"
		check 'no pool is made' test ! -e "$VENEER_ROOT/pool.json"
	done
	"$VENEER" pool create --data "$device" # it is nobody's again
}

on_two_devices() {
	loop data 128
	data=$device
	loop meta 8
	"$VENEER" pool create --data "$data" --metadata "$device" --volume-size 2G
	is "$data $((127 << 20)) $device $((7 << 20)) 2147483648" \
		"$(status 'DataDevice}} {{.DataTotal}} {{.MetadataDevice}} {{.MetadataTotal}} {{.VolumeSize')"
	"$VENEER" pool deactivate
	"$VENEER" pool activate
	"$VENEER" check
	"$VENEER" pool destroy --force
	for path in "$data" "$device"; do
		is 0 "$(dd if="$path" bs=1M count=1 status=none | tr -d '\0' | wc -c)" 'bytes of the header'
	done
	# Two names of one device.
	ln -s "$data" "$WORK/link"
	"$VENEER" pool create --data "$data" --metadata "$WORK/link"
	is "$data $data" "$(status 'DataDevice}} {{.MetadataDevice')"
	"$VENEER" pool destroy --force
	# A link stays one: names of disks change.
	"$VENEER" pool create --data "$WORK/link"
	is "$WORK/link" "$(status DataDevice)"
}

on_files() {
	"$VENEER" pool create --files 200M --block-size 128K --volume-size 1G
	is "true 131072 1073741824 $((200 << 20)) $((16 << 20)) $VENEER_ROOT/pool/data $VENEER_ROOT/pool/meta" \
		"$(status 'OnFiles}} {{.BlockSize}} {{.VolumeSize}} {{.DataTotal}} {{.MetadataTotal}} {{.DataDevice}} {{.MetadataDevice')"
	is 2 "$(losetup -l --noheadings | wc -l)" 'loop devices'
	check 'the files are sparse' test "$(du -sm "$VENEER_ROOT/pool" | cut -f1)" -lt 32
	"$VENEER" pool deactivate
	is '' "$(losetup -l --noheadings)" 'loop devices'
	# Another program's loop device that shows only a part of the file, or cannot write.
	losetup -f -o 1M "$VENEER_ROOT/pool/data"
	losetup -f -r "$VENEER_ROOT/pool/meta"
	"$VENEER" pool activate
	"$VENEER" check
	"$VENEER" pool deactivate
	is 2 "$(losetup -l --noheadings | wc -l)" 'loop devices of the other program'
	losetup -D
	"$VENEER" pool destroy --force
	is '' "$(losetup -l --noheadings)" 'loop devices'
	check 'the files are gone' test ! -e "$VENEER_ROOT/pool"
}

default_pool() {
	free=$(df --output=avail -B1 "$VENEER_ROOT" | tail -n 1)
	"$VENEER" images >/dev/null # needs none
	check 'no pool yet' test ! -e "$VENEER_ROOT/pool.json"
	said=$("$VENEER" load -q -i "$IMAGES/oci.tar" 2>&1 >/dev/null)
	total=$(status DataTotal)
	is "No pool yet: made one of $((total >> 30)) GiB on sparse files in $VENEER_ROOT/pool (see 'veneer pool --help')" "$said"
	want=$((free / 10 * 8 < 100 << 30 ? free / 10 * 8 : 100 << 30))
	check "$total bytes are about $want" test $((total > want ? total - want : want - total)) -lt $((16 << 20))
	is '' "$("$VENEER" load -q -i "$IMAGES/docker.tar" 2>&1 >/dev/null)" 'said the second time'
	"$VENEER" pool destroy --force
	# Settings say what the default is.
	echo '{ "pool": { "files_size": "300M", "volume_size": "512M", "block_size": "128K" } }' >"$WORK/settings.json"
	said=$(VENEER_CONFIG=$WORK/settings.json "$VENEER" load -q -i "$IMAGES/oci.tar" 2>&1 >/dev/null)
	contains 'made one of 300 MiB' "$said"
	is "$((300 << 20)) 536870912 131072" "$(status 'DataTotal}} {{.VolumeSize}} {{.BlockSize')"
}

grown_files() {
	"$VENEER" pool create --files 200M
	load
	"$VENEER" mount --rw debian:12 "$mnt"
	"$VENEER" pool grow --size 400M --metadata-size 32M
	is "$((400 << 20)) $((32 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	dd if=/dev/urandom of="$mnt/big" bs=1M count=150 conv=fsync status=none
	"$VENEER" pool grow --size 400M # as large as that already
	before=$(cat "$VENEER_ROOT/pool.json"; dmsetup table "$(pool_device pool)")
	fails 1 "$VENEER" pool grow
	contains 'say with --size' "$stderr"
	fails 1 "$VENEER" pool grow --size 100M
	contains 'the pool has 400 MiB of data: it cannot shrink' "$stderr"
	fails 1 "$VENEER" pool grow --metadata-size 16M
	contains 'the pool has 32 MiB of metadata: it cannot shrink' "$stderr"
	fails 1 "$VENEER" pool grow --metadata-size 17G
	contains 'the kernel uses at most 16256 MiB of metadata' "$stderr"
	is "$before" "$(cat "$VENEER_ROOT/pool.json"; dmsetup table "$(pool_device pool)")"
	sync "$mnt/big"
	"$VENEER" unmount "$mnt"
	"$VENEER" pool deactivate
	is "$((400 << 20)) $((32 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	sound
}

grown_device() {
	part one 256 "$DISK1"
	"$VENEER" pool create --data "$device"
	load
	before=$(status 'DataTotal}} {{.MetadataTotal')
	fails 1 "$VENEER" pool grow
	contains "the pool uses all of '$device': enlarge the device first" "$stderr"
	fails 1 "$VENEER" pool grow --size 1G
	contains 'has 0 MiB more than the pool uses, and 785 MiB are asked for' "$stderr"
	is "$before" "$(status 'DataTotal}} {{.MetadataTotal')"
	remap one "0 $((2048 * 1024)) linear $DISK1 0"
	fails 1 "$VENEER" pool grow --size 2G
	is "$before" "$(status 'DataTotal}} {{.MetadataTotal')"
	"$VENEER" pool grow --size 512M
	is $((512 << 20)) "$(status DataTotal)"
	"$VENEER" pool grow --metadata-size 32M
	is "$((512 << 20)) $((32 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	"$VENEER" pool grow
	is "$((991 << 20)) $((32 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	"$VENEER" pool deactivate
	"$VENEER" pool activate
	is "$((991 << 20)) $((32 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	sound
	# The other way.
	"$VENEER" pool deactivate
	remap one "0 $((2048 * 512)) linear $DISK1 0"
	fails 1 "$VENEER" pool activate
	contains "'$device' has become smaller than the pool on it" "$stderr"
	is '' "$(dmsetup ls | grep -v veneer-test)" devices
	remap one "0 $((2048 * 1024)) linear $DISK1 0"
	sound
}

grown_two_devices() {
	part data 128 "$DISK1"
	data=$device
	part meta 8 "$DISK2"
	"$VENEER" pool create --data "$data" --metadata "$device"
	fails 1 "$VENEER" pool grow
	contains "the pool uses all of '$data': enlarge the device first" "$stderr"
	remap meta "0 $((2048 * 64)) linear $DISK2 0"
	"$VENEER" pool grow
	is "$((127 << 20)) $((63 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	remap data "0 $((2048 * 512)) linear $DISK1 0"
	"$VENEER" pool grow
	is "$((511 << 20)) $((63 << 20))" "$(status 'DataTotal}} {{.MetadataTotal')"
	sound
}

torn() {
	loop one 256
	"$VENEER" pool create --data "$device"
	load
	dmsetup message "$(pool_device pool)" 0 "set_transaction_id $(status TransactionId) 99"
	for command in 'pool activate' 'pool ls' 'pool grow' 'mount debian:12' "load -q -i $IMAGES/oci.tar"; do
		# shellcheck disable=SC2086 # several words
		fails 1 "$VENEER" $command
		contains "pool is at transaction 99, the catalogue at" "$stderr"
		contains "Run 'veneer check'" "$stderr"
	done
	out=$("$VENEER" pool status 2>/dev/null) && false
	contains 'Transaction id:    99' "$out"
	contains 'Health:            ok' "$out"
	is 99 "$(dmsetup status "$(pool_device pool)" | awk '{ print $4 }')" 'transaction id'
	"$VENEER" check --repair >/dev/null
	sound
}

# Metadata that cannot be written, with the state that the kernel falls into and what leads out.
broken_metadata() { # TABLE HEALTH MODE TEXT
	loop data 400
	data=$device
	part meta 16 "$DISK2"
	"$VENEER" pool create --data "$data" --metadata "$device"
	load
	remap meta "0 $((16 * 2048)) $1"
	fails 1 "$VENEER" mount --rw debian:12 "$mnt"
	is "$2 $3" "$(status 'Health}} {{.Mode' 2>/dev/null || true)" 'health and mode'
	for command in 'pool activate' 'pool grow' 'pool ls' 'mount debian:12' check; do
		# shellcheck disable=SC2086 # several words
		fails 1 "$VENEER" $command
		contains "$4" "$stderr"
	done
	remap meta "0 $((16 * 2048)) linear $DISK2 0"
	"$VENEER" check --repair
	is 'ok read-write' "$(status 'Health}} {{.Mode')"
	load
	"$VENEER" mount debian:12 "$mnt"
	is veneer-test "$(cat "$mnt/etc/hostname")"
	"$VENEER" unmount "$mnt"
	sound
}

read_only() {
	"$VENEER" pool create --files 1G
	load
	table=$(dmsetup table "$(pool_device pool)")
	dmsetup suspend "$(pool_device pool)"
	dmsetup load "$(pool_device pool)" --table "${table/ 1 error/ 2 read_only error}"
	dmsetup resume "$(pool_device pool)"
	is 'read-only read-only' "$(status 'Health}} {{.Mode' 2>"$WORK/err" || true)"
	contains 'is read-only' "$(<"$WORK/err")"
	fails 1 "$VENEER" mount --rw debian:12 "$mnt"
	contains "is read-only, the kernel's log says why; then run 'veneer pool deactivate' and 'veneer pool activate'" "$stderr"
	fails 1 "$VENEER" rmi debian:12
	contains 'is read-only' "$stderr"
	"$VENEER" pool deactivate
	"$VENEER" pool activate
	is 'ok read-write' "$(status 'Health}} {{.Mode')"
	is '' "$("$VENEER" images -q)" 'the image that was being removed'
	load
	sound
}

little_metadata() {
	loop data 400
	data=$device
	part meta 3 "$DISK2"
	"$VENEER" pool create --data "$data" --metadata "$device"
	create_thins "$(pool_device pool)" 1000 1329
	free=$(status MetadataFree)
	check "$free bytes of metadata left are below the reserve" test "$free" -lt $((512 << 10))
	before=$(blocks_of_pool)
	fails 1 "$VENEER" load -q -i "$IMAGES/oci.tar"
	contains "the pool has $((free >> 10)) KiB of metadata left, and keeps 512 KiB in reserve" "$stderr"
	contains "run 'veneer pool grow --metadata-size SIZE'" "$stderr"
	is "$before" "$(blocks_of_pool)" 'blocks in use'
	remap meta "0 $((64 * 2048)) linear $DISK2 0"
	"$VENEER" pool grow
	load
	is "2 330" "$(status 'Layers}} {{.Unknown')"
}

blocks_of_pool() {
	dmsetup status "$(pool_device pool)" | cut -d' ' -f4-7
}

# Everything that an archive keeps of a mounted image.
tree() {
	"$VENEER" mount debian:12 "$mnt"
	tar --sort=name --numeric-owner --pax-option=delete=atime,delete=ctime --xattrs --xattrs-include='*' --acls -C "$mnt" -cf - . | sha256sum
	"$VENEER" unmount "$mnt"
}

with_xfs() {
	local wanted link
	"$VENEER" pool create --files 1G
	load
	wanted=$(tree)
	sizes=$("$VENEER" layers --human=false --format '{{.ChainID}} {{.TarSize}}')
	"$VENEER" pool destroy --force
	part one 2048 "$DISK1"
	"$VENEER" pool create --data "$device" --fs xfs --volume-size 2G
	is "xfs $((2 << 30))" "$(status 'Filesystem}} {{.VolumeSize')"
	load
	is "$wanted" "$(tree)" 'the mounted tree'
	is "$sizes" "$("$VENEER" layers --human=false --format '{{.ChainID}} {{.TarSize}}')" layers
	"$VENEER" mount --rw debian:12 "$mnt"
	is xfs "$(stat -f -c %T "$mnt")" 'file system'
	echo mine >"$mnt/etc/mine"
	other=$("$VENEER" mount debian:12) # two of one family at once
	is veneer-test "$(cat "$other/etc/hostname")"
	"$VENEER" unmount "$other"
	"$VENEER" unmount "$mnt"
	link=$("$VENEER" attach --rw debian:12)
	mount -o nouuid "$link" "$mnt" # a snapshot of a frozen xfs has a log to replay
	umount "$mnt"
	xfs_repair -n "$link" >/dev/null 2>&1
	"$VENEER" detach "$link"
	"$VENEER" pool deactivate
	sound
	"$VENEER" check --repair
	"$VENEER" rmi debian:12 >/dev/null
	is 1 "$("$VENEER" pool ls -q | wc -l)" 'thin ids'
	load
	is "$wanted" "$(tree)" 'the mounted tree'
	sound
}

pool_case 'a pool on one device, and what status and ls say of it' on_one_device
pool_case 'activate, deactivate, destroy' start_and_stop
pool_case 'data and metadata on two devices' on_two_devices
pool_case 'a pool on files, with its own sizes' on_files
pool_case 'the first command that needs a pool makes one and says so once' default_pool
pool_case 'files grow while they are used' grown_files
pool_case 'an enlarged device is taken in' grown_device
pool_case 'enlarged devices for data and metadata' grown_two_devices
pool_case "a transaction id that is not the catalogue's" torn
pool_case 'metadata that cannot be written' broken_metadata "flakey $DISK2 0 0 60 1 error_writes" \
	'needs check' read-only "run 'veneer check --repair'"
pool_case 'metadata that cannot be read' broken_metadata error failed failed \
	"has failed, the kernel's log says why; then run 'veneer pool deactivate' and 'veneer pool activate'"
pool_case 'a read-only pool' read_only
pool_case 'too little metadata for one more image' little_metadata
pool_case 'xfs holds what ext4 holds' with_xfs

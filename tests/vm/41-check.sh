#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 480
# Damages made on purpose: check finds them, --repair mends them, --rebuild makes a catalogue anew.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-metadata.sh
. "$(dirname "$0")/lib-metadata.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

loaded() {
	[ "$("$VENEER" images -q)" != '' ] || "$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
}
device() { # data, meta or pool
	dmsetup ls | awk -v part="-$1$" '$1 ~ part { print $1 }'
}
message() {
	dmsetup message "$(device pool)" 0 "$@"
}
thin_ids() { # of the layers, base first
	"$VENEER" layers --format '{{.ThinID}}'
}
config_blob() {
	local id
	id=$("$VENEER" images -q --no-trunc)
	printf '%s/blobs/sha256/%s' "$VENEER_ROOT" "${id#sha256:}"
}

# found TEXT - check finds it, --repair mends and names it, then check has nothing to say
found_and_mended() {
	local report
	report=$("$VENEER" check) && { echo "check finds nothing"; return 1; }
	contains "$1" "$report"
	report=$("$VENEER" check --repair)
	contains "$1" "$report"
	contains '(mended)' "$report"
	is '' "$("$VENEER" check)" 'findings after the repair'
	no_leftovers
}

missing_layer() {
	loaded
	message "delete $(thin_ids | tail -n 1)"
	found_and_mended 'it is not in the pool'
	is '' "$("$VENEER" images -q)" images
	is '' "$(ls "$VENEER_ROOT/blobs/sha256")" blobs
}

missing_base() {
	loaded
	"$VENEER" tag debian:12 second:1
	message "delete $(thin_ids | head -n 1)"
	found_and_mended 'it is not in the pool'
	is '' "$("$VENEER" images -q)" images
}

missing_and_mounted() {
	loaded
	"$VENEER" mount debian:12 "$mnt"
	message "delete $(thin_ids | head -n 1)"
	fails 1 "$VENEER" check --repair
	contains 'unmount or detach its images first' "$("$VENEER" check --repair || true)"
	"$VENEER" unmount "$mnt"
	"$VENEER" check --repair
	healthy
}

stranger() {
	loaded
	message 'create_thin 4242'
	found_and_mended 'thin id 4242 is in the pool, but not in the catalogue'
	fails 1 message 'delete 4242'
}

lost_config() {
	loaded
	rm "$(config_blob)"
	found_and_mended 'image sha256:'
	is '' "$("$VENEER" images -q)" images
}

damaged_config() {
	loaded
	printf x | dd of="$(config_blob)" bs=1 seek=10 conv=notrunc status=none
	fails 1 "$VENEER" check
	found_and_mended 'holds other bytes'
}

lost_layer_blob() {
	local blobs
	loaded
	blobs=$(find "$VENEER_ROOT/blobs/sha256" -type f ! -path "$(config_blob)" | head -n 1)
	rm "$blobs"
	found_and_mended 'is missing'
	"$VENEER" mount debian:12 "$mnt"
	"$VENEER" unmount "$mnt"
}

overwritten_label() {
	local id
	loaded
	id=$(thin_ids | tail -n 1)
	echo "0 $((10 * 1024 * 1024 * 2)) thin /dev/mapper/$(device pool) $id" | dmsetup create veneer-test-label
	dd if=/dev/zero of=/dev/mapper/veneer-test-label bs=1024 count=1 oflag=direct conv=notrunc status=none ||
		dd if=/dev/zero of=/dev/mapper/veneer-test-label bs=1024 count=1 conv=notrunc,fsync status=none
	dmsetup remove veneer-test-label
	found_and_mended 'it has no label'
}

stray_blob() {
	loaded
	echo stray >"$VENEER_ROOT/blobs/sha256/$(echo stray | sha256sum | cut -d' ' -f1)"
	found_and_mended 'belongs to nothing'
	is debian:12 "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
}

transaction_id() {
	loaded
	"$VENEER" pool status --format '{{.TransactionID}}' >"$WORK/txid" ||
		dmsetup status "$(device pool)" | awk '{ print $4 }' >"$WORK/txid"
	message "set_transaction_id $(cat "$WORK/txid") 1000"
	fails 1 "$VENEER" rmi debian:12
	contains "pool is at transaction 1000" "$stderr"
	contains "veneer check" "$stderr"
	fails 1 "$VENEER" mount debian:12 "$mnt"
	is debian:12 "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
	"$VENEER" history debian:12 >/dev/null
	found_and_mended 'the pool is at transaction 1000'
	"$VENEER" mount debian:12 "$mnt"
	"$VENEER" unmount "$mnt"
	# With a volume that the catalogue does not know, it may be the catalogue that is old.
	message 'set_transaction_id 1000 2000'
	message 'create_thin 4243'
	fails 1 "$VENEER" check --repair
	contains 'not mended, since volumes differ' "$("$VENEER" check --repair || true)"
	"$VENEER" check --rebuild
	is 1 "$("$VENEER" images -q | wc -l)" images
	"$VENEER" check --repair
	healthy
}

# What the pool and the documents know of the images.
essence() {
	"$VENEER" images -q --no-trunc
	"$VENEER" layers --no-trunc --human=false --format '{{.ChainID}} {{.DiffID}} {{.ThinID}} {{.OwnSize}} {{.TarSize}}'
}

rebuilt() {
	local before
	"$VENEER" rmi -f "$("$VENEER" images -q)" >/dev/null
	loaded
	before=$(essence)
	case $1 in
	removed) rm "$VENEER_ROOT/catalogue.db"* ;;
	log) rm "$VENEER_ROOT/catalogue.db" ;;
	garbage) head -c 100000 /dev/urandom >"$VENEER_ROOT/catalogue.db" ;;
	cut) truncate -s 5000 "$VENEER_ROOT/catalogue.db" ;;
	esac
	fails 1 "$VENEER" load -q -i "$IMAGES/oci.tar"
	contains 'veneer check --rebuild' "$stderr"
	report=$("$VENEER" check --rebuild)
	contains 'is back, without its names' "$report"
	contains 'Layers found: 2' "$report"
	is "$before" "$(essence)"
	is '<none>:<none>' "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
	"$VENEER" tag "$("$VENEER" images -q)" debian:12
	"$VENEER" mount debian:12 "$mnt"
	is veneer-test "$(cat "$mnt/etc/hostname")"
	"$VENEER" unmount "$mnt"
	healthy
	ls "$VENEER_ROOT"/catalogue.db.* >/dev/null
	rm -f "$VENEER_ROOT"/catalogue.db.[0-9]*
}

rebuilt_with_view() {
	local link
	link=$("$VENEER" attach --rw debian:12)
	"$VENEER" detach "$link"
	"$VENEER" mount --rw debian:12 "$mnt"
	umount "$mnt" # as a reboot would
	"$VENEER" pool deactivate
	rm "$VENEER_ROOT/catalogue.db"*
	"$VENEER" check --rebuild
	fails 1 "$VENEER" check
	"$VENEER" check --repair
	healthy
	rm -f "$VENEER_ROOT"/catalogue.db.[0-9]*
	"$VENEER" tag "$("$VENEER" images -q)" debian:12
}

# What the kernel writes after a failed commit: flag 1 of the superblock, with its checksum.
set_needs_check() {
	perl - "$VENEER_ROOT/pool/meta" <<'END'
open(my $file, '+<:raw', $ARGV[0]) or die;
seek($file, 1 << 20, 0); # behind the header
read($file, my $block, 4096) == 4096 or die;
substr($block, 4, 4) = pack('V', unpack('V', substr($block, 4, 4)) | 1);
my $crc = 0xffffffff;
for my $byte (unpack('C*', substr($block, 4))) {
	$crc ^= $byte;
	$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
}
substr($block, 0, 4) = pack('V', $crc ^ 160774);
seek($file, 1 << 20, 0);
print $file $block;
END
}

# What a power cut in the midst of a discard can leave: a block that is counted, but mapped nowhere.
leak_block() {
	python3 - "$VENEER_ROOT/pool/meta" <<'END'
import struct, sys

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 if crc & 1 else crc >> 1
    return crc

def block(number, salt=None, data=None):
    meta.seek((1 << 20) + number * 4096)  # behind the header
    if data is None:
        return bytearray(meta.read(4096))
    struct.pack_into("<I", data, 0, crc32c(data[4:]) ^ salt)
    meta.write(data)

meta = open(sys.argv[1], "r+b")
superblock = block(0)
_, allocated, index = struct.unpack_from("<QQQ", superblock, 64)
node = block(index)
max_entries = struct.unpack_from("<I", node, 20)[0]
entry = 32 + max_entries * 8
bitmap_block, free = struct.unpack_from("<QI", node, entry)
bitmap = block(bitmap_block)
at = next(i for i in range(16, 4096) if not bitmap[i])
bitmap[at] |= 2  # the first of its four blocks is used once
struct.pack_into("<I", node, entry + 8, free - 1)
struct.pack_into("<Q", superblock, 72, allocated + 1)
block(bitmap_block, 240779, bitmap)
block(index, 121107, node)
block(0, 160774, superblock)
END
}

leak() {
	local used
	loaded
	used=$(pool_used)
	"$VENEER" pool deactivate
	leak_block
	is $((used + 65536)) "$(pool_used)" 'used with the leak'
	found_and_mended '64 KiB of the pool'
	is "$used" "$(pool_used)" 'used after the repair'
	"$VENEER" mount debian:12 "$mnt"
	"$VENEER" unmount "$mnt"
}

needs_check() {
	local used
	loaded
	used=$(pool_used)
	"$VENEER" pool deactivate
	leak_block # as what failed had taken it
	set_needs_check
	fails 1 "$VENEER" mount debian:12 "$mnt"
	contains "veneer check --repair" "$stderr"
	fails 1 "$VENEER" check
	contains "veneer check --repair" "$stderr"
	is 1 "$("$VENEER" images -q | wc -l)" images
	"$VENEER" check --repair
	is '' "$("$VENEER" check)"
	is "$used" "$(pool_used)" 'used after the repair'
	"$VENEER" mount debian:12 "$mnt"
	"$VENEER" unmount "$mnt"
}

# The kernel starts on what is damaged, or not: nothing but check --repair goes on.
repaired() {
	local report
	fails 1 "$VENEER" check
	contains 'veneer check --repair' "$stderr"
	report=$("$VENEER" check --repair) || true
	contains "the pool's metadata was damaged; thin_repair has rebuilt what it could read" "$report"
	contains "is kept in $VENEER_ROOT/pool.damaged (mended)" "$report"
	check 'the repair is over' test ! -e "$VENEER_ROOT/pool.repaired"
	printf '%s\n' "$report"
}

damaged_bitmap() {
	local before
	loaded
	before=$(essence)
	"$VENEER" pool deactivate
	damage bitmap
	fails 1 "$VENEER" mount debian:12 "$mnt"
	contains "the pool's metadata is damaged: run 'veneer check --repair'" "$stderr"
	repaired >/dev/null
	is "$before" "$(essence)" 'what the pool holds'
	healthy
	"$VENEER" mount debian:12 "$mnt"
	is veneer-test "$(cat "$mnt/etc/hostname")"
	"$VENEER" unmount "$mnt"
}

# A layer with holes would read as if it were whole.
damaged_leaf() { # of the layer with that number
	local id report
	loaded
	id=$(thin_ids | sed -n "$1p")
	"$VENEER" pool deactivate
	damage leaf "$id"
	report=$(repaired)
	contains "thin id $id has lost" "$report"
	contains 'its images were removed, load them again (mended)' "$report"
	is '' "$("$VENEER" images -q)" images
	is '' "$("$VENEER" check)"
	loaded
	"$VENEER" mount debian:12 "$mnt"
	is veneer-test "$(cat "$mnt/etc/hostname")"
	"$VENEER" unmount "$mnt"
	healthy
}

damaged_template() {
	local id
	loaded
	id=$("$VENEER" pool status --format '{{.Template}}')
	"$VENEER" pool deactivate
	damage leaf "$id"
	contains 'the template, thin id' "$(repaired)"
	is '' "$("$VENEER" check)"
	"$VENEER" rmi debian:12 >/dev/null
	loaded
	healthy
}

# What somebody wrote is not thrown away, however little is left.
damaged_view() {
	local id report
	loaded
	"$VENEER" mount --rw debian:12 "$mnt"
	id=$("$VENEER" pool ls --format '{{.Kind}} {{.ID}}' | sed -n 's/^view //p')
	dd if=/dev/urandom of="$mnt/mine" bs=1M count=40 conv=fsync status=none
	umount "$mnt"
	"$VENEER" pool deactivate
	damage leaf "$id"
	report=$(repaired)
	contains "thin id $id has lost" "$report"
	contains 'it is a writable view, save what you need' "$report"
	is debian:12 "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}')"
	is "$id" "$("$VENEER" pool ls --format '{{.Kind}} {{.ID}}' | sed -n 's/^view //p')" 'the view'
	"$VENEER" unmount "$mnt" || "$VENEER" check --repair
	healthy
}

# As 0.9 does when it cannot read the root of a tree; another version may do better.
crashing_tools() {
	mkdir -p "$WORK/bin"
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$WORK/bin/thin_repair"
	chmod +x "$WORK/bin/thin_repair"
}

beyond_repair() {
	loaded
	"$VENEER" pool deactivate
	cp --sparse=always "$VENEER_ROOT/pool/meta" "$WORK/meta"
	damage details
	crashing_tools
	for _ in 1 2; do
		PATH=$WORK/bin:$PATH fails 1 "$VENEER" check --repair
		contains 'thin_repair was killed by signal 11' "$stderr"
		contains "it was not changed, and '$VENEER_ROOT/pool.damaged' is a copy" "$stderr"
		contains "run 'veneer check --repair' again, or give the images up with 'veneer pool destroy --force'" "$stderr"
		tail -c +$(((1 << 20) + 1)) "$VENEER_ROOT/pool/meta" | cmp - "$VENEER_ROOT/pool.damaged"
		is '' "$(dmsetup ls | grep veneer-)" devices
		is '' "$(losetup -n -l)" 'loop devices'
		is 'pool.damaged pool.json' "$(cd "$VENEER_ROOT" && echo pool.*)" 'files'
	done
	fails 1 "$VENEER" mount debian:12 "$mnt"
	contains "veneer check --repair" "$stderr"
	is 1 "$("$VENEER" images -q | wc -l)" images
	# Somebody mends it by other means.
	"$VENEER" pool deactivate
	dd if="$WORK/meta" of="$VENEER_ROOT/pool/meta" bs=1M conv=notrunc,fsync status=none
	"$VENEER" check
	healthy
}

interrupted_repair() {
	local point id
	for point in pool-repair-copied pool-repair-installed pool-repair-deleted; do
		loaded
		id=$(thin_ids | tail -n 1)
		"$VENEER" pool deactivate
		damage leaf "$id"
		VENEER_CRASH_AT=$point fails 137 "$VENEER_CRASH" check --repair
		contains "crash point $point" "$stderr"
		for command in 'pool activate' 'mount debian:12' "load -q -i $IMAGES/oci.tar" check; do
			# shellcheck disable=SC2086 # several words
			fails 1 "$VENEER" $command
			contains "a repair of the pool's metadata was interrupted: run 'veneer check --repair' to finish it" "$stderr"
		done
		"$VENEER" check --repair
		is '' "$("$VENEER" images -q)" images
		healthy
	done
	loaded
}

no_pool_at_all() {
	"$VENEER" pool destroy --force
	"$VENEER" check
	check 'check makes no pool' test ! -e "$VENEER_ROOT/pool.json"
	fresh_store 2G
	loaded
	"$VENEER" pool deactivate
	mv "$VENEER_ROOT/pool.json" "$WORK/"
	fails 1 "$VENEER" check
	contains 'pool that is gone' "$("$VENEER" check || true)"
	check 'the files are there' test -e "$VENEER_ROOT/pool/data"
	mv "$WORK/pool.json" "$VENEER_ROOT/"
	"$VENEER" check
}

fresh_store 2G
case_ 'a layer is gone from the pool' missing_layer
case_ 'a base layer is gone from the pool' missing_base
case_ 'a layer is gone while its image is mounted' missing_and_mounted
case_ 'a volume that the catalogue does not know' stranger
case_ 'a config document is gone' lost_config
case_ 'a config document is damaged' damaged_config
case_ 'a layer blob is gone' lost_layer_blob
case_ 'a label is overwritten' overwritten_label
case_ 'a blob that belongs to nothing' stray_blob
case_ 'a transaction id that does not fit' transaction_id
case_ 'a catalogue that was removed is made again' rebuilt removed
case_ 'a catalogue of which only the log is left is made again' rebuilt log
case_ 'a catalogue that is garbage is made again' rebuilt garbage
case_ 'a catalogue that was cut is made again' rebuilt cut
case_ 'a writable view without a catalogue' rebuilt_with_view
case_ 'a block that belongs to no volume' leak
case_ 'a pool that must be checked' needs_check
case_ 'a damaged space map loses nothing' damaged_bitmap
case_ 'a layer that lost blocks goes' damaged_leaf 2
case_ 'a base layer that lost blocks goes' damaged_leaf 1
case_ 'a template that lost blocks is made anew' damaged_template
case_ 'a writable view that lost blocks stays' damaged_view
case_ 'metadata that thin_repair dies of' beyond_repair
case_ 'a repair that was interrupted' interrupted_repair
case_ 'no pool' no_pool_at_all

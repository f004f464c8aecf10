#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 180
# `pool check` and `pool repair` on metadata that is damaged: what they say, what stays, what goes.
# shellcheck disable=SC2154 # the libraries set stderr and host
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-metadata.sh
. "$(dirname "$0")/lib-metadata.sh"

# Two images that share no layer. Each case has the metadata as it was then.
prepare() {
	"$VENEER" pool create --files 256M
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
	"$VENEER" pool deactivate
	cp --sparse=always "$VENEER_ROOT/pool/meta" "$WORK/older.meta"
	mkdir "$WORK/tree"
	dd if=/dev/urandom of="$WORK/tree/file" bs=1M count=20 status=none
	tar -C "$WORK/tree" -cf - . | "$VENEER" import - other >/dev/null
	"$VENEER" pool deactivate
	cp --sparse=always "$VENEER_ROOT/pool/meta" "$WORK/finding.meta"
}

repair_case() {
	case_ "$@"
	"$VENEER" pool deactivate
	dd if="$WORK/finding.meta" of="$VENEER_ROOT/pool/meta" bs=1M conv=notrunc,fsync status=none
	rm -f "$VENEER_ROOT/pool.damaged"
}

# What of a pool's file is its metadata.
metadata_of() {
	tail -c +$(((1 << 20) + 1)) "$1"
}

# contains_one TEXT NEEDLE... - thin_check has other words in 0.9 than in 1.1
contains_one() {
	local needle
	for needle in "${@:2}"; do
		[[ $1 != *"$needle"* ]] || return 0
	done
	printf 'expected to find one of:\n'
	printf '  %s\n' "${@:2}"
	printf 'in: %s\n' "$1"
	return 1
}

# check_names TEXT... - `pool check` says what it is, in one of these, and touches nothing
check_names() {
	metadata_of "$VENEER_ROOT/pool/meta" >"$WORK/damaged"
	report=$("$VENEER" pool check) && { echo 'pool check finds nothing'; return 1; }
	contains_one "$report" "$@"
	contains "the metadata is damaged, or was not closed: run 'veneer pool repair'" "$report"
	metadata_of "$VENEER_ROOT/pool/meta" | cmp - "$WORK/damaged"
	is '' "$(dmsetup ls | grep veneer-)" devices
}

# The kernel would start on nothing of it.
does_not_start() {
	fails 1 "$VENEER" pool activate
	contains "the pool's metadata is damaged: run 'veneer check --repair'" "$stderr"
	is '' "$(dmsetup ls | grep veneer-)" devices
}

# verified IMAGE... - and these are all
verified() {
	is "$(printf '%s\n' "$@")" "$("$VENEER" images --format '{{.Repository}}' | sort)" images
	"$VENEER" verify --all
}

damaged_space_map() {
	damage bitmap
	check_names 'bad checksum in metadata index block' 'metadata space map: bad checksum in index block'
	does_not_start
	report=$("$VENEER" pool repair)
	contains "a copy of the metadata as it was is kept in $VENEER_ROOT/pool.damaged" "$report"
	contains 'thin_repair has rebuilt what it could read' "$report"
	cmp "$WORK/damaged" "$VENEER_ROOT/pool.damaged"
	is '' "$("$VENEER" check)" findings
	verified debian other
	"$VENEER" pool deactivate
	contains 'the metadata is sound' "$("$VENEER" pool check)"
}

# Nothing is written to metadata that cannot be mended.
not_mended() {
	fails 1 "$VENEER" pool repair
	contains "thin_repair cannot mend it; it was not changed, and '$VENEER_ROOT/pool.damaged' is a copy" "$stderr"
	contains 'With another version of thin_repair installed' "$stderr"
	metadata_of "$VENEER_ROOT/pool/meta" | cmp - "$WORK/damaged"
	cmp "$WORK/damaged" "$VENEER_ROOT/pool.damaged"
	is 'pool.damaged pool.json' "$(cd "$VENEER_ROOT" && echo pool.*)" files
	is '' "$(dmsetup ls | grep veneer-)" devices
}

# with_tool dying|finding|older COMMAND... - whether thin_repair finds trees by itself is its version's matter
with_tool() {
	local tool=$WORK/$1
	mkdir -p "$tool"
	case $1 in
	dying) printf '#!/bin/sh\nkill -SEGV $$\n' ;;
	finding | older)
		cat <<-END
			#!/bin/sh
			printf '%s\n' "\$*" >"$WORK/asked"
			tail -c +$(((1 << 20) + 1)) "$WORK/$1.meta" >"\$4"
		END
		;;
	esac >"$tool/thin_repair"
	chmod +x "$tool/thin_repair"
	PATH=$tool:$PATH "${@:2}"
}

damaged_superblock() {
	local txid
	"$VENEER" pool activate
	txid=$("$VENEER" pool status --format '{{.TransactionId}}')
	"$VENEER" pool deactivate
	damage superblock
	check_names 'superblock is corrupt' 'bad checksum in superblock'
	does_not_start
	contains "'veneer check --repair' would mend the pool's metadata first" "$("$VENEER" check 2>&1 || true)"
	with_tool dying not_mended
	report=$(with_tool finding "$VENEER" pool repair)
	# It cannot know these by itself.
	contains " --transaction-id $txid --data-block-size 128 --nr-data-blocks 4096" "$(<"$WORK/asked")"
	contains "which volumes lost blocks cannot be told (" "$report"
	contains "'veneer verify --all' compares what is there with its digests" "$report"
	is '' "$("$VENEER" check)" findings
	verified debian other
}

# It starts, since the kernel reads that block at the first use.
damaged_mapping() {
	damage mapping
	check_names 'missing all mappings for devices' 'mapping top-level: node error'
	contains_one "$report" 'bad checksum in btree node' 'checksum error'
	"$VENEER" pool activate
	fails 1 "$VENEER" check
	contains "'veneer check --repair' would mend the pool's metadata first" "$stderr"
	fails 1 "$VENEER" verify --all
	contains "the pool's metadata is damaged: run 'veneer check --repair'" "$stderr"
	"$VENEER" pool deactivate
	metadata_of "$VENEER_ROOT/pool/meta" >"$WORK/damaged" # the kernel has written to it
	with_tool dying not_mended
}

# Newer versions of thin_check count a leak as an error.
leaked() {
	local tool=$WORK/leaking
	mkdir -p "$tool"
	printf '#!/bin/sh\ncase $* in *--ignore-non-fatal-errors*) exit 0 ;; esac\necho "1 data blocks have leaked."\nexit 1\n' >"$tool/thin_check"
	chmod +x "$tool/thin_check"
	report=$(PATH=$tool:$PATH "$VENEER" pool check)
	contains '1 data blocks have leaked.
the metadata is sound, but for blocks that nobody has: '"'veneer pool repair' gives them back" "$report"
}

newest() { # thin id of an image's last layer
	"$VENEER" layers --format '{{.ThinID}}' "$1" | tail -n 1
	"$VENEER" pool deactivate
}

# Older trees lie about in the metadata, and newer versions of the tool take them.
went_back() {
	damage leaf "$(newest other)"
	metadata_of "$VENEER_ROOT/pool/meta" >"$WORK/damaged"
	with_tool older not_mended
	contains 'it went back to an earlier moment, of which volume' "$stderr"
}

# A layer that lost blocks goes, and its image with it; the other one is whole.
damaged_node() {
	local id
	id=$(newest debian:12)
	damage leaf "$id"
	check_names "thin device $id is missing mappings" "Thin device $id has 1 errors and is missing"
	if [ "$(thin_repair --version | grep -o '[0-9]*' | head -n 1)" != 0 ]; then
		not_mended
		contains 'it went back to an earlier moment' "$stderr"
		return 0
	fi
	report=$("$VENEER" pool repair)
	contains "a copy of the metadata as it was is kept in $VENEER_ROOT/pool.damaged" "$report"
	contains "thin id $id has lost" "$report"
	contains 'its images were removed, load them again' "$report"
	cmp "$WORK/damaged" "$VENEER_ROOT/pool.damaged"
	is '' "$("$VENEER" check)" findings
	verified other
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
	verified debian other
	healthy
}

prepare
repair_case 'a damaged space map loses nothing' damaged_space_map
repair_case 'without a superblock, what it said is told to thin_repair' damaged_superblock
repair_case 'a damaged root of the mappings is named, and nothing made worse' damaged_mapping
repair_case 'blocks that nobody has are no damage' leaked
repair_case 'a tool that goes back in time is not believed' went_back
case_ 'a damaged node takes the images that it belongs to' damaged_node

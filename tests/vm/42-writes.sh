#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# The pool's disks fail, or lie, in the midst of a command: it says so, nothing half made counts,
# and what was there before is there again when the disks are well.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"
declare -A disks=([data]=$DISK1 [meta]=$DISK2) sectors=([data]=$((1024 * 2048)) [meta]=$((64 * 2048)))

# disk data|meta well|error_writes|drop_writes
disk() {
	case $2 in
	well) printf '0 %s linear %s 0\n' "${sectors[$1]}" "${disks[$1]}" ;;
	*) printf '0 %s flakey %s 0 0 1 1 %s\n' "${sectors[$1]}" "${disks[$1]}" "$2" ;;
	esac | dmsetup "${3:-reload}" "test-$1"
	[ -n "${3:-}" ] || dmsetup resume "test-$1"
}

# make_archive NAME - the tar of a root file system, of 30 MB
make_archive() {
	local dir=$WORK/make-$1
	mkdir -p "$dir/etc"
	echo "$1" >"$dir/etc/name"
	head -c 30000000 /dev/urandom >"$dir/random"
	tar --create --numeric-owner --owner=0 --group=0 -C "$dir" -f "$WORK/$1.tar" .
	rm -rf "$dir"
}

# import_and DISK STATE - an import, in whose midst the disk changes
import_and() {
	local status=0 half=20000000
	{
		head -c $half "$WORK/new.tar"
		disk "$1" "$2"
		tail -c +$((half + 1)) "$WORK/new.tar"
	} | "$VENEER" import - new:1 >"$WORK/out" 2>"$WORK/err" || status=$?
	return $status
}

contents() {
	"$VENEER" mount old:1 "$mnt" >/dev/null
	(cd "$mnt" && sha256sum etc/name random)
	"$VENEER" unmount "$mnt"
}

names() { "$VENEER" images --format '{{.Repository}}:{{.Tag}}'; }

prepared() {
	disk data well
	disk meta well
	"$VENEER" check
	is old:1 "$(names)" images
	remember
}

# Well again, as after a reboot.
well_again() {
	disk data well
	disk meta well
	"$VENEER" pool deactivate
	"$VENEER" check --repair
	is '' "$("$VENEER" check)" 'findings after the repair'
	nothing_left
	no_leftovers
	is "$before" "$(contents)" 'contents of what was there before'
}

# What a command says when the disk has failed: one error that names the way out.
explains() {
	local errors
	errors=$(grep -v '^warning: ' "$WORK/err")
	is 1 "$(wc -l <<<"$errors")" "lines of errors ($errors)"
	[[ $errors = *'Input/output error'* || $errors = *'veneer check --repair'* ]] || is 'an I/O error' "$errors"
}

import_fails() {
	local status=0
	prepared
	import_and "$1" error_writes || status=$?
	is 1 $status "exit status ($(cat "$WORK/out" "$WORK/err"))"
	explains
	is old:1 "$(names)" images
	well_again
	is old:1 "$(names)" images
	"$VENEER" import "$WORK/new.tar" new:1
	"$VENEER" rmi new:1
	nothing_left
}

# The names are gone, or they are not; the volumes go by and by.
rmi_fails() {
	local status=0
	prepared
	"$VENEER" import "$WORK/new.tar" new:1
	disk "$1" error_writes
	"$VENEER" rmi new:1 >"$WORK/out" 2>"$WORK/err" || status=$?
	is 1 $status "exit status ($(cat "$WORK/out" "$WORK/err"))"
	explains
	disk data well
	disk meta well
	"$VENEER" pool deactivate
	"$VENEER" check --repair
	"$VENEER" check
	[ "$(names)" = old:1 ] || "$VENEER" rmi new:1
	well_again
}

# A disk that says it has written: nothing can be known before it is read again.
data_lies() {
	prepared
	import_and data drop_writes || true
	disk data well
	"$VENEER" pool deactivate
	"$VENEER" check --repair || true
	! grep -q new:1 <<<"$(names)" || "$VENEER" rmi new:1
	well_again
}

metadata_lies() {
	prepared
	import_and meta drop_writes || true
	"$VENEER" pool deactivate
	disk meta well
	fails 1 "$VENEER" mount old:1 "$mnt"
	# shellcheck disable=SC2154 # fails() sets it
	contains 'pool is at transaction' "$stderr"
	fails 1 "$VENEER" rmi old:1
	fails 1 "$VENEER" check
	"$VENEER" check --rebuild
	"$VENEER" tag "$("$VENEER" images -q | tail -n 1)" old:1
	"$VENEER" check --repair
	"$VENEER" check
	is old:1 "$(names)" images
	is "$before" "$(contents)" 'contents of what was there before'
	rm -f "$VENEER_ROOT"/catalogue.db.[0-9]*
}

end_of_disks() {
	end_of_script
	dmsetup remove test-data
	dmsetup remove test-meta
}
trap end_of_disks EXIT

modprobe -q dm-flakey
for name in data meta; do
	disk $name well create
	# Whose they were before is over.
	dd if=/dev/zero of="/dev/mapper/test-$name" bs=1M count=4 oflag=direct status=none
done
"$VENEER" pool create --data /dev/mapper/test-data --metadata /dev/mapper/test-meta --volume-size 512M
make_archive old
make_archive new
"$VENEER" import "$WORK/old.tar" old:1 >/dev/null
before=$(contents)
case_ 'the data disk fails in an import' import_fails data
case_ 'the metadata disk fails in an import' import_fails meta
case_ 'the data disk fails in an rmi' rmi_fails data
case_ 'the metadata disk fails in an rmi' rmi_fails meta
case_ 'the data disk loses what an import writes' data_lies
case_ 'the metadata disk loses what an import writes' metadata_lies

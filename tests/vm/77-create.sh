#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers that were made and not used yet: nothing of them is in the pool, and making them waits
# for nobody who works with it. The first use, whichever it is, makes their volume.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }
volumes() { v pool status --format '{{.Volumes}}'; }
clear_() { v container prune -f >/dev/null; }

# A failed case must not spoil the next one.
case_run() {
	case_ "$@"
	clear_
}

# The first of an image makes the image's own volume, once.
made_later() {
	local before
	v create --name first debian:12 true >/dev/null
	before=$(volumes)
	v create --name one debian:12 sh -c 'echo hello >/srv/new; basename /srv/app/d*' >/dev/null
	is "$before" "$(volumes)" 'volumes after create'
	contains 'Created' "$(v ps -a --filter name=one --format '{{.Status}}')"
	is '0B (virtual' "$(v ps -as --filter name=one --format '{{.Size}}' | cut -d ' ' -f 1,2)"
	is data "$(v start -a one)"
	is $((before + 1)) "$(volumes)" 'volumes after start'
	contains 'A /srv/new' "$(v diff one)"
	clear_
	healthy
}

# Each of these is somebody's first use.
used() { # COMMAND...
	local before
	v create --name one debian:12 true >/dev/null
	before=$(volumes)
	"$@"
	is $((before + 1)) "$(volumes)" "volumes after $1"
	v rm one >/dev/null
	is "$before" "$(volumes)" 'volumes after rm'
	healthy
}
copied_into() { v cp "$WORK/file" one:/srv/file; is in "$(v cp one:/srv/file - | tar -xO)"; }
copied_from() { is data "$(v cp one:/srv/app/data - | tar -t)"; }
compared() { is '' "$(v diff one)"; }
exported() { v export one | tar -t | grep -x etc/hostname; }
committed() {
	v commit one committed:1 >/dev/null
	v rmi committed:1 >/dev/null
}

# With a size of its own the file system grows when the volume is made.
sized() {
	v create --name one --storage-opt size=20G debian:12 sh -c 'df -P / | tail -n 1' >/dev/null
	[ "$(v start -a one | awk '{ print $2 }')" -gt $((15 << 20)) ]
	v rm one >/dev/null
	healthy
}

# Somebody has the store's lock all the time.
nobody_waits() {
	local before
	before=$(volumes)
	timeout 30 flock "$VENEER_ROOT/lock" "$VENEER" create --name one debian:12 true >/dev/null
	is "$before" "$(volumes)"
	v rm one >/dev/null
	is "$before" "$(volumes)" 'volumes after rm'
}

many() {
	local n pids=()
	for n in $(seq 20); do
		v create debian:12 true >/dev/null &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n"; done
	is 20 "$(v ps -aq | wc -l)"
	is 20 "$(v ps -a --format '{{.Names}}' | sort -u | wc -l)"
	# Uses of the same containers from all sides.
	pids=()
	for n in $(v ps -a --format '{{.Names}}' | head -n 4); do
		v diff "$n" &
		pids+=($!)
		v cp "$WORK/file" "$n:/srv/file" &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n"; done
	clear_
	healthy
}

one_name() {
	local n pids=() made=0
	for n in 1 2 3 4 5; do
		v create --name one debian:12 true >/dev/null 2>&1 &
		pids+=($!)
	done
	for n in "${pids[@]}"; do ! wait "$n" || made=$((made + 1)); done
	is 1 $made
	fails 1 v create --name one debian:12 true
	contains 'Conflict. The container name "/one" is already in use by container' "$stderr"
	clear_
}

# The image goes, what the container is to be made from stays.
without_image() {
	v create --name one debian:12 sh -c 'basename /srv/app/d*' >/dev/null
	v rmi -f debian:12 >/dev/null
	is data "$(v start -a one)"
	v create --name two debian:12 true 2>/dev/null && return 1
	v rm one >/dev/null
	v load -q -i "$IMAGES/oci.tar" >/dev/null
	healthy
}

inactive_pool() {
	v pool deactivate
	v create --name one debian:12 true >/dev/null
	v pool deactivate
	v start -a one
	clear_
	healthy
}

lost_origin() {
	local init
	v create --name one debian:12 true >/dev/null
	init=$(v pool ls --format '{{.Kind}} {{.ID}}' | awk '$1 == "init" { print $2 }')
	dmsetup message "$(dmsetup ls | awk '/^veneer-.*-pool/ { print $1 }')" 0 "delete $init"
	fails 1 v check
	v check --repair >/dev/null
	is '' "$(v ps -aq)"
	healthy
	v create --name one debian:12 true >/dev/null
	v start -a one
	clear_
	healthy
}

fresh_store 2G
v load -q -i "$IMAGES/oci.tar" >/dev/null
echo in >"$WORK/file"
case_run 'a container has no volume before it is started' made_later
case_run 'copying into one makes its volume' used copied_into
case_run 'copying from one' used copied_from
case_run 'comparing one' used compared
case_run 'exporting one' used exported
case_run 'committing one' used committed
case_run 'a file system with a size of its own' sized
case_run 'nobody who makes one waits for the lock of the pool' nobody_waits
case_run 'many at once' many
case_run 'one name for many' one_name
case_run 'its image is removed before it is started' without_image
case_run 'the pool is not active' inactive_pool
case_run 'what it is to be made from is gone' lost_origin

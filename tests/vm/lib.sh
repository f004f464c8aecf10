# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib.sh - what every test script in the kernel has at hand
#
# A script sources this file, then runs cases:
#
#	case_ "a name as a sentence" function [ARGUMENT...]
#
# A case is a function that returns 0 when all is well. It runs in a subshell
# with `set -e`, so the first command that fails ends it; `check` inside says
# what was expected. Each case prints one line, "ok NAME" or "not ok NAME",
# which the runner counts; after "not ok" stands what the case printed.
#
# Given by the runner: VENEER (the program), VENEER_CRASH (built with crash
# points), IMAGES (archives), WORK (an empty folder on the guest's own disk).
set -uo pipefail

export VENEER_ROOT=$WORK/root
# e2fsck looks at each layer that is written as blocks.
export VENEER_FSCK_LAYERS=1
# The registry is unpacked by `make deps`, not installed.
PATH=$PATH:$(dirname "$IMAGES")/peers/usr/bin

# check DESCRIPTION COMMAND... - like the command, but a failure says what was wanted
check() {
	local what=$1
	shift
	"$@" || { printf 'expected: %s\n  command: %s\n' "$what" "$*"; return 1; }
}

# is EXPECTED ACTUAL [WHAT]
is() {
	[ "$1" = "$2" ] || { printf 'expected %s: %q\n     got: %q\n' "${3:-}" "$1" "$2"; return 1; }
}

# contains NEEDLE TEXT
contains() {
	case $2 in *"$1"*) return 0 ;; esac
	printf 'expected to find: %s\nin: %s\n' "$1" "$2"
	return 1
}

# fails STATUS COMMAND... - it must end with this status; its stderr is in $stderr
fails() {
	local want=$1 got=0
	shift
	stderr=$("$@" 2>&1 >/dev/null) || got=$?
	[ "$got" = "$want" ] && return 0
	printf 'expected exit status %s, got %s from: %s\n%s\n' "$want" "$got" "$*" "$stderr"
	return 1
}

# layer_field FIELD - of all layers, base first, with sizes in bytes
layer_field() {
	"$VENEER" layers --human=false --format "{{.$1}}"
}

# Bytes of data that the pool has in use.
pool_used() {
	"$VENEER" pool status --format json | jq -r .DataUsed
}

none_mounted() {
	local mounts
	mapfile -t mounts </proc/mounts
	[[ ${mounts[*]} = *"/dev/dm-"* || ${mounts[*]} = *"/dev/mapper/veneer"* ]] || return 0
	printf 'left mounted: %s\n' "${mounts[@]}"
	return 1
}

# After any command nothing may be left in the kernel but the pool's own devices. Without a process:
# it is asked hundreds of times, and starting one is what costs here.
no_leftovers() {
	local file name devices='' left had=-u
	for file in /sys/block/dm-*/dm/name; do
		[ -e "$file" ] && read -r name <"$file" || continue
		[[ $name != veneer-* || $name =~ -(pool|data|meta)$ ]] || devices+=" $name"
	done
	is '' "$devices" 'active volumes' || return 1
	none_mounted || return 1
	! shopt -q nullglob || had=-s
	shopt -s nullglob
	left=("$VENEER_ROOT"/{sessions,tmp}/*)
	shopt $had nullglob
	is '' "${left[*]}" 'sessions and temporary files left'
}

# The store is whole: check agrees, nothing is left over.
healthy() {
	"$VENEER" check
	no_leftovers
}

# The pool's blocks in use, without opening the store: "start length thin-pool transaction
# metadata data ...".
blocks_used() {
	local data
	read -r _ _ _ _ _ data _ < <(dmsetup status "$pool")
	printf '%s' "$data"
}

remember() {
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	blocks_before=$(blocks_used)
	devices_before=$(echo /sys/block/dm-*)
}

# remember, then nothing_left: a command that fails leaves the pool, the store and the kernel as
# they were. It is asked some 150 times, and starting a process is what costs here.
nothing_left() {
	local blocks
	read -r _ _ _ _ _ blocks _ < <(dmsetup status "$pool")
	is "$blocks_before" "$blocks" 'pool blocks in use' || return 1
	shopt -s nullglob
	is '' "$(echo "$VENEER_ROOT"/{sessions,tmp,chains}/*)" 'files left' || return 1
	is "$devices_before" "$(echo /sys/block/dm-*)" 'devices' || return 1
	none_mounted
}

# refuse ERROR COMMAND... - it fails with one line that contains ERROR, and leaves nothing
refuse() {
	local want=$1 status=0 lines errors
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	mapfile -t lines <"$WORK/out"
	mapfile -t errors <"$WORK/err"
	is 1 "$status" 'exit status' || return 1
	is '' "${lines[*]}" 'standard output' || return 1
	is 1 "${#errors[@]}" "lines of errors (${errors[*]})" || return 1
	contains "$want" "${errors[0]}" || return 1
	nothing_left
}

fresh_store() {
	if [ -e "$VENEER_ROOT/pool.json" ]; then
		"$VENEER" pool destroy --force >/dev/null
	fi
	rm -rf "$VENEER_ROOT"
	"$VENEER" pool create --files "${1:-2G}" >/dev/null
}

case_() {
	local name=$1 output status
	shift
	output=$(set -e; "$@" 2>&1)
	status=$?
	if [ $status = 0 ]; then
		printf 'ok %s\n' "$name"
	else
		printf 'not ok %s\n' "$name"
		printf '%s\n' "$output" | sed 's/^/    /'
	fi
}

# Nothing of a script stays for the next one.
end_of_script() {
	[ ! -e "$VENEER_ROOT/pool.json" ] || "$VENEER" pool destroy --force >/dev/null
}
trap end_of_script EXIT

# start_registry - a registry of our own on the loopback, at $host; its requests are in $registry_log
start_registry() {
	ip link set lo up
	mkdir -p "$WORK/registry"
	export DOCKER_CONFIG=$WORK/docker
	# shellcheck disable=SC2034 # for the script
	host=localhost:5000
	registry_log=$WORK/registry.log
	cat >"$WORK/registry.yml" <<-END
		version: 0.1
		storage: { filesystem: { rootdirectory: $WORK/registry }, delete: { enabled: true } }
		http: { addr: 127.0.0.1:5000 }
	END
	docker-registry serve "$WORK/registry.yml" >"$registry_log" 2>&1 &
	registry=$!
	trap 'kill $registry' EXIT
	for _ in $(seq 100); do
		(: </dev/tcp/127.0.0.1/5000) 2>/dev/null && return
		sleep 0.1
	done
	cat "$registry_log"
	exit 1
}

# copy_image FROM TO - by another program's hand
copy_image() {
	skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false "$@"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# Containers: every command killed at every crash point, monitors and attached commands killed
# while a container runs. The next command finds the old state or the new one, and nothing is left.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

shopt -s extglob nullglob

v() { "$VENEER" "$@"; }
count() { echo $#; }

# What a user sees; what the kernel has beyond it is for tidy().
look() {
	state=$(v ps -a --format '{{.Names}} {{.State}}')
	running=$(grep -c ' running$' <<<"$state" || true)
	state+=$(echo "$VENEER_ROOT"/volumes/*)
}

# Only what look() saw running may have devices, control groups, monitors and state of the runtime.
tidy() {
	local devices
	devices=$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -cvE -- '-(pool|data|meta)$' || true)
	is "$running" "$devices" 'active volumes' || return 1
	is "$running" "$(count /run/veneer/*/crun/*)" 'state of the runtime' || return 1
	is "$running" "$(count /sys/fs/cgroup/veneer/*/)" 'control groups' || return 1
	is "$running $running" "$(count /dev/veneer/containers/*) $(count /run/veneer/links/*)" 'links' || return 1
	is '' "$(grep -E '/dev/(mapper/veneer|dm-)' /proc/mounts || true)" 'mounts' || return 1
	is '' "$(echo "$VENEER_ROOT"/{sessions,tmp}/*)" 'sessions and temporary files'
}

# kill_everywhere PREPARE ALLOWED COMMAND... - ALLOWED is a pattern for the states between
kill_everywhere() {
	local prepare=$1 allowed=$2 n got where old
	shift 2
	$prepare
	look
	old=$state
	passages "$@" >"$WORK/passages"
	[ -s "$WORK/passages" ] || { echo 'no crash points'; return 1; }
	while read -r n; do
		$prepare
		look
		is "$old" "$state" 'prepared state' || return 1
		got=0
		where=$(VENEER_CRASH_AT="*:$n" "$VENEER_CRASH" "$@" 2>&1 >/dev/null </dev/null) || got=$?
		where="point $n, ${where##*crash point }"
		is 137 $got "exit status at $where" || return 1
		"$VENEER" check >"$WORK/check" 2>&1 || { echo "after $where:"; cat "$WORK/check"; return 1; }
		settle
		look
		tidy || { echo "after $where"; return 1; }
		# shellcheck disable=SC2254 # a pattern
		case $state in
		"$old" | $allowed) ;;
		*) printf 'after %s: %q, was %q\n' "$where" "$state" "$old"; return 1 ;;
		esac
	done <"$WORK/passages"
	$prepare
	"$VENEER" "$@" >/dev/null </dev/null
	settle
	"$VENEER" check
	look
	tidy
}

# A detached command ends by itself; its monitor then calls us.
settle() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		pgrep -x conmon >/dev/null || break
		[ "$(v ps -q | wc -l)" != 0 ] || break
		sleep 0.1
	done
	return 0
}

# What it could not do, the next one to take the name tells.
clear_() { v rm -f -v one >/dev/null 2>&1 || true; }
no_image() {
	clear_
	v rmi -f base:latest parent:latest trigger:latest >/dev/null 2>&1 || true # they share its layer
	v load -q -i "$IMAGES/dockerfiles.tar" >/dev/null
}
created() {
	clear_
	v create --name one base:latest sleep 100 >/dev/null
}
running() {
	clear_
	v run -d --name one base:latest sleep 100 >/dev/null
}
stopped() {
	clear_
	v run --name one base:latest true
}
# A folder that no container has any more.
left_over() {
	clear_
	v volume rm -f keep >/dev/null
	v run --rm -v keep:/x base:latest true
}

monitor_dies() {
	running
	pkill -9 -x conmon
	sleep 0.5
	is 'one running' "$(v ps -a --format '{{.Names}} {{.State}}')" 'it runs on'
	v exec one true
	v stop -t 0 one
	is 'one exited' "$(v ps -a --format '{{.Names}} {{.State}}')"
	is 255 "$(v inspect -f '{{.State.ExitCode}}' one)" 'nobody saw how it ended'
	clear_
	look
	tidy
	healthy
}

# The command that a container is attached to dies: the container goes on, and can be stopped.
attached_dies() {
	local pid
	clear_
	"$VENEER" run --name one base:latest sleep 100 >/dev/null 2>&1 &
	pid=$!
	for _ in $(seq 100); do [ -z "$(v ps -q)" ] || break; sleep 0.1; done
	kill -9 $pid
	is 'one running' "$(v ps -a --format '{{.Names}} {{.State}}')"
	v stop -t 0 one
	clear_
	look
	tidy
	healthy
}

process_dies() {
	running
	kill -9 "$(v inspect -f '{{.State.Pid}}' one)"
	settle
	is 137 "$(v wait one)"
	is 'one exited' "$(v ps -a --format '{{.Names}} {{.State}}')"
	clear_
	look
	tidy
	healthy
}

# All at once, as a power cut would, but that the kernel stays.
everything_dies() {
	running
	pkill -9 -x conmon
	kill -9 "$(cat "$VENEER_ROOT"/containers/*/pid)"
	sleep 0.5
	is 'one exited' "$(v ps -a --format '{{.Names}} {{.State}}')"
	v start one >/dev/null
	is 'one running' "$(v ps -a --format '{{.Names}} {{.State}}')"
	clear_
	look
	tidy
	healthy
}

random_kills() {
	local delay
	for _ in 1 2 3 4 5 6 7 8; do
		clear_
		delay=$(printf '0.%03d' $((RANDOM % 1000)))
		timeout -s KILL "$delay" "$VENEER" run -d --name one base:latest sleep 100 >/dev/null 2>&1 || true
		"$VENEER" check || { echo "killed after $delay s"; return 1; }
		look
		tidy || { echo "killed after $delay s"; return 1; }
	done
	clear_
	healthy
}

fresh_store 2G
v load -q -i "$IMAGES/dockerfiles.tar" >/dev/null
case_ 'create of an image'"'"'s first container, killed at every point' kill_everywhere no_image 'one created' create --name one base:latest true
case_ 'create of another, killed at every point' kill_everywhere clear_ 'one created' create --name one base:latest true
case_ 'start, killed at every point' kill_everywhere created 'one running' start one
case_ 'run -d, killed at every point' kill_everywhere clear_ 'one @(created|running|exited)' run -d --name one base:latest sleep 100
case_ 'run --rm, killed at every point' kill_everywhere clear_ 'one @(created|running|exited)' run --rm --name one base:latest true
case_ 'stop, killed at every point' kill_everywhere running 'one exited' stop -t 0 one
case_ 'rm -f, killed at every point' kill_everywhere running '?(one exited)' rm -f one
case_ 'rm, killed at every point' kill_everywhere stopped '' rm one
case_ 'container prune, killed at every point' kill_everywhere stopped '' container prune -f
case_ 'volume rm of a folder, killed at every point' kill_everywhere left_over '' volume rm keep
case_ 'the monitor is killed' monitor_dies
case_ 'the attached command is killed' attached_dies
case_ 'the process is killed' process_dies
case_ 'everything is killed' everything_dies
case_ 'run, killed at random moments' random_kills

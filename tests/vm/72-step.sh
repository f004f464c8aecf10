#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# One command in a working volume, as a build's RUN: nothing of it remains.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

tool=$(dirname "$VENEER")/step-check

# step DEADLINE_MS NETWORK USER CWD WORD... - its output in $out
step() { out=$("$tool" "$VENEER_ROOT" debian:12 "$@" 2>&1); }

# The places that were made for it are gone, and the folders around are as they were.
untouched() {
	is "$(sed -n 's/^before //p' <<<"$out")" "$(sed -n 's/^after //p' <<<"$out")" 'places'
	is '' "$(ls -d /sys/fs/cgroup/veneer/*/ 2>/dev/null)" 'control groups'
	is '' "$(ls -d /run/veneer/*/session-* 2>/dev/null)" 'folders of sessions'
	healthy
}

output_and_status() {
	step 0 host '' / sh -c 'echo one; echo two >&2; printf three; exit 9'
	contains 'out one' "$out"
	contains 'err two' "$out"
	contains 'out three' "$out"
	contains 'status 9' "$out"
	untouched
}

surroundings() {
	step 0 none 1000 /tmp sh -c 'id -u; pwd; echo $HOME; hostname; ls /sys/class/net; touch /cache/here/x; test -s /etc/hosts && echo hosts; mount | grep -c " / "'
	contains 'out 1000' "$out"
	contains 'out /tmp' "$out"
	contains 'out buildkitsandbox' "$out"
	contains 'out lo' "$out"
	contains 'out hosts' "$out"
	untouched
}

cannot_run() {
	step 0 host '' / no-such-program && return 1
	contains 'error OCI runtime create failed' "$out"
	contains 'not found' "$out"
	untouched
	step 0 host nobody-here / true && return 1
	contains 'unable to find user nobody-here' "$out"
	untouched
}

leaves_processes() {
	step 0 host '' / sh -c 'sleep 1000 & setsid sleep 1001 & echo gone'
	contains 'status 0' "$out"
	is '' "$(pgrep -x sleep || true)" 'processes'
	untouched
}

too_long() {
	step 1500 host '' / sleep 1000 && return 1
	contains 'did not end within 1 s' "$out"
	is '' "$(pgrep -x sleep || true)" 'processes'
	untouched
}

interrupted() {
	local pid
	"$tool" "$VENEER_ROOT" debian:12 0 host '' / sh -c 'echo ready; sleep 1000' >"$WORK/out" 2>&1 &
	pid=$!
	for _ in $(seq 100); do ! grep -q ready "$WORK/out" || break; sleep 0.1; done
	kill -INT $pid
	wait $pid && return 1
	out=$(cat "$WORK/out")
	is '' "$(pgrep -x sleep || true)" 'processes'
	untouched
}

killed() {
	local pid
	"$tool" "$VENEER_ROOT" debian:12 0 host '' / sh -c 'echo ready; sleep 1000' >"$WORK/out" 2>&1 &
	pid=$!
	for _ in $(seq 100); do ! grep -q ready "$WORK/out" || break; sleep 0.1; done
	kill -9 $pid
	"$VENEER" check
	out=
	is '' "$(pgrep -x sleep || true)" 'processes'
	untouched
}

fresh_store 2G
"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
case_ 'output by lines, and the status' output_and_status
case_ 'user, folder, network, mounts' surroundings
case_ 'what cannot be run' cannot_run
case_ 'processes that are left behind end' leaves_processes
case_ 'a deadline' too_long
case_ 'an interrupt stops it' interrupted
case_ 'killed with its builder, the next command cleans up' killed

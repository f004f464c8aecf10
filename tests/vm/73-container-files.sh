#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 600
# The files of containers, looked at and carried in and out: diff, export, cp.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

# A failed case must not spoil the next one.
case_run() {
	local left
	case_ "$@"
	left=$(v ps -aq)
	# shellcheck disable=SC2086 # one word for each
	[ -z "$left" ] || v rm -f $left >/dev/null
}

nothing_runs() {
	is '' "$(v ps -aq)" 'containers left' || return 1
	is '' "$(ls "$VENEER_ROOT/containers")" 'folders left' || return 1
	is '' "$(ls -d /sys/fs/cgroup/veneer/*/ 2>/dev/null)" 'control groups left' || return 1
	healthy
}

# Only the volumes of containers that run are active.
only_running() {
	is "$1" "$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -cvE -- '-(pool|data|meta)$')" 'active volumes'
}

change_script='mkdir -p /new/deep; echo x >/new/deep/file; echo more >>/etc/issue; rm /etc/motd
	rm -r /etc/apt/apt.conf.d; ln -s x /new/link; chmod 700 /srv; echo y >/tmp/own; echo z >/dev/shm/gone'
change_list='A /new
A /new/deep
A /new/deep/file
A /new/link
A /tmp/own
C /etc
C /etc/apt
C /etc/issue
C /srv
C /tmp
D /etc/apt/apt.conf.d
D /etc/motd'

diff_stopped() {
	local out
	v run --name one debian:12 sh -c "$change_script"
	out=$(v diff one)
	is "$change_list" "$(LC_ALL=C sort <<<"$out")"
	is $'C /etc\nC /etc/apt\nD /etc/apt/apt.conf.d\nC /etc/issue\nD /etc/motd' "$(grep ' /etc' <<<"$out")" 'order'
	is "$out" "$(v container diff one)"
	v create --name fresh debian:12 true >/dev/null
	is '' "$(v diff fresh)" 'a new one has no changes'
	v run --name quiet debian:12 true
	is '' "$(v diff quiet)" 'stubs do not show'
	fails 1 "$VENEER" diff nobody
	contains 'No such container: nobody' "$stderr"
	fails 1 "$VENEER" diff
	contains "'veneer diff' requires 1 argument" "$stderr"
	v rm one fresh quiet >/dev/null
	nothing_runs
}

diff_running() {
	v run -d --name one debian:12 sh -c "$change_script; touch /ready; exec sleep 1000" >/dev/null
	for _ in $(seq 100); do ! v exec one test -e /ready || break; sleep 0.1; done
	is "$change_list" "$(v diff one | grep -v /ready | LC_ALL=C sort)"
	only_running 1
	v exec one sh -c 'rm -r /new; echo again >/again'
	contains 'A /again' "$(v diff one)"
	is '' "$(v diff one | grep new || true)"
	is running "$(v inspect -f '{{.State.Status}}' one)"
	v rm -f one >/dev/null
	nothing_runs
}

diff_own_size() {
	v run --name big --storage-opt size=20G debian:12 sh -c 'echo x >/x'
	is 'A /x' "$(v diff big)"
	v rm big >/dev/null
	nothing_runs
}

# What a tar holds, without its end: one name on each line.
names() { tar -tf "$1" | LC_ALL=C sort; }

exported() {
	v run --name one -v kept:/data debian:12 sh -c "$change_script; echo vol >/data/in-volume"
	v export one >"$WORK/one.tar"
	contains 'new/deep/file' "$(names "$WORK/one.tar")"
	contains '.dockerenv' "$(names "$WORK/one.tar")"
	is '' "$(names "$WORK/one.tar" | grep -E '^/|^\./|in-volume|^lost.found|etc/motd' || true)"
	is x "$(tar -xOf "$WORK/one.tar" new/deep/file)"
	is 'drwx------ 0/0' "$(tar --numeric-owner -tvf "$WORK/one.tar" | awk '$6 == "srv/" { print $1, $2 }')"
	v export -o "$WORK/two.tar" one
	cmp "$WORK/one.tar" "$WORK/two.tar"
	is 600 "$(stat -c %a "$WORK/two.tar")"
	v import - again <"$WORK/one.tar" >/dev/null
	is x "$(v run --rm again cat /new/deep/file)"
	v rmi again >/dev/null
	fails 1 "$VENEER" export -o "$WORK/no/such/file" one
	contains "failed to export container: invalid output path: directory \"$WORK/no/such\" does not exist" "$stderr"
	fails 1 "$VENEER" export -o /dev/full one
	contains 'got a device' "$stderr"
	fails 1 sh -c '"$0" export one >/dev/full' "$VENEER"
	contains 'No space left on device' "$stderr"
	contains 'cowardly refusing to save to a terminal. Use the -o flag or redirect' \
		"$(script -qec "$VENEER export one" /dev/null </dev/null)"
	fails 1 "$VENEER" export -o "$WORK/none.tar" nobody
	is '' "$(ls -A "$WORK" | grep -E 'none.tar|^\.tmp' || true)" 'files left'
	v rm -v one >/dev/null
	nothing_runs
}

exported_running() {
	v run -d --name one --tmpfs /scratch debian:12 sh -c 'echo x >/x; echo y >/scratch/y; touch /ready; exec sleep 1000' >/dev/null
	for _ in $(seq 100); do ! v exec one test -e /ready || break; sleep 0.1; done
	v export -o "$WORK/three.tar" one
	is x "$(tar -xOf "$WORK/three.tar" x)"
	is '' "$(names "$WORK/three.tar" | grep -E 'scratch/y|^proc/.' || true)"
	v rm -f one >/dev/null
	nothing_runs
}

fresh_store 4G
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_run 'diff of a container that has ended' diff_stopped
case_run 'diff of a container that runs' diff_running
case_run 'diff of a container of its own size' diff_own_size
case_run 'export of a container that has ended' exported
case_run 'export of a container that runs' exported_running

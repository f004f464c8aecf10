#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# commit: images of containers, what they hold, and kills on the way there.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

# A failed case must not spoil the next one.
case_run() {
	local left
	case_ "$@"
	for left in base top; do
		! mountpoint -q "$WORK/$left" || v unmount "$WORK/$left"
	done
	left=$(v ps -aq)
	# shellcheck disable=SC2086 # one word for each
	[ -z "$left" ] || v rm -f $left >/dev/null
	v images --format '{{.Repository}}:{{.Tag}} {{.ID}}' | while read -r name id; do
		case $name in
		debian:12) ;;
		'<none>:<none>') v rmi -f "$id" >/dev/null ;;
		*) v rmi -f "$name" >/dev/null ;;
		esac
	done
}

nothing_runs() {
	is '' "$(v ps -aq)" 'containers left' || return 1
	is '' "$(compgen -G '/sys/fs/cgroup/veneer/*/')" 'control groups left' || return 1
	healthy
}

config_of() { cat "$VENEER_ROOT/blobs/sha256/${1#sha256:}"; }
# The DiffID of the newest layer.
layer_of() { config_of "$1" | jq -r '.rootfs.diff_ids[-1]'; }

committed() {
	local id parent out
	parent=$(v images -q --no-trunc debian:12)
	v run --name one -e A=1 -l own=x -w /work debian:12 sh -c 'mkdir /new; echo x >/new/file; rm /etc/motd; echo more >>/etc/issue'
	id=$(v commit -a 'Me <me@x>' -m 'a message' -c 'CMD ["cat","/new/file"]' -c 'ENV B=2 C=$A' -c 'EXPOSE 80' \
		-c 'LABEL l=m' one app:1)
	check 'a full id' grep -qxE 'sha256:[0-9a-f]{64}' <<<"$id"
	is "$id" "$(v images -q --no-trunc app:1)"
	is "$parent" "$(v inspect -f '{{.Parent}}' app:1)"
	is x "$(v run --rm app:1)"
	is gone "$(v run --rm app:1 sh -c 'test -e /etc/motd || echo gone')"
	out=$(config_of "$id")
	is '["cat","/new/file"]' "$(jq -c .config.Cmd <<<"$out")"
	is $'A=1\nB=2\nC=1' "$(jq -r '.config.Env[]' <<<"$out" | grep '^[ABC]=')"
	contains '"PATH=/usr' "$(jq -c .config.Env <<<"$out")"
	is '{"80/tcp":{}}' "$(jq -c .config.ExposedPorts <<<"$out")"
	is '{"l":"m","own":"x"}' "$(jq -c '.config.Labels | del(."org.example.team")' <<<"$out")"
	is /work "$(jq -r .config.WorkingDir <<<"$out")"
	is null "$(jq -c .config.Hostname <<<"$out")"
	is 'Me <me@x> a message' "$(jq -r '.author + " " + .comment' <<<"$out")"
	is 'sh -c mkdir /new; echo x >/new/file; rm /etc/motd; echo more >>/etc/issue a message Me <me@x> null' \
		"$(jq -r '.history[-1] | "\(.created_by) \(.comment) \(.author) \(.empty_layer)"' <<<"$out")"
	is "$(config_of "$parent" | jq '.history | length + 1')" "$(jq '.history | length' <<<"$out")"
	contains 'a message' "$(v history app:1 | sed -n 2p)"
	is "$(config_of "$parent" | jq -c .rootfs.diff_ids)" "$(jq -c '.rootfs.diff_ids[:-1]' <<<"$out")"
	fails 1 "$VENEER" rmi "$parent"
	contains 'image has dependent child images' "$stderr"
	v rm one >/dev/null
	v rmi app:1 >/dev/null
	nothing_runs
}

# Stubs are the image's again: nothing of /etc, /dev or / shows.
only_the_change() {
	local id top names
	v run --name one debian:12 sh -c 'echo x >/opt/file'
	id=$(v commit one)
	top=$(layer_of "$id")
	is $'A /opt/file\nC /opt' "$(v diff one | LC_ALL=C sort)"
	mkdir -p "$WORK/base" "$WORK/top"
	v mount debian:12 "$WORK/base"
	v mount "$id" "$WORK/top"
	for names in etc/hosts etc/hostname etc/resolv.conf etc/mtab .dockerenv dev/console dev/pts dev/shm proc sys; do
		is "$(stat -c '%F %a %u %s %y' "$WORK/base/$names" 2>/dev/null)" "$(stat -c '%F %a %u %s %y' "$WORK/top/$names" 2>/dev/null)" "$names"
	done
	for names in . etc dev; do
		is "$(stat -c '%a %y' "$WORK/base/$names")" "$(stat -c '%a %y' "$WORK/top/$names")" "$names"
	done
	# The digest is that of the tar.
	emitted "$id" "$WORK/emitted.tar"
	is "$top" "sha256:$(sha256sum <"$WORK/emitted.tar" | cut -d' ' -f1)" 'DiffID'
	is $'opt/\nopt/file' "$(tar -tf "$WORK/emitted.tar")"
	v unmount "$WORK/base"
	v unmount "$WORK/top"
	v rm one >/dev/null
	v rmi "$id" >/dev/null
	nothing_runs
}

# emitted IMAGE FILE - the newest layer's tar, written down from its volume in ustar by another hand
emitted() {
	python3 - "$WORK/top" "$2" <<-'END'
		import os, struct, sys
		root, out = sys.argv[1:]
		def header(name, st, kind, size):
		    h = bytearray(512)
		    def put(at, text): h[at:at + len(text)] = text
		    put(0, name.encode())
		    put(100, b'%07o\0' % (st.st_mode & 0o7777))
		    put(108, b'%07o\0' % st.st_uid)
		    put(116, b'%07o\0' % st.st_gid)
		    put(124, b'%011o\0' % size)
		    put(136, b'%011o\0' % int(st.st_mtime))
		    put(156, kind)
		    put(257, b'ustar\x0000')
		    put(329, b'0000000\0')
		    put(337, b'0000000\0')
		    put(148, b' ' * 8)
		    put(148, b'%06o\0 ' % sum(h))
		    return bytes(h)
		with open(out, 'wb') as f:
		    f.write(header('opt/', os.stat(root + '/opt'), b'5', 0))
		    st = os.stat(root + '/opt/file')
		    data = open(root + '/opt/file', 'rb').read()
		    f.write(header('opt/file', st, b'0', st.st_size))
		    f.write(data + b'\0' * (-len(data) % 512) + b'\0' * 1024)
	END
}

unchanged() {
	local id layers
	layers=$(v layers --format '{{.ChainID}}' | wc -l)
	v run --name one debian:12 true
	id=$(v commit one same:1)
	is true "$(config_of "$id" | jq '.history[-1].empty_layer')"
	is "$(v inspect -f '{{json .RootFS.Layers}}' debian:12)" "$(v inspect -f '{{json .RootFS.Layers}}' same:1)"
	is "$layers" "$(v layers --format '{{.ChainID}}' | wc -l)"
	v create --name fresh debian:12 sh >/dev/null
	v commit fresh same:2 >/dev/null
	is "$(v inspect -f '{{json .RootFS.Layers}}' debian:12)" "$(v inspect -f '{{json .RootFS.Layers}}' same:2)"
	v rm one fresh >/dev/null
	v rmi same:1 same:2 >/dev/null
	nothing_runs
}

same_again() {
	local first second layers
	v run --name one debian:12 sh -c 'echo x >/opt/file; ln /opt/file /opt/second'
	first=$(v commit one again:1)
	layers=$(v layers --format '{{.ChainID}}' | wc -l)
	second=$(v commit one again:2)
	[ "$first" != "$second" ]
	is "$(layer_of "$first")" "$(layer_of "$second")" 'layer of the same content'
	is "$layers" "$(v layers --format '{{.ChainID}}' | wc -l)"
	v rm one >/dev/null
	# On top of what was committed.
	v run --name two again:1 sh -c 'echo y >>/opt/file'
	v commit two again:3 >/dev/null
	is $'x\ny' "$(v run --rm again:3 cat /opt/second)"
	is "$first" "$(v inspect -f '{{.Parent}}' again:3)"
	v rm two >/dev/null
	v rmi again:3 again:2 again:1 >/dev/null
	nothing_runs
}

running() {
	local id
	v run -d --name one debian:12 sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/n1; mv /n1 /one; echo $i >/n2; mv /n2 /two; done' >/dev/null
	sleep 1
	id=$(v commit one busy)
	is running "$(v inspect -f '{{.State.Status}}' one)"
	is 0 "$(cat /sys/fs/cgroup/veneer/*/cgroup.freeze)"
	v run --rm busy sh -c 'test $(($(cat /one) - $(cat /two))) -le 1'
	contains 'A /one' "$(v diff one)"
	v commit --no-pause one busy:2 >/dev/null
	contains 'Flag --pause has been deprecated' "$(v commit -p=false one busy:3 2>&1 >/dev/null)"
	before=$(v exec one cat /one)
	sleep 0.5
	[ "$(v exec one cat /one)" -gt "$before" ]
	v rm -f one >/dev/null
	v rmi busy busy:2 busy:3 >/dev/null
	nothing_runs
}

own_size() {
	v run --name big --storage-opt size=20G debian:12 sh -c 'echo x >/x; rm /etc/motd'
	v commit big big:1 >/dev/null
	is x "$(v run --rm big:1 sh -c 'test ! -e /etc/motd && cat /x')"
	v create --name fresh --storage-opt size=20G debian:12 true >/dev/null
	is true "$(config_of "$(v commit fresh)" | jq '.history[-1].empty_layer')"
	v rm big fresh >/dev/null
	v rmi big:1 >/dev/null
	v image prune -f >/dev/null
	nothing_runs
}

refused() {
	v create --name one debian:12 true >/dev/null
	remember
	refuse 'No such container: nobody' "$VENEER" commit nobody x
	refuse 'invalid reference format' "$VENEER" commit one 'A b'
	refuse 'refusing to create a tag with a digest reference' "$VENEER" commit one \
		"x@sha256:$(printf '0%.0s' {1..64})"
	refuse 'run is not a valid change command' "$VENEER" commit -c 'RUN x' one x
	v rmi -f debian:12 >/dev/null
	remember
	refuse 'No such image: sha256:' "$VENEER" commit one x
	v rm one >/dev/null
	v load -q -i "$IMAGES/oci.tar" >/dev/null
	nothing_runs
}

# The passages of crash points, each name's first and last.
passages() {
	VENEER_CRASH_AT='?' "$VENEER_CRASH" "$@" 2>&1 >/dev/null </dev/null |
		awk '$1 == "crash" { nr++; if (!($3 in first)) first[$3] = nr; last[$3] = nr }
			END { for (n in last) { print first[n]; print last[n] } }' | sort -n -u
}

# kill_commit RUN... - a container made by `run RUN...` is committed and killed everywhere
kill_commit() {
	local n got where state before
	v run --name one "$@" >/dev/null
	[ "$1" != -d ] || for _ in $(seq 100); do ! v exec one test -e /ready || break; sleep 0.1; done
	passages commit one app:1 >"$WORK/passages"
	[ -s "$WORK/passages" ] || { echo 'no crash points'; return 1; }
	v rmi app:1 >/dev/null
	v image prune -f >/dev/null
	before=$(pool_used)
	while read -r n; do
		got=0
		where=$(VENEER_CRASH_AT="*:$n" "$VENEER_CRASH" commit one app:1 2>&1 >/dev/null </dev/null) || got=$?
		where="point $n, ${where##*crash point }"
		is 137 $got "exit status at $where" || return 1
		v check >"$WORK/check" 2>&1 || { echo "after $where:"; cat "$WORK/check"; return 1; }
		is '' "$(compgen -G "$VENEER_ROOT/sessions/*"; compgen -G "$VENEER_ROOT/tmp/*")" "left at $where" || return 1
		is "$(v ps -q | wc -l)" "$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -cvE -- '-(pool|data|meta)$')" "active volumes after $where" || return 1
		state=$(v images --format '{{.Repository}}:{{.Tag}}' app)
		case $state in
		'') is 0 "$(v pool status --format '{{.Work}}')" "working volumes after $where" || return 1 ;;
		app:1) v rmi app:1 >/dev/null ;;
		*) printf 'after %s: %q\n' "$where" "$state"; return 1 ;;
		esac
		v image prune -f >/dev/null
		[ "$1" = -d ] || is "$before" "$(pool_used)" "pool bytes after $where" || return 1
		[ "$1" != -d ] || v exec one true || { echo "it does not run after $where"; return 1; }
	done <"$WORK/passages"
	v commit one app:1 >/dev/null
	is x "$(v run --rm app:1 cat /opt/file)"
	v rm -f one >/dev/null
	v rmi app:1 >/dev/null
	nothing_runs
}

fresh_store 4G
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_run 'commit: files, settings, history, parent' committed
case_run 'a layer holds the change and nothing of the runtime' only_the_change
case_run 'nothing changed: no layer' unchanged
case_run 'the same content is the same layer' same_again
case_run 'commit of a container that runs' running
case_run 'commit of a container of its own size' own_size
case_run 'what cannot be committed leaves nothing' refused
case_run 'commit, killed at every point' kill_commit debian:12 sh -c 'echo x >/opt/file'
case_run 'commit of a running container, killed at every point' kill_commit -d debian:12 sh -c 'echo x >/opt/file; touch /ready; exec sleep 1000'

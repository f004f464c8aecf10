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
	is '' "$(compgen -G '/sys/fs/cgroup/veneer/*/')" 'control groups left' || return 1
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
	is '' "$(compgen -G "$WORK/none.tar"; compgen -G "$WORK/.tmp*")" 'files left'
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

# A folder to copy: a file, a folder in it, a link, two names of one file, what layers cannot name.
make_source() {
	rm -rf "$WORK/src" "$WORK/dst"
	mkdir -p "$WORK/src/sub" "$WORK/dst"
	echo one >"$WORK/src/one"
	echo two >"$WORK/src/sub/two"
	ln "$WORK/src/one" "$WORK/src/same"
	ln -s one "$WORK/src/link"
	echo hidden >"$WORK/src/.wh.name"
	chmod 640 "$WORK/src/one"
	chown 1234:4321 "$WORK/src/one"
}

# Both directions on the container "one", whether it runs or not.
copy_cases() {
	local c=$1
	make_source
	# Into: a folder that is there, one that is not, its content, a file under another name.
	v cp "$WORK/src" "$c:/srv"
	v cp "$WORK/src/" "$c:/srv/made"
	v cp "$WORK/src/." "$c:/mnt"
	v cp "$WORK/src/one" "$c:/srv/renamed"
	v cp "$WORK/src/sub/two" "$c:/srv/renamed"
	v cp "$WORK/src/one" "$c:srv"
	# Back.
	v cp "$c:/srv/." "$WORK/dst"
	is one "$(cat "$WORK/dst/src/one")"
	is two "$(cat "$WORK/dst/src/sub/two")"
	is hidden "$(cat "$WORK/dst/src/.wh.name")"
	is one "$(readlink "$WORK/dst/src/link")"
	is "$(stat -c %i "$WORK/dst/src/one")" "$(stat -c %i "$WORK/dst/src/same")" 'two names of one file'
	is two "$(cat "$WORK/dst/made/sub/two")"
	is two "$(cat "$WORK/dst/renamed")"
	is '640 0 0' "$(stat -c '%a %u %g' "$WORK/dst/one")" 'owner without -a'
	v cp -a "$c:/mnt/one" "$WORK/dst/owned"
	is '640 1234 4321' "$(stat -c '%a %u %g' "$WORK/dst/owned")" 'owner with -a'
	v cp "$c:/mnt" "$WORK/dst/mnt"
	is one "$(cat "$WORK/dst/mnt/same")"
	v cp "$c:/mnt" "$WORK/dst/mnt"
	is one "$(cat "$WORK/dst/mnt/mnt/same")" 'into a folder that is there'
	# Links.
	v cp "$c:/mnt/link" "$WORK/dst/as-link"
	is one "$(readlink "$WORK/dst/as-link")"
	v cp -L "$c:/mnt/link" "$WORK/dst/followed"
	is one "$(cat "$WORK/dst/followed")"
	v cp -L "$WORK/src/link" "$c:/srv/"
	is one "$(v cp "$c:/srv/link" - | tar -xO)"
	# Tars.
	is $'mnt/\nmnt/.wh.name\nmnt/link\nmnt/one\nmnt/same\nmnt/sub/\nmnt/sub/two' "$(v cp "$c:/mnt" - | tar -t | LC_ALL=C sort)"
	is $'./\n./.wh.name' "$(v cp "$c:/mnt/." - | tar -t | LC_ALL=C sort | head -n 2)"
	tar -C "$WORK/src" -czf - one | v cp - "$c:/opt"
	is one "$(v cp "$c:opt/one" - | tar -xO)"
	# Errors.
	fails 1 "$VENEER" cp "$c:/none" "$WORK/dst"
	contains "Could not find the file /none in container $c" "$stderr"
	fails 1 "$VENEER" cp "$WORK/none" "$c:/srv"
	contains "lstat $WORK/none: no such file or directory" "$stderr"
	fails 1 "$VENEER" cp "$WORK/src/one" "$c:/none/there"
	contains "Could not find the file /none in container $c" "$stderr"
	fails 1 "$VENEER" cp "$WORK/src/one" "$c:/srv/none/"
	contains 'no such directory' "$stderr"
	fails 1 "$VENEER" cp "$WORK/src" "$c:/srv/one"
	contains 'cannot copy directory' "$stderr"
	fails 1 "$VENEER" cp "$WORK/src/one" "$c:/srv/one/x"
	contains 'extraction point is not a directory' "$stderr"
	fails 1 "$VENEER" cp "$c:/srv/one" "$WORK/no/such/x"
	contains "invalid output path: directory \"$WORK/no/such\" does not exist" "$stderr"
	tar -C "$WORK/src" -cf "$WORK/in.tar" one
	fails 1 sh -c '"$0" cp - "$1:/srv/one" <"$2"' "$VENEER" "$c" "$WORK/in.tar"
	contains "destination \"$c:/srv/one\" must be a directory" "$stderr"
	mkdir -p "$WORK/src/clash/one"
	fails 1 "$VENEER" cp "$WORK/src/clash/." "$c:/srv"
	contains 'cannot overwrite non-directory "/srv/one" with directory "/srv' "$stderr"
	echo x >"$WORK/src/clash/src"
	rmdir "$WORK/src/clash/one"
	fails 1 "$VENEER" cp "$WORK/src/clash/src" "$c:/srv"
	contains 'cannot overwrite directory "/srv/src" with non-directory "/srv' "$stderr"
}

copied_stopped() {
	v create --name one debian:12 sh -c 'cat /srv/src/one; stat -c "%u %g" /srv/src/one' >/dev/null
	copy_cases one
	is created "$(v inspect -f '{{.State.Status}}' one)"
	only_running 0
	is $'one\n1234 4321' "$(v start -a one)"
	v cp "$WORK/src/sub/two" one:/srv/after
	is exited "$(v inspect -f '{{.State.Status}}' one)"
	is 0 "$(v inspect -f '{{.State.ExitCode}}' one)"
	v create --name user -u 1000:7 debian:12 true >/dev/null
	v cp -a "$WORK/src/one" user:/srv
	is '1000 7' "$(v cp -a user:/srv/one - | tar --numeric-owner -tv | awk '{ print $2 }' | tr / ' ')"
	v rm one user >/dev/null
	nothing_runs
}

# What a container that does not run has of src, with all that `cp -a` knows.
tree_of() {
	rm -rf "$WORK/back"
	v cp -a "$1" "$WORK/back"
	(cd "$WORK/back" && find . -printf '%P %y %m %U %G %n %s %l %T@\n' | LC_ALL=C sort &&
		find . -type f -exec sha256sum {} + | LC_ALL=C sort &&
		getfattr -Rdm- --absolute-names . && getfacl -Rp .)
}

# Both writers say who they are, and make the same; also over what is there, and on a file system
# that grew, which a process has written to.
copied_by_both() {
	local by tree other=
	make_source
	touch "$WORK/src/sub/"{1..300}
	setfattr -n user.x -v y "$WORK/src/sub/1"
	setfacl -m u:12345:rwx "$WORK/src/sub/2"
	mkfifo "$WORK/src/fifo"
	truncate -s 10M "$WORK/src/sparse"
	for by in direct:'as blocks' mount:'through a mount' auto:'as blocks'; do
		v run --name one --storage-opt size=20G debian:12 sh -c '[ ! -e /etc/motd ] || { mkdir /srv/src; echo old >/srv/src/same; rm /etc/motd; }'
		VENEER_WRITER=${by%%:*} v --debug cp -a "$WORK/src" one:/srv 2>"$WORK/err"
		contains "files are written ${by#*:}" "$(cat "$WORK/err")"
		tree=$(tree_of one:/srv/src)
		is "${other:-$tree}" "$tree" "files by ${by%%:*}"
		other=$tree
		is $'A /srv/src/sub/1\nC /srv\nD /etc/motd' "$(v diff one | grep -E 'sub/1$|/srv$|motd' | LC_ALL=C sort)" "${by%%:*}"
		v start -a one
		v commit one again:1 >/dev/null
		is one "$(v run --rm again:1 cat /srv/src/link)"
		v rm one >/dev/null
		v rmi again:1 >/dev/null
		nothing_runs
	done
}

# A stream that ends in an error leaves a container that does not run as it was.
copied_all_or_nothing() {
	local before
	make_source
	v run --name one debian:12 true
	before=$(v diff one)
	head -c 100000 /dev/urandom >"$WORK/src/random"
	tar -C "$WORK/src" -cf "$WORK/whole.tar" one sub random
	head -c 50000 "$WORK/whole.tar" >"$WORK/part.tar"
	fails 1 sh -c '"$0" cp - one:/srv <"$1"' "$VENEER" "$WORK/part.tar"
	is "$before" "$(v diff one)" 'after a part of a tar'
	fails 1 sh -c 'head -c 100000 /dev/urandom | "$0" cp - one:/srv' "$VENEER"
	mkdir -p "$WORK/src/etc/issue"
	fails 1 "$VENEER" cp "$WORK/src/." one:/
	contains 'cannot overwrite non-directory "/etc/issue" with directory' "$stderr"
	is "$before" "$(v diff one)" 'after a folder for a file'
	no_leftovers
	v rm one >/dev/null
	nothing_runs
}

# What else is done to the container meanwhile.
copied_meanwhile() {
	local pid
	make_source
	mkfifo "$WORK/slow"
	v create --name one debian:12 true >/dev/null
	v cp - one:/srv <"$WORK/slow" 2>"$WORK/err" &
	pid=$!
	exec 5>"$WORK/slow"
	tar -C "$WORK/src" -cf - one | head -c 1024 >&5
	until [ -e "$(echo "$VENEER_ROOT"/containers/*/lock)" ]; do sleep 0.1; done
	is '' "$(v diff one)" 'not there yet'
	fails 1 "$VENEER" start one
	contains 'container one is in use by another command: try again' "$stderr"
	v rm one >/dev/null
	tar -C "$WORK/src" -cf - one | tail -c +1025 >&5
	exec 5>&-
	check 'no container to copy into' eval "! wait $pid"
	contains 'No such container' "$(cat "$WORK/err")"
	no_leftovers
	nothing_runs
}

# A start that was killed has left the volume active, and is undone first.
copied_after_killed_start() {
	local got=0
	make_source
	v create --name one debian:12 sleep 1000 >/dev/null
	VENEER_CRASH_AT=start-made "$VENEER_CRASH" start one >/dev/null 2>&1 || got=$?
	is 137 $got
	v cp "$WORK/src/one" one:/srv
	is created "$(v ps -a --format '{{.State}}')"
	only_running 0
	is one "$(v cp one:/srv/one - | tar -xO)"
	v rm one >/dev/null
	nothing_runs
}

copied_running() {
	v run -d --name one debian:12 sleep 1000 >/dev/null
	copy_cases one
	is one "$(v exec one cat /srv/src/one)"
	only_running 1
	v exec one true
	v rm -f one >/dev/null
	nothing_runs
}

# Volumes and binds are where the container has them; what is read-only stays.
copied_volumes() {
	mkdir -p "$WORK/bound"
	make_source
	v run -d --name one -v kept:/data -v "$WORK/bound:/bound" -v "$WORK/src:/fixed:ro" debian:12 sleep 1000 >/dev/null
	v cp "$WORK/src/one" one:/data/in
	v cp "$WORK/src/one" one:/bound/
	is one "$(v exec one cat /data/in)"
	is one "$(cat "$WORK/bound/one")"
	is one "$(v cp one:/data/in - | tar -xO)"
	fails 1 "$VENEER" cp "$WORK/src/one" one:/fixed/x
	contains 'mounted volume is marked read-only' "$stderr"
	v stop -t 0 one >/dev/null
	v cp "$WORK/src/sub/two" one:/data/in
	is two "$(v cp one:/data/in - | tar -xO)"
	v rm -v one >/dev/null
	v create --name ro --read-only debian:12 true >/dev/null
	fails 1 "$VENEER" cp "$WORK/src/one" ro:/srv
	contains 'container rootfs is marked read-only' "$stderr"
	v rm ro >/dev/null
	nothing_runs
}

# Links and tars that want out of the container.
copied_hostile() {
	make_source
	echo secret >"$WORK/secret"
	v run --name one debian:12 sh -c "ln -s / /srv/root; ln -s ../../../../../..$WORK /srv/up; ln -s $WORK/secret /srv/file;
		mkdir -p /srv/d; ln -s /srv/loop /srv/loop"
	v cp "$WORK/src/one" one:/srv/root/etc/new
	check 'not here' test ! -e /etc/new
	is one "$(v cp one:/etc/new - | tar -xO)"
	fails 1 "$VENEER" cp -L one:/srv/file "$WORK/dst"
	fails 1 "$VENEER" cp one:/srv/up/secret "$WORK/dst"
	fails 1 "$VENEER" cp "$WORK/src/one" one:/srv/up/x
	check 'not here' test ! -e "$WORK/x"
	fails 1 "$VENEER" cp "$WORK/src/one" one:/srv/loop
	fails 1 "$VENEER" cp -L one:/srv/loop "$WORK/dst"
	python3 - "$WORK" <<-'END'
		import io, sys, tarfile
		work = sys.argv[1]
		def make(name, *members):
		    with tarfile.open(work + '/' + name, 'w') as tar:
		        for path, kind, target in members:
		            info = tarfile.TarInfo(path)
		            info.type, info.linkname, info.size = kind, target, 3 if kind == tarfile.REGTYPE else 0
		            tar.addfile(info, io.BytesIO(b'bad'))
		make('dots.tar', ('../../../out', tarfile.REGTYPE, ''))
		make('link.tar', ('l', tarfile.SYMTYPE, work), ('l/out', tarfile.REGTYPE, ''))
		make('hard.tar', ('h', tarfile.LNKTYPE, '../../../etc/passwd'))
		make('white.tar', ('.wh.d', tarfile.REGTYPE, ''))
	END
	fails 1 sh -c '"$0" cp - one:/srv <"$1"' "$VENEER" "$WORK/dots.tar"
	fails 1 sh -c '"$0" cp - one:/srv <"$1"' "$VENEER" "$WORK/hard.tar"
	v cp - one:/srv <"$WORK/link.tar" || true
	v cp - one:/srv <"$WORK/white.tar"
	v cp one:/srv/d "$WORK/dst"
	check 'a whiteout is a file' test -d "$WORK/dst/d"
	head -c 700 "$WORK/white.tar" >"$WORK/short.tar"
	fails 1 sh -c 'echo nonsense | "$0" cp - one:/srv' "$VENEER"
	check 'not here' test ! -e "$WORK/out"
	check 'not here' test ! -e "$WORK/../out"
	v rm one >/dev/null
	nothing_runs
}

copied_words() {
	fails 1 "$VENEER" cp a b
	contains 'must specify at least one container source' "$stderr"
	fails 1 "$VENEER" cp a:/x b:/y
	contains 'copying between containers is not supported' "$stderr"
	fails 1 "$VENEER" cp '' b:/y
	contains 'source can not be empty' "$stderr"
	fails 1 "$VENEER" cp "$WORK" nobody:/y
	contains 'No such container: nobody' "$stderr"
	v create --name one debian:12 true >/dev/null
	make_source
	contains "Successfully copied 2.05kB to one:/srv" "$(script -qec "$VENEER cp $WORK/src/one one:/srv" /dev/null </dev/null)"
	is '' "$(script -qec "$VENEER cp -q $WORK/src/one one:/srv" /dev/null </dev/null)"
	is '' "$(v cp "$WORK/src/one" one:/srv 2>&1)"
	v rm one >/dev/null
	nothing_runs
}

# Killed on the way, the container has all of it or nothing.
killed() {
	local n got nr
	v create --name one debian:12 true >/dev/null
	make_source
	nr=$(VENEER_CRASH_AT='?' "$VENEER_CRASH" cp "$WORK/src" one:/srv 2>&1 | grep -c ^crash)
	[ "$nr" -gt 2 ]
	for n in $(seq "$nr"); do
		# Its first use, which makes its volume, each time.
		v rm one >/dev/null
		v create --name one debian:12 true >/dev/null
		got=0
		VENEER_CRASH_AT="*:$n" "$VENEER_CRASH" cp "$WORK/src" one:/srv >/dev/null 2>&1 || got=$?
		is 137 $got "exit status at point $n"
		is created "$(v ps -a --format '{{.State}}')"
		healthy
		case $(v diff one | wc -l) in
		0 | 8) ;;
		*) echo "point $n left a part:"; v diff one; return 1 ;;
		esac
	done
	v cp "$WORK/src" one:/srv
	is one "$(v cp one:/srv/src/one - | tar -xO)"
	v rm one >/dev/null
	nothing_runs
}

fresh_store 4G
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_run 'diff of a container that has ended' diff_stopped
case_run 'diff of a container that runs' diff_running
case_run 'diff of a container of its own size' diff_own_size
case_run 'export of a container that has ended' exported
case_run 'export of a container that runs' exported_running
case_run 'cp with a container that does not run' copied_stopped
case_run 'cp by a mount and as blocks' copied_by_both
case_run 'cp is all or nothing where nothing runs' copied_all_or_nothing
case_run 'cp, and other commands meanwhile' copied_meanwhile
case_run 'cp after a start that was killed' copied_after_killed_start
case_run 'cp with a container that runs' copied_running
case_run 'cp with volumes and binds' copied_volumes
case_run 'cp keeps links and tars inside' copied_hostile
case_run 'cp says what it wants and what it did' copied_words
case_run 'cp, killed at every point' killed

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - the appliance from outside: streams, terminal, signals, deaths, disks
#
# usage: tests/appliance/run.sh [PATTERN]     cases whose name contains it; all without
#
# Each case is a function that returns 0 when all is well, in a subshell with
# `set -e`; it prints one line, "ok NAME" or "not ok NAME" with its output below.
# APPLIANCE_MUST_WORK=1 makes a skip a failure.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# The registry is unpacked by `make deps`, not installed.
PATH=$PATH:$top/build/peers/usr/bin
export VENEER=${VENEER:-$top/build/plain/veneer}
pattern=${1:-}
passed=0
failed=0
skipped=0

if [ ! -x /usr/bin/linux.uml ] && [ -z "${APPLIANCE_MUST_WORK:-}" ]; then
	echo 'skip appliance: no kernel (package user-mode-linux)'
	exit 0
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/veneer-appliance.XXXXXX") || exit 1
chmod 755 "$tmp"
unset VENEER_CONFIG DOCKER_CONFIG VENEER_APPLIANCE
export VENEER_ROOT=$tmp/root VENEER_KERNEL=appliance
cp "$VENEER" "$tmp/program" || exit 1 # a name of our own, to find its processes by
VENEER=$tmp/program

# The launchers and supervisors of this run, by the file that they execute.
program_processes() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		if [ "$exe" -ef "$tmp/program" ]; then
			exe=${exe%/exe}
			echo "${exe#/proc/}"
		fi
	done
}

# A case that failed may have left a command that nothing else would end.
kill_all() {
	local pid
	for pid in $(program_processes); do
		kill -9 "$pid" 2>/dev/null
	done
}

clean() {
	kill_all
	rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

inside() {
	"$VENEER" appliance exec "$@"
}

is() {
	[ "$1" = "$2" ] || { printf 'expected: %q\n     got: %q\n' "$1" "$2"; return 1; }
}

has() {
	case $2 in *"$1"*) return 0 ;; esac
	printf 'expected to find: %s\nin: %s\n' "$1" "$2"
	return 1
}

# status WANTED COMMAND... - stdout is in $out, stderr in $errors
status() {
	local got=0 want=$1
	shift
	out=$("$@" 2>"$tmp/errors") || got=$?
	errors=$(cat "$tmp/errors")
	[ "$got" = "$want" ] || { printf 'expected status %s, got %s: %s\n%s\n' "$want" "$got" "$*" "$errors"; return 1; }
}

kernel_processes() {
	pgrep -f "init=$tmp/program" || true
}

# until_ COMMAND... - waits for it to succeed; only what hangs makes that fail
until_() {
	local try
	for ((try = 0; try < 1200; try++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	printf 'in vain: wait for %s\n' "$*"
	return 1
}

no_kernel_runs() {
	[ -z "$(kernel_processes)" ]
}

no_supervisor_runs() {
	[ -z "$(supervisor_pid)" ]
}

run_folder_is_empty() {
	[ -z "$(ls "$VENEER_ROOT/appliance/run")" ]
}

# The kernel and all that belongs to it is gone, now or soon.
nothing_left() {
	until_ no_kernel_runs && until_ no_supervisor_runs && until_ run_folder_is_empty && return
	kernel_processes
	program_processes
	ls "$VENEER_ROOT/appliance/run"
	return 1
}

supervisor_pid() {
	local pid
	for pid in $(program_processes); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != veneer-superv ] || echo "$pid"
	done
}

# The first process of the kernel, whose parent the supervisor is.
kernel_pid() {
	pgrep -P "$(supervisor_pid)"
}

# start_sleeper [SCRIPT] - a command in the background that says "ready" when it can
# be killed; $launcher is its launcher
start_sleeper() {
	rm -f "$tmp/sleeper" # else the last one's word would be taken for this one's
	"$VENEER" appliance exec sh -c "${1:-echo ready; exec sleep 1000}" >"$tmp/sleeper" 2>&1 </dev/null &
	launcher=$!
	until_ grep ready "$tmp/sleeper"
}

# ended STATUS - of the launcher
ended() {
	local got=0
	wait "$launcher" || got=$?
	is "$1" "$got"
}

streams_and_status() {
	status 7 inside sh -c 'echo out; echo err >&2; exit 7'
	is out "$out"
	is err "$errors"
	status 137 inside sh -c 'kill -9 $$'
	status 127 inside no-such-program
	has 'no-such-program: No such file' "$errors"
	nothing_left
}

what_a_command_sees() {
	mkdir -p "$tmp/a folder"
	cd "$tmp/a folder"
	umask 027
	out=$(VAR=$'a\nb\xff' inside sh -c 'pwd; umask; printf %s "$VAR" | od -An -tx1; printf "<%s>" "$@"' sh '' $'x\ty' "$(printf '\376')")
	is "$tmp/a folder
0027
 61 0a 62 ff
<><x	y><$(printf '\376')>" "$out"
	inside sh -c 'echo made >file'
	is made "$(cat file)"
	is 640 "$(stat -c %a file)"
	is "$(hostname)" "$(inside hostname)"
}

standard_input() {
	head -c 40000000 /dev/urandom >"$tmp/bytes"
	sum=$(sha256sum <"$tmp/bytes")
	is "$sum" "$(sed '' "$tmp/bytes" | inside sha256sum)"
	is "$sum" "$(inside sha256sum <"$tmp/bytes")"
	is "$sum" "$(inside cat "$tmp/bytes" | sha256sum)"
	is 'a
b' "$(printf 'a\nb\n' | inside cat)"
	is '' "$(inside cat </dev/null)"
	is '' "$(inside cat <&-)"
	# What a command does not read of a file is there for the next.
	printf '123456789\n' >"$tmp/digits"
	is 123456789 "$({ inside head -c 3; cat; } <"$tmp/digits")"
	# One that is known to read nothing takes nothing of a pipe either.
	is kept "$(echo kept | { "$VENEER" images >/dev/null; cat; })"
	rm "$tmp/bytes"
	nothing_left
}

# Paths that mean something to the caller alone
input_files() {
	mkdir -p "$tmp/tree/etc"
	echo text >"$tmp/tree/etc/file"
	tar -C "$tmp/tree" -cf "$tmp/tree.tar" .
	mkfifo "$tmp/fifo"
	cat "$tmp/tree.tar" >"$tmp/fifo" &
	"$VENEER" import "$tmp/fifo" one >/dev/null
	"$VENEER" import <(cat "$tmp/tree.tar") two >/dev/null
	"$VENEER" import /dev/stdin three <"$tmp/tree.tar" >/dev/null
	cd "$tmp/tree"
	"$VENEER" import ../tree.tar four >/dev/null
	"$VENEER" import - five <"$tmp/tree.tar" >/dev/null
	# shellcheck disable=SC2094
	"$VENEER" import - six < <(cat "$tmp/tree.tar") >/dev/null
	is 'five four one six three two' "$("$VENEER" images --format '{{.Repository}}' | sort | xargs)"
	status 1 "$VENEER" load --input=/dev/fd/9 9</dev/null
	has 'empty' "$errors"
	"$VENEER" pool destroy --force >/dev/null
}

input_file_in_run() {
	echo junk >"/run/veneer-appliance.$$"
	status 1 "$VENEER" load -i "/run/veneer-appliance.$$"
	rm "/run/veneer-appliance.$$"
	has 'archive' "$errors"
}

reader_that_goes_away() {
	is y "$(timeout 60 "$VENEER" appliance exec yes | head -n 1)"
	got=0
	errors=$(inside echo text 2>&1 >/dev/full) || got=$?
	is 1 "$got"
	has 'No space left' "$errors"
	nothing_left
}

terminal() {
	python3 "$here/terminal.py" "$VENEER"
	nothing_left
}

signals() {
	start_sleeper 'trap "echo caught; exit 5" TERM; echo ready; sleep 1000 & wait'
	kill -TERM "$launcher"
	ended 5
	has caught "$(cat "$tmp/sleeper")"
	start_sleeper
	kill -HUP "$launcher"
	ended 129
	# While the kernel starts
	"$VENEER" appliance exec sleep 1000 </dev/null >/dev/null 2>&1 &
	launcher=$!
	until_ supervisor_runs
	kill -TERM "$launcher"
	ended 143
	nothing_left
}

supervisor_runs() {
	[ -n "$(supervisor_pid)" ]
}

two_at_once() {
	inside sh -c 'echo first; sleep 1; echo first' </dev/null >"$tmp/both" &
	inside sh -c 'echo second; sleep 1; echo second' </dev/null >>"$tmp/both.2" &
	third=$(inside echo third)
	wait
	is third "$third"
	is 'first
first' "$(cat "$tmp/both")"
	is 'second
second' "$(cat "$tmp/both.2")"
	rm "$tmp/both" "$tmp/both.2"
	nothing_left
}

launcher_dies() {
	start_sleeper
	kill -9 "$launcher"
	nothing_left
	is again "$(inside echo again)"
}

supervisor_dies() {
	start_sleeper
	kill -9 "$(supervisor_pid)"
	ended 1
	has 'ended unexpectedly' "$(cat "$tmp/sleeper")"
	until_ no_kernel_runs
	is again "$(inside echo again)" # which also cleans up
	nothing_left
}

kernel_dies() {
	start_sleeper
	kill -9 "$(kernel_pid)"
	ended 1
	has 'ended unexpectedly' "$(cat "$tmp/sleeper")"
	nothing_left
	status 1 inside sh -c 'echo c >/proc/sysrq-trigger'
	has 'Kernel panic' "$errors"
	nothing_left
	status 1 inside sh -c 'echo b >/proc/sysrq-trigger; sleep 1000'
	has 'started again' "$errors"
	nothing_left
	is again "$(inside echo again)"
}

# Something to load: 70 MB in files of 100 kB that do not compress
make_tree() {
	local i
	mkdir -p "$tmp/tree"
	for ((i = 0; i < 700; i++)); do
		head -c 100000 /dev/urandom >"$tmp/tree/$i"
	done
	tar -C "$tmp/tree" -cf "$tmp/tree.tar" .
	rm -r "$tmp/tree"
}

# A cut finds blocks in the kernel's hand that belong to nobody (driver/volume.h): nothing is lost, and a
# repair gives them back.
sound_after_cut() {
	local said
	said=$("$VENEER" check 2>&1) || true
	if [[ $said =~ ^[0-9]+\ KiB\ of\ the\ pool\ belong\ to\ no\ volume$ ]]; then
		"$VENEER" check --repair
		said=$("$VENEER" check 2>&1) || true
	fi
	is '' "$said"
}

power_cut() {
	make_tree
	"$VENEER" pool create
	mkfifo "$tmp/half" "$tmp/never"
	{
		head -c 50000000 "$tmp/tree.tar"
		: >"$tmp/taken"
		read -r _ <>"$tmp/never"
	} >"$tmp/half" &
	writer=$!
	"$VENEER" import - half <"$tmp/half" >"$tmp/import" 2>&1 &
	launcher=$!
	until_ [ -e "$tmp/taken" ]
	kill -9 "$(kernel_pid)"
	ended 1
	kill "$writer"
	has 'ended unexpectedly' "$(cat "$tmp/import")"
	sound_after_cut
	is '' "$("$VENEER" images -q)"
	"$VENEER" import "$tmp/tree.tar" whole >/dev/null
	is '' "$("$VENEER" check 2>&1)"
	"$VENEER" pool destroy --force
	rm "$tmp/tree.tar" "$tmp/half" "$tmp/never" "$tmp/taken"
	nothing_left
}

# A device-mapper device with the name of a volume stands for a mount.
attach() {
	inside dmsetup create veneer-test-1 --noudevsync --table '0 8192 zero'
}

detach() {
	inside dmsetup remove --noudevsync veneer-test-1
}

stays_for_a_mount() {
	"$VENEER" appliance status >/dev/null && { echo 'runs already'; return 1; }
	attach
	before=$(kernel_pid)
	has 'attached:  1' "$("$VENEER" appliance status)"
	inside sh -c 'echo 1 >/run/kept'
	is 1 "$(inside cat /run/kept)"
	# A file of the host that changes meanwhile
	echo one >"$tmp/changing"
	is one "$(inside cat "$tmp/changing")"
	echo three >"$tmp/changing"
	is three "$(inside cat "$tmp/changing")"
	status 1 "$VENEER" appliance stop
	has 'unmount' "$errors"
	is "$before" "$(kernel_pid)"
	detach
	nothing_left
	attach
	"$VENEER" appliance stop --force
	nothing_left
}

death_while_it_stays() {
	attach
	start_sleeper
	kill -9 "$launcher"
	is '' "$(inside sh -c 'ps ax | grep "[s]leep 1000"' || true)"
	has veneer-test-1 "$(inside dmsetup ls)"
	# A launcher that dies after the last volume is gone
	start_sleeper 'dmsetup remove --noudevsync veneer-test-1; echo ready; exec sleep 1000'
	kill -9 "$launcher"
	nothing_left
	attach
	kill -9 "$(kernel_pid)"
	is again "$(inside echo again)"
	nothing_left
}

# Whether the launcher has what it talks to the kernel with: two sockets.
launcher_is_connected() {
	[ "$(find "/proc/$launcher/fd" -lname 'socket:*' | wc -l)" -ge 2 ]
}

# A command that is there before the end is seen: nobody has heard of it.
end_before_greeting() {
	attach
	kill -STOP "$(kernel_pid)"
	"$VENEER" appliance exec echo again >"$tmp/again" 2>&1 </dev/null &
	launcher=$!
	until_ launcher_is_connected
	kill -9 "$(kernel_pid)"
	ended 0
	is again "$(cat "$tmp/again")"
	attach
	kill -STOP "$(kernel_pid)"
	"$VENEER" appliance stop >"$tmp/again" 2>&1 &
	launcher=$!
	until_ launcher_is_connected
	kill -9 "$(kernel_pid)"
	ended 0
	is '' "$(cat "$tmp/again")"
	nothing_left
}

further_disks() {
	truncate -s 1G "$tmp/disk one"
	status 1 "$VENEER" pool create --data "$tmp/no such disk"
	"$VENEER" pool create --data "$tmp/disk one"
	has "$tmp/disk one" "$("$VENEER" pool status)"
	has "$tmp/disk one" "$(cat "$VENEER_ROOT/appliance/disks")"
	"$VENEER" pool destroy --force
	is '' "$(cat "$VENEER_ROOT/appliance/disks")"
	rm "$tmp/disk one"
	nothing_left
}

room_comes_back() {
	# shellcheck disable=SC2016
	inside sh -c 'head -c 60000000 /dev/urandom >$VENEER_ROOT/junk'
	full=$(du -m "$VENEER_ROOT/appliance/store.img" | cut -f 1)
	# shellcheck disable=SC2016
	inside sh -c 'rm $VENEER_ROOT/junk'
	empty=$(du -m "$VENEER_ROOT/appliance/store.img" | cut -f 1)
	[ $((full - empty)) -gt 50 ] || { echo "before $full MB, after $empty MB"; return 1; }
}

ordinary_user() {
	mkdir -p "$tmp/user"
	chown 65534:65534 "$tmp/user"
	as_user() {
		PATH=/usr/bin:/bin VENEER_ROOT=$tmp/user/root HOME=$tmp/user setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	}
	is 0 "$(as_user "$VENEER" appliance exec id -u)"
	as_user "$VENEER" appliance exec touch "$tmp/user/file"
	is 65534 "$(stat -c %u "$tmp/user/file")"
	! as_user "$VENEER" appliance exec touch "$tmp/file" || return 1
	! as_user "$VENEER" appliance exec cat /etc/shadow || return 1
	as_user "$VENEER" pool create # with programs that are not in its PATH
	is '' "$(kernel_processes)"
}

memory_folder() {
	hostile() {
		# shellcheck disable=SC2016
		unshare -m sh -c 'mount -t tmpfs -o "$1" none /dev/shm && exec "$2" appliance exec true' sh "$1" "$VENEER"
	}
	# Another folder takes its place.
	status 0 hostile noexec
	status 0 hostile size=64M
	status 0 hostile size=300M
	TMPDIR=$tmp/nonexistent status 0 inside true
	printf '{ "appliance": { "memory": "1T" } }\n' >"$tmp/conf.json"
	status 1 "$VENEER" --config "$tmp/conf.json" images
	has 'MiB left' "$errors"
	nothing_left
}

# The store's folder is not what it should be.
odd_folders() {
	mkdir -p "$tmp/odd/appliance" "$tmp/elsewhere"
	echo precious >"$tmp/elsewhere/file"
	ln -s "$tmp/elsewhere" "$tmp/odd/appliance/run"
	status 1 "$VENEER" --root "$tmp/odd" images
	has 'appliance/run' "$errors"
	is precious "$(cat "$tmp/elsewhere/file")"
	rm "$tmp/odd/appliance/run"
	"$VENEER" --root "$tmp/odd" images
	: >"$tmp/odd/appliance/run/left by a dead kernel"
	echo 1 >"$tmp/odd/appliance/lock"
	echo text | "$VENEER" --root "$tmp/odd" appliance exec cat
	mkdir "$tmp/host-store"
	: >"$tmp/host-store/catalogue.db"
	status 1 "$VENEER" --root "$tmp/host-store" images
	has 'without the appliance' "$errors"
	is catalogue.db "$(ls "$tmp/host-store")"
	rm -r "$tmp/odd" "$tmp/elsewhere" "$tmp/host-store"
	"$VENEER" --root "$tmp/a \"b\", c:d" images
	rm -r "$tmp/a \"b\", c:d"
}

read_only() {
	mkdir "$tmp/read-only"
	read_only_run() {
		# shellcheck disable=SC2016
		unshare -m sh -c 'mount -t tmpfs -o ro none "$1" && exec "$2" --root "$1/root" images' sh "$tmp/read-only" "$VENEER"
	}
	status 1 read_only_run
	has 'Read-only file system' "$errors"
}

# On a machine whose own kernel could do the work there is nothing to be told of.
host_kernel() {
	status 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$VENEER" --root "$tmp/none" --kernel host images
	has '--kernel appliance' "$errors"
	if "$VENEER" --root "$tmp/none" --kernel auto info | grep -q 'Runs in: the appliance'; then
		status 1 "$VENEER" --root "$tmp/host" --kernel host load
		has '--kernel appliance' "$errors"
		[ ! -e "$tmp/host" ]
	fi
	VENEER_KERNEL=xen status 1 "$VENEER" images
	has 'VENEER_KERNEL: must be' "$errors"
}

# full_disk SCRIPT - with $VENEER, and a store on a disk of 1 GiB at $DISK
full_disk() {
	mkdir -p "$tmp/disk"
	# shellcheck disable=SC2016
	DISK=$tmp/disk unshare -m bash -c 'set -e; mount -t tmpfs -o size=1G none "$DISK"; export VENEER_ROOT=$DISK/root; eval "$1"' bash "$1"
}

host_disk_is_full() {
	make_tree
	# Noticed before: nothing is broken, and the rest of the room is left.
	# shellcheck disable=SC2016
	status 0 full_disk '
		"$VENEER" pool create
		head -c 930M /dev/zero >"$DISK/other"
		! "$VENEER" import "'"$tmp/tree.tar"'" big || exit 1
		"$VENEER" check
		rm "$DISK/other"
		"$VENEER" import "'"$tmp/tree.tar"'" big'
	has 'no space left' "$errors"
	# Not noticed: the store is as it was, once there is room again.
	# shellcheck disable=SC2016
	status 0 full_disk '
		"$VENEER" pool create
		"$VENEER" appliance exec dmsetup create veneer-test-1 --noudevsync --table "0 8192 zero"
		head -c 850M /dev/zero >"$DISK/other"
		! "$VENEER" appliance exec sh -c "dd if=/dev/zero of=$VENEER_ROOT/junk bs=1M count=300
			mkdir \$(seq -f $VENEER_ROOT/%g 5000) 2>/dev/null; sync
			mkdir $VENEER_ROOT/last" || exit 1
		! "$VENEER" appliance status >&2 || exit 1
		rm "$DISK/other"
		"$VENEER" check
		"$VENEER" import "'"$tmp/tree.tar"'" big'
	has 'became full' "$errors"
	rm "$tmp/tree.tar"
	nothing_left
}

no_kernel() {
	printf '{ "appliance": { "kernel": "/nonexistent" } }\n' >"$tmp/conf.json"
	status 1 "$VENEER" --config "$tmp/conf.json" images
	has 'user-mode-linux' "$errors"
}

# The registry is out here, where the network is; what ends early leaves a store that is whole.
pulls() {
	local port=$((20000 + $$ % 10000)) registry name
	mkdir "$tmp/registry"
	cat >"$tmp/registry.yml" <<-END
		version: 0.1
		storage: { filesystem: { rootdirectory: $tmp/registry } }
		http: { addr: 127.0.0.1:$port }
	END
	docker-registry serve "$tmp/registry.yml" >"$tmp/registry.log" 2>&1 &
	registry=$!
	# shellcheck disable=SC2064 # this one
	trap "kill $registry" EXIT
	name=127.0.0.1:$port/debian
	until_ skopeo copy -q --insecure-policy --dest-tls-verify=false \
		"oci-archive:$top/build/images/oci.tar" "docker://$name:12"
	status 0 "$VENEER" pull "$name:12"
	has ': Pull complete' "$out"
	has "Status: Downloaded newer image for $name:12" "$out"
	status 0 "$VENEER" pull "$name:12"
	has "Status: Image is up to date for $name:12" "$out"
	status 1 "$VENEER" pull "$name:none"
	is "manifest for $name:none not found: manifest unknown: manifest unknown" "$errors"
	"$VENEER" rmi "$name:12" >/dev/null
	timeout -s TERM 0.7 "$VENEER" pull -q "$name:12" >/dev/null 2>&1 || true
	status 0 "$VENEER" pull -q "$name:12"
	is "$name:12" "$out"
	"$VENEER" rmi "$name:12" >/dev/null
	status 0 "$VENEER" run --rm "$name:12" echo hello
	is hello "$out"
	has "Unable to find image '$name:12' locally" "$errors"
	has "Status: Downloaded newer image for $name:12" "$errors"
	status 125 "$VENEER" run --rm "$name:none" echo hello
	has "manifest for $name:none not found" "$errors"
	"$VENEER" rmi "$name:12" >/dev/null
	status 0 "$VENEER" build -q - <<<"FROM $name:12"
	is 71 "${#out}"
	adds_files "${name%/*}"
	is '' "$(find /tmp -maxdepth 1 -name 'veneer-fetch.*')"
	"$VENEER" check
	nothing_left
	pushes "${name%/*}"
}

# The registry as a web server: what ADD takes is downloaded out here.
adds_files() {
	local blob
	blob=$(skopeo inspect --raw --tls-verify=false "docker://$1/debian:12" | jq -r '.layers[0].digest')
	status 0 "$VENEER" build -q - <<-END
		FROM $1/debian:12
		ADD --checksum=$blob --chmod=644 http://$1/v2/debian/blobs/$blob /blob
	END
	is "${blob#sha256:} 644" "$("$VENEER" run --rm "$out" sh -c 'echo $(sha256sum </blob | cut -c -64) $(stat -c %a /blob)')"
	status 1 "$VENEER" build - <<<"FROM $1/debian:12"$'\n'"ADD http://$1/none /x"
	has "http://$1/none" "$errors"
	has 404 "$errors"
	status 1 "$VENEER" build - <<<"FROM $1/debian:12"$'\nADD ["http://a\\nb", "/x"]'
	has 'a URL has no line breaks' "$errors"
	timeout -s TERM 0.7 "$VENEER" build --no-cache -q - <<<"FROM $1/debian:12"$'\n'"ADD http://$1/v2/debian/blobs/$blob /blob" || true
}

# The same registry: what came goes back as it was, what was made here is compressed out here.
pushes() {
	local to=$1/pushed id
	"$VENEER" tag "$1/debian:12" "$to:1"
	status 0 "$VENEER" push "$to:1"
	has ': Mounted from debian' "$out"
	has "1: digest: $("$VENEER" images --format '{{.Digest}}' "$1/debian" | head -n 1) size: " "$out"
	status 0 "$VENEER" push -q "$to:1"
	is "$to:1" "$out"
	mkdir "$tmp/push"
	printf 'FROM %s\nCOPY Dockerfile /\n' "$to:1" >"$tmp/push/Dockerfile"
	"$VENEER" build -q -t "$to:2" "$tmp/push" >/dev/null
	rm -rf "$tmp/registry/docker"
	timeout -s TERM 0.7 "$VENEER" push "$to:2" >/dev/null 2>&1 || true
	status 0 "$VENEER" push -a "$to"
	has ': Pushed' "$out"
	has '2: digest: sha256:' "$out"
	id=$("$VENEER" images -q --no-trunc "$to:2")
	is "$id" "$(skopeo inspect --raw --tls-verify=false "docker://$to:2" | jq -r .config.digest)"
	skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$to:2" "oci:$tmp/push/oci:2"
	has "$to@sha256:" "$("$VENEER" inspect -f '{{.RepoDigests}}' "$to:2")"
	status 1 "$VENEER" push "$to:none"
	is "tag does not exist: $to:none" "$errors"
	"$VENEER" check
	nothing_left
}

# In a store that no command has made yet; more than one, as two processes look for its folder.
first_command() {
	local n
	for n in 1 2 3 4 5; do
		export VENEER_ROOT=$tmp/first/$n/root
		status 125 timeout 30 "$VENEER" run --rm localhost:1/x true
		has "Unable to find image 'localhost:1/x:latest' locally" "$errors"
		has 'Get "http://localhost:1/v2/x/manifests/latest"' "$errors"
		nothing_left
	done
	is '' "$(find /tmp -maxdepth 1 -name 'veneer-fetch.*')"
}

with_registry() {
	if command -v docker-registry >/dev/null && [ -e "$top/build/images/oci.tar" ]; then
		case_ "$@"
	else
		printf 'skip %s: no docker-registry, or no images (make images)\n' "$1"
		skipped=$((skipped + 1))
	fi
}

# Ends the programs of a case that hangs, which then fails: what FILE is there for
# two minutes.
watch() {
	local try
	for ((try = 0; try < 240; try++)); do
		sleep 0.5
		[ -e "$1" ] || return
	done
	kill_all
}

case_() {
	local name=$1 output result going=$tmp/going.$((passed + failed))
	shift
	case $name in *"$pattern"*) ;; *) return ;; esac
	: >"$going"
	watch "$going" &
	output=$(set -e; "$@" 2>&1)
	result=$?
	rm "$going"
	if [ $result = 0 ]; then
		printf 'ok %s\n' "$name"
		passed=$((passed + 1))
	else
		printf 'not ok %s\n' "$name"
		printf '%s\n' "$output" | sed 's/^/    /'
		failed=$((failed + 1))
		kill_all
		rm -rf "$VENEER_ROOT" # the next one's failure would be its own
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		case_ "$@"
	else
		printf 'skip %s: not root\n' "$1"
		skipped=$((skipped + 1))
	fi
}

case_ 'streams and exit status pass through' streams_and_status
case_ 'a command sees the folder, the words and the variables of its caller' what_a_command_sees
case_ 'standard input comes from pipes and files' standard_input
case_ 'a command reads files that only its caller can open' input_files
case_ 'a reader that goes away ends the writer' reader_that_goes_away
case_ 'a terminal is a terminal inside' terminal
case_ 'signals are passed on' signals
case_ 'two at once wait for each other' two_at_once
case_ 'a killed launcher takes its kernel along' launcher_dies
case_ 'a killed supervisor takes its kernel along' supervisor_dies
case_ 'a dead kernel is told of' kernel_dies
case_ 'a power cut in the middle of an import loses nothing else' power_cut
case_ 'the kernel stays for a mount and ends after it' stays_for_a_mount
case_ 'deaths while the kernel stays' death_while_it_stays
case_ 'a kernel that ends before it hears a command is followed by another' end_before_greeting
case_ 'a pool on a further disk is found again' further_disks
case_ 'room comes back to the host' room_comes_back
case_ 'an odd folder of the store does no harm' odd_folders
case_ 'a missing kernel is told of' no_kernel
case_ 'the first command of a store may need an image' first_command
with_registry 'an image is pulled from the network outside, and pushed' pulls
as_root 'a command reads files below /run' input_file_in_run
as_root 'an ordinary user has the rights it has outside' ordinary_user
as_root 'a read-only place is told of' read_only
as_root 'a kernel of the host that cannot do it is told of' host_kernel
as_root 'a full disk of the host is told of and breaks nothing' host_disk_is_full
as_root 'another folder holds the memory where the usual one cannot' memory_folder

printf 'appliance: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && { [ -z "${APPLIANCE_MUST_WORK:-}" ] || [ "$skipped" = 0 ]; }

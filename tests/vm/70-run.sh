#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 600
# Containers: made, run, looked at, entered, stopped and removed, under the real crun and conmon.
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

# No container, nothing mounted, no process, no device, no state of the runtime but what newer crun
# keeps of seccomp profiles from one container to the next.
nothing_runs() {
	is '' "$(v ps -aq)" 'containers left' || return 1
	is '' "$(ls "$VENEER_ROOT/containers")" 'folders left' || return 1
	is '' "$(find /run/veneer/*/crun -mindepth 1 -name .cache -prune -o -mindepth 1 -print 2>/dev/null)" 'state of the runtime left' || return 1
	is '' "$(ls -d /sys/fs/cgroup/veneer/*/ 2>/dev/null)" 'control groups left' || return 1
	is '' "$(pgrep -x conmon || true)" 'monitors left' || return 1
	is '' "$(find /dev/veneer/containers /run/veneer/links -mindepth 1 2>/dev/null)" 'links left' || return 1
	healthy
}

attached() {
	local out
	out=$(v run --rm debian:12 sh -c 'echo out; echo err >&2; exit 7' 2>"$WORK/err") && return 1
	is 7 $? status
	is out "$out"
	is err "$(cat "$WORK/err")"
	is 'a b' "$(echo 'a b' | v run --rm -i debian:12 cat)"
	is '' "$(echo x | v run --rm debian:12 cat)" 'without -i there is no input'
	is 100000 "$(v run --rm debian:12 sh -c 'yes | head -n 100000' | wc -l)"
	v run --name many debian:12 seq 100000 >/dev/null
	is 1 "$(v logs many 2>"$WORK/err" | head -n 1)"
	is '' "$(cat "$WORK/err")" 'what is said when nobody reads on'
	v rm many >/dev/null
	nothing_runs
}

# one_line COMMAND... - of its output one line is read; it ends with 141, as by SIGPIPE
one_line() {
	local got=0
	timeout 60 "$VENEER" "$@" 2>"$WORK/err" | head -n 1 >"$WORK/out" || got=${PIPESTATUS[0]}
	is 141 "$got" "status of $*"
}

# Nobody reads on: the container ends, and with it the command.
unread() {
	local got=0
	one_line run --rm debian:12 yes
	is y "$(cat "$WORK/out")"
	is '' "$(cat "$WORK/err")"
	one_line run --rm -t debian:12 yes
	one_line run --rm --stop-timeout 1 debian:12 sh -c 'trap "" PIPE TERM; while :; do echo x; done'
	nothing_runs
	v create --name asked --stop-signal USR1 debian:12 \
		sh -c 'trap "echo asked >&2; exit 3" USR1; while :; do echo x 2>/dev/null; done' >/dev/null
	one_line start -a asked
	contains 'Exited (3)' "$(v ps -a --format '{{.Status}}')"
	is asked "$(v logs asked 2>&1 >/dev/null | tail -n 1)" 'what it said when it was asked to stop'
	v rm asked >/dev/null
	timeout 60 "$VENEER" run --rm debian:12 yes 2>"$WORK/err" >/dev/full || got=$?
	is 125 $got
	contains 'No space left on device' "$(cat "$WORK/err")"
	v run -d --name talks debian:12 sh -c 'while :; do echo x; sleep 0.1; done' >/dev/null
	one_line logs -f talks
	is talks "$(v ps --format '{{.Names}}')" 'what runs on, as it is not ours'
	v rm -f talks >/dev/null
	nothing_runs
}

statuses() {
	fails 127 "$VENEER" run --rm debian:12 no-such-program
	contains 'no-such-program' "$stderr"
	contains "Run 'veneer run --help'" "$stderr"
	fails 126 "$VENEER" run --rm debian:12 /etc/passwd
	fails 126 "$VENEER" run --rm debian:12 /etc
	fails 125 "$VENEER" run --rm --nope debian:12
	fails 127 "$VENEER" run --rm debian:12 -u nobody-at-all
	contains '`-u`' "$stderr"
	fails 125 "$VENEER" run --rm -u nobody-at-all debian:12 true
	contains 'unable to find user nobody-at-all' "$stderr"
	fails 125 "$VENEER" run --rm nothing:1
	contains "Unable to find image 'nothing:1' locally" "$stderr"
	fails 125 "$VENEER" run --rm --publish 80:80 debian:12 true
	contains "--publish is not supported: a container has the host's network" "$stderr"
	fails 125 "$VENEER" run --rm -l =v debian:12 true
	contains "invalid label '=v': empty name" "$stderr"
	fails 125 "$VENEER" run --rm -m lots debian:12 true
	contains 'invalid argument "lots" for "-m, --memory" flag' "$stderr"
	fails 125 "$VENEER" run --rm --mount type=bind,dst=/x debian:12 true
	contains 'field Source must not be empty' "$stderr"
	nothing_runs
}

confined() {
	local out
	out=$(v run --rm debian:12 sh -c 'grep -E "^(CapEff|Seccomp):" /proc/self/status
		id; cat /etc/hostname; echo "$HOSTNAME $HOME $PATH"; echo x >/proc/sys/kernel/hostname || echo ro
		mount -t tmpfs none /mnt || echo no mount; unshare -U true || echo no unshare')
	contains 'CapEff:	00000000a80425fb' "$out"
	contains 'Seccomp:	2' "$out"
	contains 'uid=0(root) gid=0(root)' "$out"
	contains '/root /usr/local/sbin:' "$out"
	contains 'ro' "$out"
	contains 'no mount' "$out"
	contains 'no unshare' "$out"
	out=$(v run --rm --privileged debian:12 sh -c 'mount -t tmpfs none /mnt && grep CapEff /proc/self/status')
	contains 'CapEff:	000001ffffffffff' "$out"
	out=$(v run --rm --cap-drop ALL --cap-add chown debian:12 grep CapEff /proc/self/status)
	contains '0000000000000001' "$out"
	is 1 "$(v run --rm --network none debian:12 sh -c 'ls /sys/class/net | wc -l')"
	nothing_runs
}

options() {
	local out
	echo 'FROM_FILE=yes' >"$WORK/env"
	out=$(LOCAL=mine v run --rm -e A=1 -e LOCAL --env-file "$WORK/env" -w /new/dir -u 1000:7 -h box \
		--read-only --tmpfs /scratch:size=1m --add-host db:10.1.2.3 --dns 9.9.9.9 --ulimit nofile=100:200 \
		--shm-size 1m -l a=b --name opts --sysctl kernel.shmmax=12345 --group-add disk debian:12 sh -c '
		echo "$A $LOCAL $FROM_FILE"; pwd; id; hostname; touch /x || echo ro; touch /scratch/x && echo scratch
		tail -n 1 /etc/hosts; cat /etc/resolv.conf; ulimit -n; ulimit -Hn; df -k /dev/shm | tail -n 1
		cat /proc/sys/kernel/shmmax')
	contains '1 mine yes' "$out"
	contains '/new/dir' "$out"
	contains 'uid=1000 gid=7(lp) groups=7(lp),6(disk)' "$out"
	contains 'box' "$out"
	contains 'ro' "$out"
	contains '10.1.2.3	db' "$out"
	contains 'nameserver 9.9.9.9' "$out"
	contains '100' "$out"
	contains '200' "$out"
	contains '1024' "$out"
	contains '12345' "$out"
	is $'1\nsh' "$(v run --rm --init debian:12 sh -c 'echo $(($$ > 1)); cat /proc/$$/comm')"
	is hi "$(v run --rm --entrypoint /bin/echo debian:12 hi)"
	fails 125 "$VENEER" run --rm --pids-limit 5 --ulimit nope=1 debian:12 true
	nothing_runs
}

limits() {
	local out
	out=$(v run --rm -m 64m --cpus 0.5 --pids-limit 20 debian:12 sh -c 'cd /sys/fs/cgroup
		cat memory.max cpu.max pids.max
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 9 & done' 2>&1) || true
	contains 67108864 "$out"
	contains '50000 100000' "$out"
	contains 20 "$out"
	contains 'fork' "${out,,}"
	nothing_runs
}

detached() {
	local id out
	id=$(v run -d --name web -l role=web debian:12 sh -c 'echo started; echo bad >&2; exec sleep 1000')
	is 64 ${#id}
	is "${id:0:12}" "$(v ps -q)"
	contains 'Up ' "$(v ps --format '{{.Status}}')"
	is 'web debian:12 running web' "$(v ps --format '{{.Names}} {{.Image}} {{.State}} {{.Label "role"}}')"
	is '"sh -c '"'"'echo started…"' "$(v ps --format '{{.Command}}')"
	is $'started\nbad' "$(v logs web 2>&1)"
	is bad "$(v logs web 2>&1 >/dev/null)"
	is bad "$(v logs --tail 1 web 2>&1)"
	contains 'Z started' "$(v logs -t web 2>/dev/null)"
	is '' "$(v logs --since 1h --until 30m web 2>&1)"
	is hello "$(v exec -e X=hello web sh -c 'echo $X')"
	is piped "$(echo piped | v exec -i web cat)"
	fails 5 "$VENEER" exec web sh -c 'exit 5'
	fails 127 "$VENEER" exec web no-such-program
	is 1 "$(grep -c no-such-program <<<"$stderr")" 'times that it is said'
	fails 127 "$VENEER" exec -d web no-such-program
	is 1 "$(grep -c no-such-program <<<"$stderr")" 'times that it is said'
	fails 126 "$VENEER" exec web /etc
	is 1000 "$(v exec -u 1000 -w /tmp web id -u)"
	fails 1 "$VENEER" exec -w tmp web pwd
	contains "the working directory 'tmp' is invalid" "$stderr"
	fails 1 "$VENEER" start -a web
	contains "it is running already; 'veneer logs -f' shows what it prints" "$stderr"
	v exec -d web sh -c 'echo left >/tmp/left'
	sleep 1
	is left "$(v exec web cat /tmp/left)"
	fails 1 "$VENEER" rm web
	contains 'container is running: stop the container before removing' "$stderr"
	fails 1 "$VENEER" rmi debian:12
	contains "container ${id:0:12} is using its referenced image" "$stderr"
	fails 1 "$VENEER" rmi -f "$(v images -q)"
	contains 'is being used by running container' "$stderr"
	fails 125 "$VENEER" run --name web debian:12 true
	contains "Conflict. The container name \"/web\" is already in use by container \"$id\"" "$stderr"
	is running "$(v inspect -f '{{.State.Status}}' web)"
	is /web "$(v container inspect -f '{{.Name}}' "${id:0:6}")"
	fails 1 "$VENEER" inspect -f '{{.Nope}}' web
	contains 'template parsing error: ' "$stderr"
	is web "$(v stop -t 1 web)"
	contains 'Exited (137)' "$(v ps -a --format '{{.Status}}')"
	is '' "$(v ps -q)"
	fails 1 "$VENEER" exec web true
	is web "$(v start web)"
	contains 'Up ' "$(v ps --format '{{.Status}}')"
	is left "$(v exec web cat /tmp/left)" 'what was written stays'
	is web "$(v rm -f web)"
	nothing_runs
}

ends_by_itself() {
	local id
	v run -d --name soon debian:12 sh -c 'echo one; sleep 2; echo two; exit 3' >/dev/null
	is $'one\ntwo' "$(timeout 60 "$VENEER" logs -f soon)"
	is 3 "$(v wait soon)"
	is 'soon' "$(v ps -a -f exited=3 --format '{{.Names}}')"
	is '' "$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -vE -- '-(pool|data|meta)$' || true)" 'active volumes'
	v rm soon
	id=$(v run -d --rm debian:12 true)
	for _ in $(seq 50); do [ -n "$(v ps -aq)" ] || break; sleep 0.2; done
	nothing_runs
}

terminal() {
	local out
	out=$(script -qec "$VENEER run --rm -it debian:12 sh -c 'tty; test -t 0 && test -t 1 && echo both; exit 4'" /dev/null </dev/null) && return 1
	is 4 $? status
	contains /dev/pts "$out"
	contains both "$out"
	fails 125 "$VENEER" run --rm -it debian:12 true </dev/null
	contains 'the input device is not a TTY' "$stderr"
	nothing_runs
}

signals() {
	local got=0
	"$VENEER" run --rm --name sig debian:12 sh -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.1; done' >"$WORK/sig" 2>&1 &
	local pid=$!
	for _ in $(seq 100); do ! grep -q ready "$WORK/sig" || break; sleep 0.2; done
	kill -TERM $pid
	wait $pid || got=$?
	is 9 $got
	contains got "$(cat "$WORK/sig")"
	v run -d --name quits --stop-signal USR1 debian:12 sh -c 'trap "exit 6" USR1; while :; do sleep 0.1; done' >/dev/null
	sleep 1
	v stop -t 20 quits
	is 6 "$(v wait quits)"
	v rm quits
	nothing_runs
}

volumes() {
	mkdir -p "$WORK/host"
	echo from-host >"$WORK/host/file"
	is from-host "$(v run --rm -v "$WORK/host:/data:ro" debian:12 cat /data/file)"
	fails 1 "$VENEER" run --rm -v "$WORK/host:/data:ro" debian:12 touch /data/x
	v run --rm --mount "type=bind,src=$WORK/host,dst=/data" debian:12 touch /data/mine
	check 'written to the host' test -e "$WORK/host/mine"
	v run --rm -v named:/etc/apt debian:12 sh -c 'test -e /etc/apt/trusted.gpg.d && echo kept >/etc/apt/mine'
	is kept "$(v run --rm -v named:/other debian:12 cat /other/mine)"
	echo 12345 | v run --rm -i -v sized:/s debian:12 sh -c 'cat >/s/a; ln /s/a /s/b'
	v create --name uses -v sized:/s debian:12 true >/dev/null
	is 'sized 1 6B' "$(v system df -v | awk '/^VOLUME NAME/ { on = 1 } on && $1 == "sized" { print $1, $2, $3; exit }')"
	contains 'Local Volumes 2 1 ' "$(v system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}')"
	v rm uses >/dev/null
	contains 'Local Volumes 2 0 ' "$(v system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}')"
	is 'sized 0 6B' "$(v system df -v --format '{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}}{{"\n"}}{{end}}' | grep sized)"
	v run --name anon -v /etc/apt debian:12 sh -c 'test -d /etc/apt/trusted.gpg.d'
	is 3 "$(find "$VENEER_ROOT/volumes" -mindepth 1 -maxdepth 1 | wc -l)"
	v rm -v anon
	is 'named sized' "$(cd "$VENEER_ROOT/volumes" && echo *)"
	v run --rm -v /cache debian:12 true
	is 'named sized' "$(cd "$VENEER_ROOT/volumes" && echo *)" 'anonymous volumes go with --rm'
	fails 125 "$VENEER" run --rm --mount type=bind,src=/does/not/exist,dst=/x debian:12 true
	contains 'bind source path does not exist: /does/not/exist' "$stderr"
	nothing_runs
}

# The folders that volumes() has left, and one without a name.
folders() {
	local name
	v volume create disk >/dev/null
	v create --name uses -v sized:/s -v /cache debian:12 true >/dev/null
	name=$(v volume ls -q | grep -x '[0-9a-f]\{64\}')
	is "local $name used
local named unused
local sized used
thin disk unused" "$(v volume ls --format '{{.Driver}} {{.Name}} {{.State}}' | LC_ALL=C sort)"
	is named "$(v volume ls -q -f dangling=true)"
	is disk "$(v volume ls -q -f driver=thin)"
	is "local $VENEER_ROOT/volumes/sized/_data 6" "$(v volume inspect -f '{{.Driver}} {{.Mountpoint}} {{.OwnSize}}' sized)"
	fails 1 "$VENEER" volume rm sized
	contains "remove sized: volume is in use - [$(v ps -aq --no-trunc)]" "$stderr"
	fails 1 "$VENEER" volume create sized
	contains "the name 'sized' is taken by a folder of containers" "$stderr"
	fails 1 "$VENEER" volume rm nothing
	contains 'no such volume: nothing' "$stderr"
	is nothing "$(v volume rm -f nothing)"
	is 'Total reclaimed space: 0B' "$(v volume prune -f)"
	v rm uses >/dev/null
	contains "Deleted Volumes:
$name" "$(v system prune -f --volumes)"
	is 'named sized' "$(cd "$VENEER_ROOT/volumes" && echo *)"
	is sized "$(v volume rm sized)"
	contains 'Deleted Volumes:
named' "$(v volume prune -a -f)"
	is '' "$(ls "$VENEER_ROOT/volumes")" 'folders left'
	is disk "$(v volume rm disk)"
	nothing_runs
}

own_size() {
	local before
	before=$(v run --rm debian:12 df -k --output=size / | tail -n 1)
	[ "$(v run --rm --storage-opt size=20G debian:12 df -k --output=size / | tail -n 1)" -gt $((before + 8000000)) ]
	fails 125 "$VENEER" run --rm --storage-opt size=1G debian:12 true
	contains 'Container size cannot be smaller' "$stderr"
	v create --name big --storage-opt size=20G debian:12 sh -c 'echo x >>/x; cat /x' >/dev/null
	is x "$(v start -a big)"
	is $'x\nx' "$(v start -a big)"
	v rm big
	nothing_runs
}

stubs_in_init() {
	local id
	id=$(v create --name st debian:12 true)
	is 64 ${#id}
	is created "$(v inspect -f '{{.State.Status}}' st)"
	is '' "$(dmsetup ls | awk '/^veneer-/ { print $1 }' | grep -vE -- '-(pool|data|meta)$' || true)" 'create activates nothing'
	is 0B "$(v ps -a -s --format '{{.Size}}' | cut -d' ' -f1)"
	v rm st
	nothing_runs
}

# The sizes of files, a file with two names once, a link as its text; not the pool's blocks.
sizes() {
	v run -d --name c1 debian:12 sh -c 'printf 0123456789 >/a; ln /a /b; ln -s abc /l; rm /etc/issue
		printf xyz >/etc/debian_version; truncate -s 1M /sparse; echo ready; exec sleep 1000' >/dev/null
	for _ in $(seq 100); do [ "$(v logs c1)" != ready ] || break; sleep 0.1; done
	is 1048592 "$(v inspect -s -f '{{.SizeRw}}' c1)" 'of a running one'
	is 1.05MB "$(v ps -s --format '{{.Size}}' | cut -d' ' -f1)"
	v stop -t 0 c1 >/dev/null
	is 1048592 "$(v inspect -s -f '{{.SizeRw}}' c1)" 'of a stopped one'
	is '' "$(v inspect -f '{{json .}}' c1 | grep SizeRw || true)" 'not asked for'
	v rm c1
	nothing_runs
}

counts() {
	v create --name c1 debian:12 true >/dev/null
	is 1 "$(v system df --format '{{.Type}} {{.TotalCount}}' | awk '/Containers/ { print $2 }')"
	contains c1 "$(v system df -v)"
	is 'Total reclaimed space: 0B' "$(v image prune -af)"
	fails 1 "$VENEER" rmi "$(v images -q)"
	contains 'must be forced) - image is being used by stopped container' "$stderr"
	contains c1 "$(v ps -a -f ancestor=debian:12 -f status=created)"
	contains 'Deleted Containers:' "$(v container prune -f)"
	is 'Total reclaimed space: 0B' "$(v container prune -f)"
	nothing_runs
}

image_goes_first() {
	v create --name orphan debian:12 cat /etc/debian_version >/dev/null
	v rmi -f debian:12 >/dev/null
	is '' "$(v images -q)"
	contains 12 "$(v start -a orphan)"
	v rm orphan
	nothing_runs
	v load -q -i "$IMAGES/oci.tar" >/dev/null
}

space_comes_back() {
	local before
	v create --name ww debian:12 true >/dev/null # makes the init volume, which stays
	v rm ww
	before=$(pool_used)
	v run --rm debian:12 sh -c 'dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null'
	is "$before" "$(pool_used)" 'pool bytes'
	v rmi debian:12 >/dev/null
	is 'Template:' "$(v layers --human=false 2>/dev/null | awk '/^Template/ { print $1 }')"
	is 0 "$(v layers --human=false | awk '/^Containers/ { print $2 }')" 'init volumes of a layer that is gone'
	healthy
}

fresh_store 4G
v load -q -i "$IMAGES/oci.tar" >/dev/null
case_run 'run in the foreground: streams and status' attached
case_run 'what nobody reads ends' unread
case_run 'what cannot be run says why, with Docker'"'"'s status' statuses
case_run 'a container is confined' confined
case_run 'options reach the process' options
case_run 'limits hold' limits
case_run 'detached: logs, exec, stop, start, rm' detached
case_run 'a container that ends is noticed' ends_by_itself
case_run 'a terminal' terminal
case_run 'signals reach the process' signals
case_run 'binds and volumes' volumes
case_run 'folders are listed, looked at, removed and pruned' folders
case_run 'a file system of its own size' own_size
case_run 'create makes a snapshot and nothing else' stubs_in_init
case_run 'a container has the size of its files' sizes
case_run 'containers count' counts
case_run 'a container outlives its image' image_goes_first
case_run 'space comes back' space_comes_back

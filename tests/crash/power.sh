#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# power.sh - the power is cut during each command; the next kernel finds the old state or the new
#
# usage: tests/crash/power.sh [--long] [PATTERN]    cases whose name contains it; all without
#
# The machine is the appliance's kernel. When it dies, whatever is not yet on its
# disk file is gone. At a crash point it kills itself (VENEER_CRASH_POWER of
# base/crash.h); after a command's success, as its first act after it; at random
# moments all its processes get SIGKILL from here. Then a new kernel looks at
# what is left, and the command is repeated: inside.sh has what must hold.
#
# --long, or POWER_LONG=1, cuts at every passage of every crash point and at more
# random moments. POWER_SEED is the seed of those; it is printed.
# POWER_MUST_WORK=1 makes a skip a failure. TEST_UNTIL, in seconds since the epoch, is when no
# further case begins: the rest is named, and does not count.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
if [ "${1:-}" = --long ]; then
	POWER_LONG=1
	shift
fi
pattern=${1:-}
seed=${POWER_SEED:-$RANDOM}
passed=0
failed=0
cuts=0

if [ ! -x /usr/bin/linux.uml ] && [ -z "${POWER_MUST_WORK:-}" ]; then
	echo 'skip power: no kernel (package user-mode-linux)'
	exit 0
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/veneer-power.XXXXXX") || exit 1
unset VENEER_ROOT VENEER_KERNEL VENEER_CONFIG DOCKER_CONFIG VENEER_APPLIANCE
cp "${VENEER:-$top/build/plain/veneer}" "$tmp/program" || exit 1 # a name of our own, to find its kernel by
export VENEER=$tmp/program
export VENEER_CRASH=${VENEER_CRASH:-$top/build/plain-crash/veneer}
printf '{ "root": "%s", "kernel": "appliance" }\n' "$tmp/root" >"$tmp/veneer.json"

clean() {
	"$VENEER" --config "$tmp/veneer.json" appliance stop --force >/dev/null 2>&1
	if [ -n "${POWER_KEEP:-}" ]; then
		printf 'power: kept %s\n' "$tmp"
	else
		rm -rf "$tmp"
	fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

kill_kernel() {
	local pids
	mapfile -t pids < <(pgrep -f "init=$VENEER")
	[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
}

# An archive of docker's and one of the OCI's, with two gzip layers; the second has a whiteout.
make_archives() {
	local dir=$tmp/make n diffs=() layers=() digests=() config manifest
	mkdir -p "$dir/1/etc" "$dir/1/data" "$dir/2/etc" "$dir/oci/blobs/sha256"
	echo name >"$dir/1/etc/name"
	head -c 3000000 /dev/urandom >"$dir/1/random"
	head -c 300000 /dev/urandom >"$dir/1/data/random"
	echo changed >"$dir/2/etc/hostname"
	head -c 500000 /dev/urandom >"$dir/2/random"
	: >"$dir/2/.wh.data"
	tar --create --numeric-owner --owner=0 --group=0 -C "$dir/1" -f "$tmp/plain.tar" .
	for n in 1 2; do
		tar --create --numeric-owner --owner=0 --group=0 -C "$dir/$n" -f "$dir/$n.tar" .
		diffs+=("\"sha256:$(sha256sum <"$dir/$n.tar" | cut -d' ' -f1)\"")
		gzip -1 "$dir/$n.tar"
		digests[n]=$(sha256sum <"$dir/$n.tar.gz" | cut -d' ' -f1)
		cp "$dir/$n.tar.gz" "$dir/oci/blobs/sha256/${digests[n]}"
		layers+=("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:${digests[n]}\",\"size\":$(stat -c %s "$dir/$n.tar.gz")}")
	done
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s,%s]}}' \
		"${diffs[@]}" >"$dir/config.json"
	printf '[{"Config":"config.json","RepoTags":["small:1"],"Layers":["1.tar.gz","2.tar.gz"]}]' >"$dir/manifest.json"
	tar --create -C "$dir" -f "$tmp/small.tar" manifest.json config.json 1.tar.gz 2.tar.gz
	config=$(sha256sum <"$dir/config.json" | cut -d' ' -f1)
	cp "$dir/config.json" "$dir/oci/blobs/sha256/$config"
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[%s,%s]}' \
		"$config" "$(stat -c %s "$dir/config.json")" "${layers[@]}" >"$dir/manifest"
	manifest=$(sha256sum <"$dir/manifest" | cut -d' ' -f1)
	cp "$dir/manifest" "$dir/oci/blobs/sha256/$manifest"
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"annotations":{"io.containerd.image.name":"docker.io/library/small:1","org.opencontainers.image.ref.name":"1"}}]}' \
		"$manifest" "$(stat -c %s "$dir/manifest")" >"$dir/oci/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci/oci-layout"
	tar --create -C "$dir/oci" -f "$tmp/oci.tar" oci-layout index.json blobs
	rm -rf "$dir"
}

# One kernel, up to the next cut; the status is that of inside.sh, or any when it was cut off.
run_kernel() {
	local delay pid
	rm -f "$work/go"
	timeout -k 10 120 "$VENEER" --config "$tmp/veneer.json" appliance exec bash "$here/inside.sh" "$work" "$@" \
		>"$work/console" 2>&1 </dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		if [ -s "$work/go" ]; then
			read -r delay <"$work/go"
			rm "$work/go"
			sleep "$delay"
			kill_kernel
		fi
		sleep 0.05
	done
	wait $pid
}

# power NAME PREPARE COMMAND... - every cut of one command; see inside.sh for $again and for PREPARE
power() {
	local name=$1 status number=0
	shift
	case $name in *"$pattern"*) ;; *) return ;; esac
	if [ -n "${TEST_UNTIL:-}" ] && [ "$EPOCHSECONDS" -ge "$TEST_UNTIL" ]; then
		printf 'not begun for want of time: power, %s\n' "$name"
		return
	fi
	work=$tmp/$((passed + failed))
	mkdir "$work"
	seed=$((seed + 1))
	POWER_SEED=$seed POWER_POINTS=$points POWER_AGAIN=$again
	POWER_RANDOM=${POWER_LONG:+10}
	POWER_RANDOM=${POWER_RANDOM:-$randoms}
	while :; do
		status=0
		run_kernel "$@" || status=$?
		[ $status != 0 ] || [ -e "$work/pending" ] || break
		[ -e "$work/pending" ] && [ ! -e "$work/report" ] || break
	done
	[ ! -e "$work/number" ] || number=$(<"$work/number")
	cuts=$((cuts + number))
	if [ $status = 0 ]; then
		printf 'ok %s (%d cuts)\n' "$name" "$number"
		passed=$((passed + 1))
		return
	fi
	printf 'not ok %s\n' "$name"
	sed 's/^/    /' "$work/console" "$work/report" 2>/dev/null
	failed=$((failed + 1))
	"$VENEER" --config "$tmp/veneer.json" appliance stop --force >/dev/null 2>&1
	# The next one begins anew.
	if [ -n "${POWER_KEEP:-}" ]; then mv "$tmp/root" "$work/"; else rm -rf "$tmp/root"; fi
}

printf 'power: seed %s\n' "$seed"
export POWER_LONG=${POWER_LONG:-} POWER_SEED POWER_RANDOM POWER_POINTS POWER_AGAIN POWER_DAMAGE=
: >"$tmp/content"
make_archives

# In the short version, a point's first passage: what a power cut may do that a kill cannot.
again='' points='^(layer-intended|journal-advanced)$' randoms=1
power 'load of a docker archive' empty run load -i "$tmp/small.tar"
again='' points='^volume-frozen$' randoms=0
power 'load of an OCI archive' empty run load -i "$tmp/oci.tar"
again='' points='^layer-frozen$' randoms=0
power 'import' no_name run import "$tmp/plain.tar" plain:1
again='No such image' points='^(remove-committed|journal-advanced)$' randoms=1
power 'rmi' loaded run rmi small:1
again='' points='^blob-removed$' randoms=0
power 'image prune' loaded run image prune -af
power 'tag' loaded run tag small:1 second:1
again='is mounted at' points='^view-mounted$'
power 'mount of a writable copy' loaded run mount --rw small:1 "$tmp/root/mnt"
again='neither an image|is not mounted' points='^view-stopped$'
power 'unmount' mounted run unmount "$tmp/root/mnt"
again='is taken' points='^view-linked$'
power 'attach of a writable copy' loaded run attach --rw --name name small:1
again='neither an image|is not attached' points='^journal-advanced$'
power 'detach' attached run detach name
again='is already in use' points='^container-recorded$' randoms=1
power 'create' no_container run create --name one small:1 true
again='' points='^journal-(intent|prepared|advanced)$' randoms=0
power 'first use of a container' unused run diff one
again='has a pool already' points='^(file-written|pool-formatted|pool-started)$'
power 'pool create' no_pool run pool create --files 256M --volume-size 256M
again='' points='^pool-grown-header$'
power 'pool grow' small_pool run pool grow --size 384M
again='has no pool' points='^pool-(doomed|catalogue-reset)$'
power 'pool destroy' large_loaded run pool destroy --force
again='' points='^pool-repair' POWER_DAMAGE=needs_check
power 'check --repair of a pool that needs a check' loaded run check --repair
POWER_DAMAGE=damaged
power 'check --repair of damaged metadata' loaded run check --repair

printf 'power was cut %d times\n' "$cuts"
printf 'power: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

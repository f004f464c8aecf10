#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [PART...] - measure veneer beside its peers (make bench)
#
# Parts, all without an argument: load containerd dockerd mount small images delta diff
# build commit create registry (in the appliance's kernel, in one boot), native and parse
# (natively). Prints tables, medians of BENCH_RUNS (3), and for each target of the project whether
# it is met; a miss is no failure. Figures from the appliance's kernel are honest only as ratios
# within one run: it has one CPU, and a system call costs 10 to 40 times what
# it costs natively.
#
#	VENEER       the program (build/plain/veneer); its folder has bench/TOOL too
#	BENCH        folder of images and results (build/bench)
#	PEERS        folder with containerd and docker.io unpacked (build/peers)
#	BENCH_RUNS   runs of each; those that take minutes are run BENCH_SLOW_RUNS (1) times
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
VENEER=$(realpath "${VENEER:-$top/build/plain/veneer}")
TOOLS=$(dirname "$VENEER")/bench
BENCH=$(mkdir -p "${BENCH:-$top/build/bench}" && cd "${BENCH:-$top/build/bench}" && pwd)
PEERS=$(realpath "${PEERS:-$top/build/peers}")
export VENEER TOOLS BENCH PEERS
export BENCH_RUNS=${BENCH_RUNS:-3} BENCH_SLOW_RUNS=${BENCH_SLOW_RUNS:-1}
unset VENEER_ROOT VENEER_KERNEL VENEER_CONFIG DOCKER_CONFIG

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(load containerd dockerd mount small images delta diff build commit create registry native parse)

die() { printf 'bench: %s\n' "$*" >&2; exit 1; }
if [ ! -x "$VENEER" ] || [ ! -x "$TOOLS/stopwatch" ]; then
	die "no program in $(dirname "$VENEER"): run make bench-tools"
fi

[ "${parts[*]}" = diff ] || "$here/image.sh" "$BENCH"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/veneer-bench.XXXXXX")
export RESULTS=$tmp/results
mkdir "$RESULTS"
clean() {
	"$VENEER" --config "$tmp/veneer.json" appliance stop --force >/dev/null 2>&1 || true
	rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf 'veneer %s, %s UTC\n' "$("$VENEER" --version | sed 's/.*version //')" "$(date -u '+%F %R')"
printf '%s, %s CPUs, %s, Linux %s; load average %s\n' \
	"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
	"$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
	"$(uname -r)" "$(cut -d ' ' -f 1-3 /proc/loadavg)"

inside=()
native=()
for part in "${parts[@]}"; do
	case $part in
	native | parse) native+=("$part") ;;
	load | containerd | dockerd | mount | small | images | delta | diff | build | commit | create | registry) inside+=("$part") ;;
	*) die "no part '$part'" ;;
	esac
done

# The image in a registry's folder, put there before anything is measured
fill_registry() {
	export REGISTRY=$tmp/registry
	printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:5017 }\n' \
		"$REGISTRY" >"$tmp/registry.yml"
	"$PEERS/usr/bin/docker-registry" serve "$tmp/registry.yml" >"$tmp/registry.log" 2>&1 &
	local registry=$!
	until : </dev/tcp/127.0.0.1/5017; do
		kill -0 "$registry" || die "no registry: $(tail -n 1 "$tmp/registry.log")"
		sleep 0.1
	done 2>/dev/null
	skopeo copy -q --insecure-policy --dest-tls-verify=false "oci-archive:$BENCH/oci.tar" \
		docker://127.0.0.1:5017/bench:1
	kill "$registry"
}
[[ " ${parts[*]} " != *' registry '* ]] || fill_registry

if [ ${#inside[@]} -gt 0 ]; then
	disks=
	for n in 1 2; do
		# Real blocks, so that the host's file system does not allocate them while we measure.
		fallocate -l 8G "$tmp/disk$n" || truncate -s 8G "$tmp/disk$n"
		export "DISK$n=$tmp/disk$n"
		disks+="${disks:+, }\"$tmp/disk$n\""
	done
	cat >"$tmp/veneer.json" <<END
{ "root": "$tmp/root", "kernel": "appliance",
  "appliance": { "memory": "3G", "disks": [$disks] } }
END
	"$VENEER" --config "$tmp/veneer.json" appliance exec "$here/inside.sh" "${inside[@]}" </dev/null ||
		printf 'bench: a part did not come to its end\n'
fi
[ ${#native[@]} = 0 ] || "$here/native.sh" "${native[@]}"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# inside.sh PART... - what run.sh measures in the appliance's kernel
#
# DISK1 is veneer's pool, and its volumes are what GNU tar and the floor write
# to; DISK2 is the pool of containerd and then of dockerd.
# shellcheck source=tests/bench/lib.sh
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
. "$(dirname "$0")/lib.sh"
set -uo pipefail

base=$VENEER_ROOT
work=$base/bench
export VENEER_ROOT=$work/root
mnt=$work/mnt
layers=("$BENCH"/layer[123].tar.gz)
mkdir -p "$work" "$mnt"
cd "$work" || exit 1

# Every measurement starts with clean caches, and the host has the inputs in its own. Nor does it
# still write what the one before left.
rest() {
	sync
	sync "$DISK1" "$DISK2"
	echo 3 >/proc/sys/vm/drop_caches
}

tiny=
make_pool() {
	[ -z "$tiny" ] || return 0
	"$VENEER" pool create --data "$DISK1" || exit 1
	"$VENEER" import "$BENCH/tiny.tar" tiny:1 >/dev/null || exit 1
	tiny=1
}

export mnt

# Volumes of the same pool, so that both sides pay for its allocation and zeroing.
on_volume() { # NAME COMMAND...
	local device
	device=$("$VENEER" attach --rw tiny:1) || return 1
	rest
	timed "$1" "${@:2}" "$device"
	"$VENEER" detach "$device"
}

run_floor() { on_volume floor bash -c '"$TOOLS/floor" "$1" "$BENCH"/layer[123].tar.gz' floor; }

run_tar() {
	on_volume tar bash -c 'mount -o noinit_itable "$1" "$mnt" &&
		for layer in "$BENCH"/layer[123].tar.gz; do tar -xzf "$layer" -C "$mnt" || exit 1; done &&
		umount "$mnt"' tar
}

# The parts of load: everything but the tree, and the tree without the store.
run_pipeline() {
	rest
	timed pipeline "$TOOLS/unpack_tool" null "${layers[@]}"
}

run_unpack() {
	on_volume unpack bash -c 'mount -o noinit_itable,nobarrier,data=writeback "$1" "$mnt" &&
		"$TOOLS/unpack_tool" "$mnt" "$BENCH"/layer[123].tar.gz && umount "$mnt"' unpack
}

run_load() {
	rest
	timed load "$VENEER" load -q -i "$BENCH/oci.tar" && "$VENEER" rmi bench:1 >/dev/null
}

# What the floor does, and no more: no compressed layers are kept for a push.
run_load_bare() {
	rest
	printf '{ "keep_blobs": false }\n' >"$work/bare.json"
	timed load-bare "$VENEER" --config "$work/bare.json" load -q -i "$BENCH/oci.tar" && "$VENEER" rmi bench:1 >/dev/null
}

run_load_mount() {
	rest
	timed load-mount "$VENEER" load -q --writer mount -i "$BENCH/oci.tar" && "$VENEER" rmi bench:1 >/dev/null
}

run_load_docker() {
	rest
	timed load-docker "$VENEER" load -q -i "$BENCH/docker.tar" && "$VENEER" rmi bench:1 >/dev/null
}

part_load() {
	local round
	make_pool
	cat "${layers[@]}" "$BENCH"/*.tar >/dev/null
	for ((round = 0; round < BENCH_RUNS; round++)); do # interleaved: all see the same neighbours
		shown run_floor
		shown run_load
		shown run_load_bare
		shown run_tar
		shown run_pipeline
		shown run_unpack
	done
	shown run_load_mount
	shown run_load_docker
}

# A pool for a peer on DISK2: the first 256 MiB are its metadata.
peer_pool() {
	local sectors meta=524288
	sectors=$(blockdev --getsz "$DISK2")
	dd if=/dev/zero of="$DISK2" bs=1M count=1 oflag=direct status=none
	dmsetup create peer-meta --table "0 $meta linear $DISK2 0"
	dmsetup create peer-data --table "0 $((sectors - meta)) linear $DISK2 $meta"
	dmsetup create peer-pool --table "0 $((sectors - meta)) thin-pool /dev/mapper/peer-meta /dev/mapper/peer-data 128 32768"
	dmsetup mknodes
}

no_peer_pool() {
	local name
	for _ in 1 2 3; do
		while read -r name; do dmsetup remove "$name" 2>/dev/null; done < <(dmsetup ls | awk '/^peer-|^docker-|^snap-/ { print $1 }')
	done
}

wait_for() { # SECONDS COMMAND...
	local until=$((SECONDS + $1))
	while ! "${@:2}" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.5
	done
}

ctr() { "$PEERS/usr/bin/ctr" -a "$work/containerd.sock" "$@"; }

start_containerd() {
	rm -rf "$work/containerd" "$work/run"
	mkdir -p "$work/containerd" "$work/run"
	cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "$work/run"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
[plugins."io.containerd.snapshotter.v1.devmapper"]
  root_path = "$work/containerd/devmapper"
  pool_name = "peer-pool"
  base_image_size = "10GB"
END
	"$PEERS/usr/bin/containerd" -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
	daemon=$!
	wait_for 60 ctr version
}

stop_daemon() {
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
}

run_containerd() {
	{ peer_pool && start_containerd; } || { tail -n 5 "$work/containerd.log"; stop_daemon; no_peer_pool; return 1; }
	rest
	timed containerd "$PEERS/usr/bin/ctr" -a "$work/containerd.sock" images import --snapshotter devmapper "$BENCH/oci.tar"
	local status=$?
	[ $status = 0 ] || tail -n 5 "$work/containerd.log"
	stop_daemon
	no_peer_pool
	rm -rf "$work/containerd" "$work/run"
	return $status
}

start_dockerd() {
	rm -rf "$work/docker" "$work/run"
	mkdir -p "$work/docker" "$work/run"
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
	"$PEERS/usr/sbin/dockerd" -H "unix://$work/docker.sock" --data-root "$work/docker" \
		--exec-root "$work/run" -p "$work/docker.pid" --iptables=false --ip6tables=false --bridge=none \
		--storage-driver devicemapper --storage-opt dm.thinpooldev=/dev/mapper/peer-pool \
		--storage-opt dm.override_udev_sync_check=true --storage-opt dm.basesize=10G \
		>"$work/docker.log" 2>&1 &
	daemon=$!
	wait_for 120 "$PEERS/usr/bin/docker" -H "unix://$work/docker.sock" version
}

run_dockerd() {
	{ peer_pool && start_dockerd; } || { tail -n 5 "$work/docker.log"; stop_daemon; no_peer_pool; return 1; }
	rest
	timed dockerd "$PEERS/usr/bin/docker" -H "unix://$work/docker.sock" load -q -i "$BENCH/docker.tar"
	local status=$?
	[ $status = 0 ] || tail -n 5 "$work/docker.log"
	stop_daemon
	no_peer_pool
	rm -rf "$work/docker" "$work/run"
	return $status
}

part_containerd() {
	export DM_DISABLE_UDEV=1 PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
	shown times "$BENCH_SLOW_RUNS" run_containerd
}

part_dockerd() {
	export DM_DISABLE_UDEV=1 PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
	shown times "$BENCH_SLOW_RUNS" run_dockerd
}

# A read-only mount, and the same by hand; both as whole processes whose programs are in memory.
run_mount() {
	timed mount "$VENEER" mount bench:1 "$mnt" && "$VENEER" unmount "$mnt"
}

run_by_hand() { # NAME PROGRAM
	timed "$1" "$TOOLS/$2" mount "$pool" 16000000 "$thin" "$sectors" "$mnt" >>"$RESULTS/$1-inner" &&
		"$TOOLS/$2" unmount "$pool" 16000000 "$mnt"
}

part_mount() {
	local pool thin sectors device round
	make_pool
	"$VENEER" load -q -i "$BENCH/oci.tar" >/dev/null || return 1
	pool=$(dmsetup info -c --noheadings -o major,minor --separator : "$(dmsetup ls | awk '/^veneer-.*-pool/ { print $1 }')")
	thin=$("$VENEER" layers --format '{{.ThinID}}' bench:1 | tail -n 1)
	device=$("$VENEER" attach bench:1)
	sectors=$(blockdev --getsz "$device")
	"$VENEER" detach "$device"
	for ((round = 0; round < 2 * BENCH_RUNS + 1; round++)); do
		shown run_by_hand by-hand by_hand
		shown run_by_hand by-hand-dm by_hand_dm
		shown run_mount
		timed nothing /bin/true
		timed version "$VENEER" version >/dev/null
	done
	"$VENEER" rmi bench:1 >/dev/null
}

# small_layers N - an archive of so many layers of ten small files
small_layers() {
	local dir=$work/small-$1 n id=()
	mkdir -p "$dir/tree"
	for ((n = 1; n <= $1; n++)); do
		rm -rf "$dir/tree/"*
		for file in {0..9}; do echo "$n $file" >"$dir/tree/$n-$file"; done
		tar -C "$dir/tree" -cf "$dir/$n.tar" .
		id+=("sha256:$(sha256sum <"$dir/$n.tar" | cut -d ' ' -f 1)")
	done
	rm -r "$dir/tree"
	jq -n '{ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: $ARGS.positional } }' \
		--args "${id[@]}" >"$dir/config.json"
	jq -n --argjson nr "$1" '[{ Config: "config.json", RepoTags: [ "small:1" ], Layers: [range(1; $nr + 1) | "\(.).tar"] }]' \
		>"$dir/manifest.json"
	tar -C "$dir" -cf "$work/small-$1.tar" .
	rm -r "$dir"
}

run_small() { # N
	timed "small-$1" "$VENEER" --root "$work/small" load -q -i "$work/small-$1.tar" &&
		"$VENEER" --root "$work/small" rmi small:1 >/dev/null
}

# One more layer of ten small files where a volume has 100 GB, and what the kernel takes for its snapshot.
part_small() {
	local round pool device name id
	small_layers 1
	small_layers 11
	"$VENEER" --root "$work/small" pool create --data "$DISK2" --volume-size 100G --force || return 1
	"$VENEER" --root "$work/small" load -q -i "$work/small-1.tar" >/dev/null
	device=$("$VENEER" --root "$work/small" attach --rw small:1)
	name=$(dmsetup info -c --noheadings -o name "$(readlink -f "$device")")
	read -r _ _ _ pool id < <(dmsetup table "$name")
	for ((round = 0; round < 2 * BENCH_RUNS + 1; round++)); do
		"$TOOLS/by_hand" layer "$pool" 16000000 "$id" "$name" >>"$RESULTS/small-dm"
	done
	"$VENEER" --root "$work/small" detach "$device"
	"$VENEER" --root "$work/small" rmi small:1 >/dev/null
	for ((round = 0; round < 2 * BENCH_RUNS + 1; round++)); do
		shown run_small 1
		shown run_small 11
	done
	"$VENEER" --root "$work/small" pool destroy --force >/dev/null
}

part_images() {
	local round
	python3 "$(dirname "$0")/catalogue.py" "$work/many" "$VENEER" || return 1
	for ((round = 0; round < 2 * BENCH_RUNS + 1; round++)); do
		timed images "$VENEER" --root "$work/many" images >/dev/null
		timed true-images /bin/true
	done
}

# A pool whose data goes nowhere: only the mapping is of interest.
part_delta() {
	local sectors=$((16 << 21)) gib held
	dmsetup create peer-data --table "0 $sectors zero"
	dmsetup create peer-meta --table "0 524288 linear $DISK2 0"
	dd if=/dev/zero of="$DISK2" bs=1M count=1 oflag=direct status=none
	dmsetup create peer-pool --table "0 $sectors thin-pool /dev/mapper/peer-meta /dev/mapper/peer-data 128 0 1 skip_block_zeroing"
	dmsetup mknodes
	for gib in 1 10; do
		dmsetup message peer-pool 0 "create_thin $gib"
		dmsetup create peer-thin --table "0 $((10 << 21)) thin /dev/mapper/peer-pool $gib"
		dmsetup mknodes
		dd if=/dev/zero of=/dev/mapper/peer-thin bs=4M count=$((gib * 256)) oflag=direct status=none
		dmsetup remove peer-thin
		dmsetup message peer-pool 0 "create_snap 1$gib $gib"
		dmsetup create peer-thin --table "0 $((10 << 21)) thin /dev/mapper/peer-pool 1$gib"
		dmsetup mknodes
		dd if=/dev/zero of=/dev/mapper/peer-thin bs=64K count=80 seek=1000 oflag=direct status=none
		for ((n = 0; n < 80; n++)); do # and 5 MiB in pieces, all over the volume
			dd if=/dev/zero of=/dev/mapper/peer-thin bs=64K count=1 seek=$((2000 + n * gib * 170)) oflag=direct status=none
		done
		dmsetup remove peer-thin
	done
	dmsetup message peer-pool 0 reserve_metadata_snap
	held=$(dmsetup status peer-pool | awk '{ print $7 }')
	for gib in 1 10; do
		for ((round = 0; round < BENCH_RUNS; round++)); do
			"$TOOLS/delta" /dev/mapper/peer-meta "$held" "$gib" "1$gib" >>"$RESULTS/delta-$gib"
			timed "thin_delta-$gib" thin_delta --metadata-snap --snap1 "$gib" --snap2 "1$gib" /dev/mapper/peer-meta >/dev/null
			"$TOOLS/delta" /dev/mapper/peer-meta "$held" 0 "1$gib" >>"$RESULTS/whole-$gib"
		done
	done
	dmsetup message peer-pool 0 release_metadata_snap
	no_peer_pool
}

# Builds its own images, of files that are small: their number is what matters.
part_diff() {
	mkdir -p "$work/diff"
	"$TOOLS/diff_bench" "$work/diff" "$DISK2" 35000 350000 >"$RESULTS/diff"
}

print_load() {
	printf '\nOne image into the pool: %s layers, %s MB of gzip. Appliance kernel %s; ratio to GNU tar, peak memory\n' \
		"${#layers[@]}" "$(($(cat "${layers[@]}" | wc -c) / 1000000))" "$(uname -r)"
	row 'floor: ISA-L, both SHA-256, raw write' floor tar
	row "veneer's pipeline up to the tree writer" pipeline tar
	row "veneer's unpacker alone onto a mounted thin volume" unpack tar
	row 'veneer load (OCI archive, gzip layers)' load tar
	row 'the same, "keep_blobs": false' load-bare tar
	row 'the same, --writer mount' load-mount tar
	row 'veneer load (docker-archive, plain layers)' load-docker tar
	row 'GNU tar -xzf onto a mounted thin volume' tar tar
	row 'containerd devmapper: ctr images import' containerd tar
	row 'dockerd devicemapper: docker load' dockerd tar
	target 'load / floor' "$(ratio load floor)" 1.2
	target 'load that keeps no blobs / floor' "$(ratio load-bare floor)" 1.2
	target 'load / GNU tar' "$(ratio load tar)" 0.222
	target 'load / containerd' "$(ratio load containerd)" 0.1
	target 'load by a mount / GNU tar' "$(ratio load-mount tar)" 0.7
	target 'peak memory of load, MiB' "$(peak load)" 96
}

print_mount() {
	printf '\nMounting an image read-only (median of %s)\n' "$(runs mount)"
	awk -v m="$(median mount)" -v h="$(median by-hand)" -v i="$(median by-hand-inner)" -v t="$(median nothing)" -v v="$(median version)" -v d="$(median by-hand-dm)" 'BEGIN {
		printf "  veneer mount %.1f ms; by hand, whole process %.1f ms, its ioctls and mount %.1f ms\n", m * 1e3, h * 1e3, i
		printf "  the same by hand in a program that is linked with libdevmapper %.1f ms\n", d * 1e3
		printf "  starting a process: /bin/true %.1f ms, veneer version %.1f ms\n", t * 1e3, v * 1e3 }'
	target 'mount beyond the by-hand process, ms' "$(awk -v m="$(median mount)" -v h="$(median by-hand)" 'BEGIN { print (m - h) * 1e3 }')" 20
}

print_small() {
	local layer
	layer=$(awk -v one="$(ms small-1)" -v all="$(ms small-11)" 'BEGIN { print (all - one) / 10 }')
	printf '\nA layer of ten small files, on a file system of 100 GB (median of %s)\n' "$(runs small-1)"
	printf '  %.1f ms; the kernel takes %.1f ms for its snapshot\n' "$layer" "$(median small-dm)"
	target 'a layer beyond the kernel, ms' "$(awk -v l="$layer" -v k="$(median small-dm)" 'BEGIN { print l - k }')" 30
}

print_images() {
	printf '\nimages with 5,000 images and 20,000 layers (judged natively, see below)\n'
	printf '  %.0f ms; /bin/true takes %.0f ms\n' "$(ms images)" "$(ms true-images)"
}

print_delta() {
	local gib
	printf '\nOwn bytes of a layer: 10 MB changed (half in one piece, half in 80), metadata opened anew\n'
	for gib in 1 10; do
		awk -v g="$gib" -v own="$(median "delta-$gib" 1)" -v n="$(median "delta-$gib" 2)" -v ms="$(median "delta-$gib" 3)" \
			-v wn="$(median "whole-$gib" 2)" -v wms="$(median "whole-$gib" 3)" -v td="$(median "thin_delta-$gib")" 'BEGIN {
			printf "  volume of %2d GiB: %d blocks own, %d nodes read, %.2f ms; whole volume %d nodes, %.1f ms; thin_delta as a process %.0f ms\n",
				g, own, n, ms, wn, wms, td * 1e3 }'
	done
}

print_diff() {
	printf '\nOne file changed in a snapshot of an image: the list of changes, caches dropped\n'
	cat "$RESULTS/diff"
}

# shellcheck source=tests/bench/builds.sh
. "$(dirname "$0")/builds.sh"
# shellcheck source=tests/bench/registry.sh
. "$(dirname "$0")/registry.sh"

printf '\nIn the appliance kernel %s: only ratios within this run count\n' "$(uname -r)"
for part in "$@"; do
	printf -- '-- %s\n' "$part"
	"part_$part"
done
docker_down
for part in "$@"; do
	case $part in
	load | mount | small | images | delta | diff | build | commit | create | registry) "print_$part" ;;
	esac
done
if [ -e "$VENEER_ROOT/pool.json" ]; then "$VENEER" pool destroy --force >/dev/null; fi

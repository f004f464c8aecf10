# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# builds.sh - parts of inside.sh: builds, and the work on containers (diff, commit, create)
#
# The image is bench-shell:1 of image.sh, the large one with a shell; for create, on
# which its size has no influence, one of a single small file. veneer's
# pool is on DISK1, dockerd's on DISK2, buildah's overlay on the kernel's own
# ext4. Caches are dropped before each run but those that are cached builds.
# shellcheck disable=SC2154,SC2016 # of inside.sh; what stands in single quotes is for another shell

image=bench-shell:1
changed=/usr/d1/replaced-0.bin

docker=("$PEERS/usr/bin/docker" -H "unix://$work/docker.sock")
buildah=(buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver overlay)

make_context() {
	mkdir -p "$work/ctx"
	head -c 1000000 "$BENCH/layer1.tar.gz" >"$work/ctx/file"
	printf 'FROM %s\nRUN echo one >/one\nCOPY file /file\nENV A=b\nRUN rm /one\n' "$image" >"$work/ctx/Dockerfile"
}

shell=
load_shell() {
	[ -z "$shell" ] || return 0
	make_pool
	"$VENEER" load -q -i "$BENCH/shell.tar" >/dev/null && shell=1
}

# dockerd, and with the image, once for the parts that need it
dockerd=
docker_up() {
	[ -z "$dockerd" ] || return 0
	export DM_DISABLE_UDEV=1 DOCKER_BUILDKIT=0 PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
	{ peer_pool && start_dockerd; } || { tail -n 5 "$work/docker.log"; return 1; }
	dockerd=1
}

docker_image=
docker_loaded() {
	docker_up || return 1
	[ -n "$docker_image" ] || "${docker[@]}" load -q -i "$BENCH/shell.tar" || return 1
	docker_image=1
}

docker_down() {
	[ -n "$dockerd" ] || return 0
	stop_daemon
	! mountpoint -q "$work/run/netns/default" || umount "$work/run/netns/default"
	no_peer_pool
	rm -rf "$work/docker" "$work/run"
	dockerd=
	docker_image=
}

# ---- build ----

run_build() {
	rest
	timed build "$VENEER" build --network host -t built:1 "$work/ctx" || return 1
	timed build-cached "$VENEER" build --network host -t built:1 "$work/ctx" || return 1
	"$VENEER" rmi built:1
}

run_build_buildah() { # ISOLATION
	rest
	timed "build-buildah-$1" "${buildah[@]}" bud --layers --network host --isolation "$1" --runtime crun -t built:1 "$work/ctx" ||
		return 1
	timed "build-buildah-$1-cached" "${buildah[@]}" bud --layers --network host --isolation "$1" --runtime crun -t built:1 "$work/ctx" ||
		return 1
	"${buildah[@]}" rmi -f built:1
	"${buildah[@]}" rmi --prune -f
}

run_build_dockerd() {
	rest
	timed build-dockerd "${docker[@]}" build --network host -t built:1 "$work/ctx" || return 1
	times "$BENCH_RUNS" timed build-dockerd-cached "${docker[@]}" build --network host -t built:1 "$work/ctx" || return 1
	"${docker[@]}" rmi built:1
}

# What a runtime takes by itself, for one container that does nothing.
make_bundle() {
	mkdir -p "$work/bundle/rootfs"
	(cd "$work/bundle" && crun spec && jq '.process.terminal = false | .process.args = ["/bin/true"] |
		.root.readonly = false' config.json >new.json && mv new.json config.json) || return 1
	"$VENEER" mount --rw "$image" "$work/bundle/rootfs"
}

run_crun() { timed crun crun run --bundle "$work/bundle" bench; }

part_build() {
	local round bundle=
	make_context
	shown load_shell || return 1
	shown "${buildah[@]}" pull -q "docker-archive:$BENCH/shell.tar"
	shown make_bundle && bundle=1
	for ((round = 0; round < BENCH_RUNS; round++)); do # interleaved
		shown run_build
		shown run_build_buildah oci
		shown run_build_buildah chroot
		[ -z "$bundle" ] || shown run_crun
	done
	[ -z "$bundle" ] || "$VENEER" unmount "$work/bundle/rootfs"
	rm -rf "$work/buildah" "$work/buildah-run"
	shown docker_loaded && shown times "$BENCH_SLOW_RUNS" run_build_dockerd
}

print_build() {
	printf '\nRUN, COPY, ENV, RUN rm on the large image; ratio to dockerd\n'
	row 'veneer build' build build-dockerd
	row 'buildah bud, overlay, --isolation oci (crun)' build-buildah-oci build-dockerd
	row 'buildah bud, overlay, --isolation chroot' build-buildah-chroot build-dockerd
	row 'dockerd devicemapper: docker build' build-dockerd build-dockerd
	row 'veneer build, all cached' build-cached build-dockerd-cached
	row 'buildah bud, overlay, all cached' build-buildah-oci-cached build-dockerd-cached
	row 'dockerd, all cached' build-dockerd-cached build-dockerd-cached
	row 'crun run of one container by itself' crun build-dockerd
	target 'build / dockerd' "$(ratio build build-dockerd)" 0.05
	target 'build beyond buildah with crun, s' "$(beyond build build-buildah-oci)" "$(median crun)"
	target 'build beyond buildah without a runtime, s' "$(beyond build build-buildah-chroot)" "$(median crun)"
	target 'build, all cached, ms' "$(ms build-cached)" 100
}

# ---- diff, commit ----

# one_changed NAME IMAGE PATH - a container of it in which a file is another
one_changed() {
	"$VENEER" create --name "$1" "$2" /bin/true && "$VENEER" cp "$work/ctx/file" "$1:$3"
}

run_commit() { # SUFFIX CONTAINER
	rest
	timed "diff$1" "$VENEER" diff "$2" || return 1
	rest
	timed "commit$1" "$VENEER" commit "$2" committed:1 || return 1
	"$VENEER" rmi committed:1
}

run_commit_dockerd() {
	"${docker[@]}" create --name changed "$image" /bin/true && "${docker[@]}" cp "$work/ctx/file" "changed:$changed" || return 1
	rest
	timed diff-dockerd "${docker[@]}" diff changed || return 1
	rest
	timed commit-dockerd "${docker[@]}" commit changed committed:1 || return 1
	"${docker[@]}" rmi committed:1
	"${docker[@]}" rm changed
}

run_containerd_diff() {
	local top device
	{ peer_pool && start_containerd; } || { tail -n 5 "$work/containerd.log"; stop_daemon; no_peer_pool; return 1; }
	ctr images import --snapshotter devmapper "$BENCH/shell.tar" &&
		top=$(ctr snapshots --snapshotter devmapper ls | awk '/Committed/ && !seen[$1]++ { name[$1]; parent[$2] }
			END { for (n in name) if (!(n in parent)) print n }') &&
		ctr snapshots --snapshotter devmapper prepare changed "$top" &&
		device=$(ctr snapshots --snapshotter devmapper mounts "$mnt" changed | grep -o '/dev/[^ ]*') &&
		mount "$device" "$mnt" &&
		cp "$work/ctx/file" "$mnt$changed" && umount "$mnt" && rest &&
		timed diff-containerd "$PEERS/usr/bin/ctr" -a "$work/containerd.sock" snapshots --snapshotter devmapper diff changed >/dev/null
	local status=$?
	! mountpoint -q "$mnt" || umount "$mnt"
	stop_daemon
	no_peer_pool
	rm -rf "$work/containerd" "$work/run"
	return $status
}

part_commit() {
	local round
	make_context
	shown load_shell || return 1
	shown one_changed changed "$image" "$changed" || return 1
	for ((round = 0; round < BENCH_RUNS; round++)); do
		shown run_commit '' changed
	done
	if shown "$VENEER" import "$BENCH/many.tar" many:1 && shown one_changed many many:1 /many/d0/p0/module-0.bin; then
		for ((round = 0; round < BENCH_RUNS; round++)); do
			shown run_commit '' changed
			shown run_commit -many many
		done
	fi
	shown docker_loaded && shown times "$BENCH_SLOW_RUNS" run_commit_dockerd
	docker_down
	export DM_DISABLE_UDEV=1 PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
	shown times "$BENCH_SLOW_RUNS" run_containerd_diff
}

print_commit() {
	printf '\nOne changed file in a container of the large image; ratio to dockerd\n'
	row 'veneer diff' diff diff-dockerd
	row 'veneer diff, ten times the files' diff-many diff-dockerd
	row 'dockerd devicemapper: docker diff' diff-dockerd diff-dockerd
	row 'containerd devmapper: ctr snapshots diff' diff-containerd diff-dockerd
	row 'veneer commit' commit commit-dockerd
	row 'veneer commit, ten times the files' commit-many commit-dockerd
	row 'dockerd devicemapper: docker commit' commit-dockerd commit-dockerd
	target 'diff, s' "$(median diff)" 1
	target 'commit, s' "$(median commit)" 1
	target 'diff with ten times the files' "$(ratio diff-many diff)" 1.5
	target 'commit with ten times the files' "$(ratio commit-many commit)" 1.5
}

# ---- create ----
#
# The hundreds are made on a disk, and on one that is slow to write: what that adds to one create,
# and what it adds to each of a hundred at once.

run_create() { # NAME
	timed "$1" "$VENEER" create --name one tiny:1 /hello && "$VENEER" rm one
}

run_create_dockerd() {
	timed create-dockerd "${docker[@]}" create --name one tiny:1 /hello && "${docker[@]}" rm one
}

# A container gets its volume when it is first used: here is what both take.
run_use() {
	timed create-cp bash -c '"$VENEER" create --name one tiny:1 /hello && "$VENEER" cp "$BENCH/tiny.tar" one:/tar' &&
		"$VENEER" rm one
}

run_use_dockerd() {
	timed create-cp-dockerd bash -c '"$@" create --name one tiny:1 /hello && "$@" cp "$BENCH/tiny.tar" one:/tar' \
		docker "${docker[@]}" && "${docker[@]}" rm one
}

# many COUNT ARG... - creates at once
many() {
	local n pids=() status=0
	for ((n = 0; n < $1; n++)); do
		"$VENEER" create "${@:2}" >/dev/null &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || status=1; done
	return $status
}

no_containers() { "$VENEER" container prune -f; }

# run_parallel SUFFIX DISK - the whole store on it, the catalogue in a file system of its own
run_parallel() {
	local sectors root=2097152 status=0
	sectors=$(blockdev --getsz "$2")
	dmsetup create peer-root --table "0 $root linear $2 0" &&
		dmsetup create peer-rest --table "0 $((sectors - root)) linear $2 $root" && dmsetup mknodes &&
		mkfs.ext4 -qF /dev/mapper/peer-root && mkdir -p "$work/parallel" &&
		mount /dev/mapper/peer-root "$work/parallel" || return 1
	export VENEER_ROOT=$work/parallel/root
	export -f many
	"$VENEER" pool create --force --data /dev/mapper/peer-rest && "$VENEER" import "$BENCH/tiny.tar" tiny:1 &&
		times 10 timed "serial$1" "$VENEER" create tiny:1 /hello &&
		timed "parallel$1" bash -c 'many 100 tiny:1 /hello' || status=1
	no_containers
	"$VENEER" pool destroy --force
	umount "$work/parallel"
	dmsetup remove --retry peer-rest
	dmsetup remove --retry peer-root
	return $status
}

part_create() {
	local sectors round beside=
	shown make_pool || return 1
	shown docker_up && shown "${docker[@]}" import "$BENCH/tiny.tar" tiny:1 && beside=1
	shown run_create create-first # of an image it makes more than the next
	for ((round = 0; round < 3 * BENCH_RUNS + 1; round++)); do # interleaved
		shown run_create create
		shown run_use
		[ -z "$beside" ] || { shown run_create_dockerd && shown run_use_dockerd; }
		timed nothing /bin/true
	done
	docker_down
	(shown run_parallel '' "$DISK2")
	sectors=$(blockdev --getsz "$DISK2")
	dmsetup create peer-slow --table "0 $sectors delay $DISK2 0 0 $DISK2 0 20" && dmsetup mknodes
	(shown run_parallel -slow /dev/mapper/peer-slow)
	dmsetup remove --retry peer-slow
}

print_create() {
	printf '\nA container of a small image; ratio to dockerd, or to one by one\n'
	row 'veneer create' create create-dockerd
	row 'the first of an image' create-first create-dockerd
	row 'dockerd devicemapper: docker create' create-dockerd create-dockerd
	row 'veneer create and a cp into it' create-cp create-cp-dockerd
	row 'dockerd: the same' create-cp-dockerd create-cp-dockerd
	row 'veneer create, one by one' serial serial
	row '100 of them at once' parallel serial
	row 'one by one, a disk of 20 ms for each write' serial-slow serial
	row '100 of them at once, the same disk' parallel-slow serial
	row '/bin/true' nothing create-dockerd
	target 'create / dockerd' "$(ratio create create-dockerd)" 0.1
	# Were the creates in line for the disk, each would add what one adds.
	target '100 creates: share of the wait for a slow disk that adds up' "$(awk -v p="$(median parallel)" \
		-v q="$(median parallel-slow)" -v s="$(median serial)" -v t="$(median serial-slow)" \
		'BEGIN { if (t > s && p && q) print (q - p) / 100 / (t - s) }')" 0.25
}

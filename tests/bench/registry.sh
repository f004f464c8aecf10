# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# registry.sh - part of inside.sh: pull and push, with Debian's registry on the loopback
#
# REGISTRY is the registry's folder, which has the image of image.sh as bench:1 already. veneer's
# pool is on DISK1, containerd's on DISK2. skopeo only keeps the layers in a folder, as they came.
# shellcheck disable=SC2153,SC2154,SC2016 # of inside.sh; what stands in single quotes is for another shell

registry=
host=localhost:5000

registry_up() {
	[ -z "$registry" ] || return 0
	ip link set lo up
	cat >"$work/registry.yml" <<END
version: 0.1
storage: { filesystem: { rootdirectory: $REGISTRY } }
http: { addr: 127.0.0.1:5000 }
END
	"$PEERS/usr/bin/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
	registry=$!
	wait_for 60 bash -c ': </dev/tcp/127.0.0.1/5000'
}

registry_down() {
	[ -z "$registry" ] || kill "$registry"
	registry=
}

# How many requests it has answered
requests() { grep -c 'http.response.status' "$work/registry.log"; }

# Seconds of the processor that the registry has used, beside which a pull runs here.
registry_seconds() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$registry/stat"; }

run_pull() {
	local before
	rest
	before=$(registry_seconds)
	timed pull "$VENEER" pull -q "$host/bench:1" || return 1
	awk -v from="$before" -v to="$(registry_seconds)" 'BEGIN { print to - from }' >>"$RESULTS/served"
}

# Everything is here: what is asked, and how long the same questions take curl(1).
run_present() {
	local before asked urls=()
	before=$(requests)
	timed present "$VENEER" pull -q "$host/bench:1" || return 1
	asked=$(($(requests) - before))
	echo "$asked" >>"$RESULTS/asked"
	for ((; asked > 0; asked--)); do urls+=("http://$host/v2/bench/manifests/1"); done
	timed curl curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "${urls[@]}"
}

# What any pull of it has to wait for: its layers come, and are thrown away.
run_transfer() {
	local urls=()
	mapfile -t urls < <(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
		"http://$host/v2/bench/manifests/1" | jq -r --arg host "$host" '.layers[] | "http://\($host)/v2/bench/blobs/\(.digest)"')
	rest
	timed transfer curl -s "${urls[@]}" >/dev/null
}

run_registry_load() {
	rest
	timed registry-load "$VENEER" load -q -i "$BENCH/oci.tar" && "$VENEER" rmi bench:1 >/dev/null
}

run_skopeo_pull() {
	rest
	timed skopeo-pull skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$host/bench:1" "dir:$work/dir"
	local status=$?
	rm -rf "$work/dir"
	return $status
}

run_containerd_pull() {
	{ peer_pool && start_containerd; } || { tail -n 5 "$work/containerd.log"; stop_daemon; no_peer_pool; return 1; }
	rest
	timed containerd-pull "$PEERS/usr/bin/ctr" -a "$work/containerd.sock" images pull --plain-http --snapshotter devmapper "$host/bench:1"
	local status=$?
	stop_daemon
	no_peer_pool
	rm -rf "$work/containerd" "$work/run"
	return $status
}

# A layer of 200 MB that was built here and is pushed by nobody yet: of what the image's files have
build_layer() { # N
	rm -rf "$work/push"
	mkdir "$work/push"
	tail -c +"$(($1 * 1000000 + 1))" "$BENCH/docker.tar" | head -c 200000000 >"$work/push/file"
	printf 'FROM %s/bench:1\nCOPY file /file\n' "$host" >"$work/push/Dockerfile"
	"$VENEER" build -q -t "$host/bench:built$1" "$work/push" >/dev/null
}

run_push() {
	rest
	timed push "$VENEER" push -q "$host/bench:built$1"
}

run_pigz() {
	rest
	timed pigz bash -c '"$1" -1 <"$2" >"$3"' pigz "$PEERS/usr/bin/pigz" "$work/push/file" "$work/push/gz"
}

part_registry() {
	local round
	export DM_DISABLE_UDEV=1 PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
	make_pool
	registry_up || { tail -n 5 "$work/registry.log"; return 1; }
	for ((round = 0; round < BENCH_RUNS; round++)); do
		shown run_registry_load
		shown run_pull
		shown run_transfer
		shown times 5 run_present
		[ "$round" = $((BENCH_RUNS - 1)) ] || "$VENEER" rmi "$host/bench:1" >/dev/null
	done
	shown times "$BENCH_SLOW_RUNS" run_skopeo_pull
	shown times "$BENCH_SLOW_RUNS" run_containerd_pull
	for ((round = 0; round < BENCH_SLOW_RUNS; round++)); do
		shown build_layer "$round" && shown run_pigz && shown run_push "$round"
	done
	registry_down
	rm -rf "$work/push"
	"$VENEER" images -q "$host/bench" | uniq | xargs "$VENEER" rmi -f >/dev/null
}

print_registry() {
	printf '\nFrom a registry on the loopback; ratio to load of the same image as an archive\n'
	row 'veneer load' registry-load registry-load
	row 'veneer pull' pull registry-load
	row 'of that the registry, which has the same processor' served registry-load
	row 'curl of its layers, thrown away' transfer registry-load
	row 'skopeo copy to a folder, nothing unpacked' skopeo-pull registry-load
	row 'containerd devmapper: ctr images pull' containerd-pull registry-load
	row 'veneer pull, everything is here' present registry-load
	row 'curl: the same requests' curl registry-load
	awk -v push="$(median push)" -v pigz="$(median pigz)" 'BEGIN {
		if (push && pigz)
			printf "  push of a built layer of 200 MB: %.1f MB/s; pigz -1 of it alone: %.1f MB/s\n", 200 / push, 200 / pigz }'
	target 'pull / containerd' "$(ratio pull containerd-pull)" 0.2
	target 'pull / load' "$(ratio pull registry-load)" 1.15
	target 'requests when everything is here' "$(median asked)" 3
	target 'beyond curl, ms' "$(beyond present curl | awk '{ print $1 * 1e3 }')" 100
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# record.sh run|show|write ... - lets the peers build the Dockerfile cases (see record.py)
#
# Needs root, and no kernel but the machine's own. The peers are
#
#	build/peers     Debian 12's docker.io, containerd and runc (make deps-bench)
#	buildah         as it is installed
#	build/debian13  if it is there, a root of Debian 13 with docker.io, docker-buildx and buildah:
#	                debootstrap --variant=minbase --include=docker.io,docker-cli,docker-buildx,containerd,runc,buildah,crun \
#	                    trixie build/debian13
#
# Their stores, contexts and results are below build/recording; no network is used.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
base=${RECORDING:-$top/build/recording}
newer=${DEBIAN13:-$top/build/debian13}
peers=${PEERS:-$top/build/peers}
export RESULTS=$base/results WORK=$base/work BASES=$base/dockerfiles.tar
export PATH=$peers/usr/bin:$peers/usr/sbin:$PATH

case ${1:-} in
show | write) exec python3 "$here/record.py" "$@" ;;
run) ;;
*)
	sed -n '4,5p' "$0" >&2
	exit 1
	;;
esac

# Mounts are seen in here only, and go when it ends.
[ -n "${RECORD_INSIDE:-}" ] || RECORD_INSIDE=1 exec unshare -m "$0" "$@"
mount --make-rprivate /
mkdir -p "$WORK" "$RESULTS"
[ -e "$base/busybox" ] || {
	"$top/tests/deps.sh" --download "$base/packages" busybox-static
	cp "$(find "$base/packages" -path '*bin/busybox' | head -n 1)" "$base/busybox"
}
python3 "$here/make_base.py" "$base/busybox" "$BASES"

started=()
stop() {
	[ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
	wait
}
trap stop EXIT

# docker_daemon NAME CLIENT COMMAND... - its socket is base/NAME.sock
docker_daemon() {
	local name=$1 client=$2 version
	shift 2
	"$@" -H "unix://$base/$name.sock" --data-root "$base/$name" --exec-root "/run/record-$name" \
		-p "$base/$name.pid" --iptables=false --ip6tables=false --bridge=none \
		--storage-driver vfs >"$base/$name.log" 2>&1 &
	started+=($!)
	for _ in $(seq 60); do
		version=$(DOCKER_HOST=unix://$base/$name.sock docker version -f '{{.Server.Version}}' 2>/dev/null) && break
		sleep 0.5
	done
	DOCKER_HOST=unix://$base/$name.sock docker load -q -i "$BASES"
	DOCKERS="${DOCKERS:-}${version%%+*}=unix://$base/$name.sock=$client;"
}

# buildah_here COMMAND... - one buildah; @CWD@ in the command is where it is called
buildah_here() {
	local name version call
	for name in bare base parent trigger; do
		call=("${@//@CWD@/$base}")
		"${call[@]}" pull -q "docker-archive:$BASES:docker.io/library/$name:latest" >/dev/null
	done
	version=$("${call[@]}" --version | cut -d ' ' -f 3)
	BUILDAHS="${BUILDAHS:-}$version=$*;"
}

docker_daemon docker12 docker dockerd
buildah_here buildah --storage-driver vfs --root "$base/buildah12" --runroot /run/record-buildah12

if [ -d "$newer" ]; then
	mount --bind "$newer" "$newer"
	mkdir -p "$newer$base" "$newer/etc/containers"
	mount --bind "$base" "$newer$base"
	mount -t proc proc "$newer/proc"
	mount --rbind /sys "$newer/sys"
	mount --rbind /dev "$newer/dev"
	mount -t tmpfs tmpfs "$newer/run"
	[ -e "$newer/etc/containers/policy.json" ] ||
		echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$newer/etc/containers/policy.json"
	cat >"$newer/in-folder" <<'END'
#!/bin/sh
cd "$1" && shift && exec "$@"
END
	chmod +x "$newer/in-folder"
	docker_daemon docker13 "chroot $newer /in-folder @CWD@ docker" chroot "$newer" dockerd
	buildah_here chroot "$newer" /in-folder @CWD@ buildah --storage-driver vfs \
		--root "$base/buildah13" --runroot /run/record-buildah13
fi
export DOCKERS BUILDAHS
python3 "$here/record.py" "$@"

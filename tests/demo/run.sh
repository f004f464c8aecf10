#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh VENEER IMAGES - the main job on a real image, step by step
#
# Loads a Debian that debootstrap, umoci and skopeo made, looks at it, mounts
# it, builds an application on it, runs and changes that, takes it to a registry
# and back, and removes everything again. In the host's kernel where it has
# dm-thin, otherwise in the appliance; the commands are the same.
set -euo pipefail

veneer=$1
images=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-demo.XXXXXX")
mnt=$work/mnt
app=$work/app
mkdir "$mnt" "$app"
export VENEER_ROOT=$work/root

registry=
# The appliance keeps running while something is mounted in it; nothing may outlive the demo.
finish() {
	[ -z "$registry" ] || kill "$registry"
	"$veneer" appliance stop >/dev/null 2>&1 || true
	rm -rf --one-file-system "$work"
}
trap finish EXIT

show() {
	printf '\n\033[1m$ veneer %s\033[0m\n' "$*"
	"$veneer" "$@"
}

# Where the image is mounted is where a program must run to see it.
inside() {
	printf '\n\033[1m$ %s\033[0m\n' "$*"
	if "$veneer" appliance status >/dev/null 2>&1; then
		"$veneer" appliance exec "$@"
	else
		"$@"
	fi
}

# Of our own, on the loopback, at $host; `make deps` has unpacked it.
start_registry() {
	local port
	port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
	host=localhost:$port
	cat >"$work/registry.yml" <<-END
		version: 0.1
		storage: { filesystem: { rootdirectory: $work/registry } }
		http: { addr: 127.0.0.1:$port }
	END
	PATH=$PATH:$(dirname "$images")/peers/usr/bin docker-registry serve "$work/registry.yml" \
		>"$work/registry.log" 2>&1 &
	registry=$!
	for _ in $(seq 100); do
		! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
		sleep 0.1
	done
	cat "$work/registry.log"
	return 1
}

show load -i "$images/docker.tar"
show tag debian:12 demo:latest
show images
show history debian:12
show layers debian:12
show pool status
show mount debian:12 "$mnt"
inside ls "$mnt"
inside cat "$mnt/etc/debian_version"
show unmount "$mnt"
show run --rm debian:12 head -n 1 /etc/os-release

cp -r "$images/debs" "$app/debs"
# shellcheck disable=SC2016 # for the shell in the container
printf '#!/bin/sh\necho "$GREETING from $(hostname), built in two stages:"\ncat banner\n' >"$app/hello"
cat >"$app/Dockerfile" <<'END'
FROM debian:12 AS banner
RUN --mount=type=bind,source=debs,target=/debs dpkg -i /debs/*.deb
RUN figlet veneer >/banner

FROM debian:12
ENV GREETING=hello
WORKDIR /srv/app
COPY --from=banner /banner .
COPY --chmod=755 hello /usr/local/bin/
ENTRYPOINT ["hello"]
END
printf '\n\033[1m$ cat Dockerfile\033[0m\n'
cat "$app/Dockerfile"
show build -t app "$app"
show run --rm --hostname demo app
printf '\nThe same again: every step is in the cache.\n'
show build -t app "$app"
show run --name changed --entrypoint sh app -c 'echo by hand >>banner; rm /etc/motd; touch /new'
show diff changed
show commit -m 'changed by hand' changed app:changed
show history app:changed
show layers app:changed
show images
show rm changed
show system df -v
start_registry
printf '\nA registry runs at %s. The image goes there, is removed here, and is run from there.\n' "$host"
show tag app:latest "$host/app:1"
show push "$host/app:1"
show rmi app:changed app:latest "$host/app:1"
show builder prune -a -f
show run --rm --hostname demo "$host/app:1"
show pull "$host/app:1"
show rmi "$host/app:1" demo:latest debian:12
show builder prune -a -f
show check
show pool destroy --force
printf '\nNothing is left: no mount, no device, no file.\n'

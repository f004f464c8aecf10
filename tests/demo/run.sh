#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh VENEER IMAGES - the main job on a real image, step by step
#
# Loads a Debian that debootstrap, umoci and skopeo made, looks at it, mounts
# it, and takes everything away again. In the host's kernel where it has
# dm-thin, otherwise in the appliance; the commands are the same.
set -euo pipefail

veneer=$1
images=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-demo.XXXXXX")
mnt=$work/mnt
mkdir "$mnt"
export VENEER_ROOT=$work/root

# The appliance keeps running while something is mounted in it; nothing may outlive the demo.
finish() {
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
show system df -v
show rmi demo:latest debian:12
show check
show pool destroy --force
printf '\nNothing is left: no mount, no device, no file.\n'

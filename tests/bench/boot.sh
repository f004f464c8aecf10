#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh [FOLDER [IMAGES]] - what a server's boot costs beside the kernel calls alone
#
# A debootstrapped Debian with the package boots twice in User-Mode Linux; at the end of the second
# boot boot-inside.sh stops and starts what its plan needs, and does the same by dmsetup and mount,
# round by round. Needs root, and the package of `make deb`. Prints milliseconds, medians.
set -euo pipefail

mkdir -p "${1:-build/boot}"
folder=$(cd "${1:-build/boot}" && pwd)
# shellcheck disable=SC2034 # for lib.sh
images=$(cd "${2:-build/images}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/boot/lib.sh
. "$here/../boot/lib.sh"
# shellcheck disable=SC2034 # for lib.sh
disk=$folder/bench-disk

debian
server
report "$here/boot-inside.sh"
plan web '{ "image": "debian:12", "archive": "/srv/images/oci.tar",
  "volume": { "name": "web", "size": "12G", "mount": "/srv/web", "options": "nodev" } }'
make_disk
trap 'rm -f "$disk"' EXIT
boot 300 || exit
# Loading the image is most of the first one.
sed -n 's/^.*bench|/first boot: /p' "$folder/console"
boot 300 || exit
sed -n 's/^.*bench|/second boot: /p' "$folder/console"

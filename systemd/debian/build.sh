#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh FOLDER - the Debian package of what is built, into FOLDER
#
# `make deb` calls it, with VERSION. A package of this machine's release comes
# out: the libraries that it needs are those that it was linked with.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
tree=$out/veneer
log=$out/build.log
umask 022

# With the time of the last change in it, two builds of one commit are the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH VENEER_TOP=$top

maintainer() {
	sed -n 's/^Maintainer: //p' "$here/control"
}

rm -rf --one-file-system "$tree"
rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mkdir "$tree"
cp -r "$here" "$tree/debian"
rm "$tree/debian/build.sh"
cat >"$tree/debian/changelog" <<END
veneer ($VERSION) unstable; urgency=medium

  * Built from the sources of this version.

 -- $(maintainer)  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

if ! (cd "$tree" && dpkg-buildpackage --build=binary --no-sign) >"$log" 2>&1; then
	tail -n 40 "$log" >&2
	printf 'build.sh: dpkg-buildpackage failed; all of it is in %s\n' "$log" >&2
	exit 1
fi
ls "$out"/*.deb

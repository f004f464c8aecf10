#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh [--download FOLDER] PACKAGE... - install Debian packages that are missing
#
# With --download they are unpacked into FOLDER instead, so that a daemon among
# them is neither configured nor started. There 'A|B' is the first that this release has.
set -euo pipefail

folder=
if [ "${1:-}" = --download ]; then
	folder=$2
	shift 2
fi

# here_already A|B... - one of them is in the folder
here_already() {
	local name
	for name in ${1//|/ }; do
		[ ! -e "$folder/.$name" ] || return 0
	done
	return 1
}

# in_release A|B... - prints the first that apt knows, or the last
in_release() {
	local name
	for name in ${1//|/ }; do
		[ -z "$(apt-cache show "$name" 2>/dev/null || true)" ] || break
	done
	echo "$name"
}

missing=()
for package in "$@"; do
	if [ -n "$folder" ]; then
		here_already "$package" || missing+=("$package")
	elif ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$'; then
		missing+=("$package")
	fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] && [ -z "$folder" ]; then
	printf 'These packages are missing; install them as root:\n  apt-get install %s\n' "${missing[*]}" >&2
	exit 1
fi

printf '  %-7s %s\n' DEPS "${missing[*]}" >&2
[ "$(id -u)" != 0 ] || apt-get update -qq
if [ -z "$folder" ]; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	exit 0
fi

mkdir -p "$folder"
for package in "${missing[@]}"; do
	package=$(in_release "$package")
	scratch=$(mktemp -d)
	(cd "$scratch" && apt-get download -qq -o APT::Sandbox::User=root "$package" >/dev/null)
	dpkg -x "$scratch"/*.deb "$folder"
	rm -rf "$scratch"
	touch "$folder/.$package"
done

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# package.sh IMAGES - the Debian package, put into a Debian, upgraded and taken out again
#
# Needs root, for a chroot in a Debian of this machine's release, for which the package was built:
# IMAGES/layer1.tar has 12 (tests/images/make.sh), any other is kept as IMAGES/package-RELEASE.tar.
# What the package depends on is not installed there: that is apt's work.
set -uo pipefail

images=$1
here=$(pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-package.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
passed=0
failed=0

# ok NAME COMMAND... - succeeds
ok() {
	if "${@:2}" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: %s\n' "$1"
	tail -n 20 "$work/out"
}

# same NAME EXPECTED ACTUAL
same() {
	ok "$1" test "$2" = "$3"
	[ "$2" = "$3" ] || printf -- '--- expected\n%s\n--- got\n%s\n' "$2" "$3"
}

dpkg_in() {
	chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH="$PATH" dpkg --force-depends "$@"
}

# Everything but the records of dpkg itself.
files_in() {
	(cd "$root" && find . -path ./var/lib/dpkg -prune -o -path ./var/log -prune -o -path ./tmp -prune \
		-o -print | sort)
}

make_root() {
	local release tar=$images/layer1.tar
	release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	mkdir "$root"
	if [ "$release" != bookworm ]; then
		tar=$images/package-$release.tar
		[ -e "$tar" ] || { debootstrap --variant=minbase "$release" "$work/base" &&
			tar -cf "$tar.part" --one-file-system -C "$work/base" . && mv "$tar.part" "$tar"; } || return 1
	fi
	tar -xf "$tar" -C "$root"
}

# The same package, of an earlier version, with a file that is gone since.
make_older() {
	dpkg-deb -R "$deb" "$work/older" &&
		sed -i 's/^Version: .*/Version: 0.0.1~test/' "$work/older/DEBIAN/control" &&
		: >"$work/older/usr/share/doc/veneer/older" &&
		dpkg-deb -b "$work/older" "$root/tmp/older.deb"
}

has_files() {
	local file
	same 'the program runs' "veneer version $version," "$(chroot "$root" veneer --version | sed 's/ build.*//')"
	"$root/usr/bin/veneer" help --man "$work/man"
	for file in "$work"/man/*.1; do
		ok "man page ${file##*/}" cmp "$file" <(zcat "$root/usr/share/man/man1/${file##*/}.gz")
	done
	for file in systemd/*.service systemd/*.timer systemd/*.target systemd/*.socket systemd/*.path; do
		[ ! -e "$file" ] || ok "unit $file" cmp "$file" "$root/lib/systemd/system/${file##*/}"
	done
	ok 'the generator' test -x "$root/usr/lib/systemd/system-generators/veneer-generator"
	for file in udev/*.rules.in; do
		ok "the udev rules $file" cmp "$file" "$root/usr/lib/udev/rules.d/$(basename "$file" .in)"
	done
	ok 'the completion' bash -n "$root/usr/share/bash-completion/completions/veneer"
	ok 'the licence' grep -q Apache-2.0 "$root/usr/share/doc/veneer/copyright"
	ok 'the folder of the configuration' test -d "$root/etc/veneer"
	same 'the plugin of docker' ../../../bin/veneer \
		"$(readlink "$root/usr/libexec/docker/cli-plugins/docker-veneer")"
}

# docker WORD... - the real one, with the plugin that the package brings
docker_with_plugin() {
	"$here/build/peers/usr/bin/docker" --config "$work/docker" "$@" 2>&1
}

works_as_plugin() {
	if [ ! -x build/peers/usr/bin/docker ]; then
		[ -z "${PLUGIN_MUST_WORK:-}" ] || ok 'a docker to test with' false
		echo 'skip the plugin: no docker in build/peers (make deps)'
		return
	fi
	mkdir -p "$work/docker/cli-plugins"
	ln -s "$root/usr/bin/veneer" "$work/docker/cli-plugins/docker-veneer"
	# Before 24 it says the plugin's maker and version as well.
	ok 'docker lists the plugin' grep -qE "veneer\* .*without a daemon( \(veneer, $version\))?$" \
		<(docker_with_plugin --help)
	same 'docker veneer' "veneer version $version," "$(docker_with_plugin veneer --version | sed 's/ build.*//')"
	same "docker's options go on" "veneer version $version," \
		"$(docker_with_plugin --debug -l error veneer --version | sed 's/ build.*//' | tail -n 1)"
	same 'docker help veneer' 'Usage:  veneer [OPTIONS] COMMAND' "$(docker_with_plugin help veneer | head -n 1)"
	same 'an exit status' 125 "$(docker_with_plugin veneer images --nothing >/dev/null; echo $?)"
	same 'no daemon' "docker's option --host says where a daemon is, and veneer has none: leave it out" \
		"$(docker_with_plugin --host tcp://127.0.0.1:1 veneer images)"
}

if ! make --no-print-directory deb >"$work/log" 2>&1; then
	cat "$work/log"
	echo 'package: 0 passed, 1 failed'
	exit 1
fi
deb=$(ls build/deb/veneer_*.deb)
version=$(dpkg-deb -f "$deb" Version)
ok 'lintian' lintian --fail-on error --allow-root "$deb"

ok 'a Debian to install it in' make_root
files_in >"$work/before"
ok 'an older version' make_older
cp "$deb" "$root/tmp/new.deb"
ok 'install' dpkg_in -i /tmp/older.deb
mkdir -p "$root/var/lib/veneer/blobs"
echo '{}' >"$root/var/lib/veneer/pool.json"
echo '{}' >"$root/etc/veneer/veneer.json"
ok 'upgrade' dpkg_in -i /tmp/new.deb
same 'the version' "$version" "$(chroot "$root" dpkg-query -W -f '${Version}' veneer)"
ok 'what the older one had is gone' test ! -e "$root/usr/share/doc/veneer/older"
has_files
works_as_plugin
ok 'remove' dpkg_in -r veneer
ok 'the program is gone' test ! -e "$root/usr/bin/veneer"
ok 'the store stays' test -e "$root/var/lib/veneer/pool.json"
ok 'the configuration stays' test -e "$root/etc/veneer/veneer.json"
said=$(dpkg_in -P veneer 2>&1)
ok 'a purge says that the pool stays' grep -q 'veneer: /var/lib/veneer holds a pool' <<<"$said"
ok 'the pool stays' test -e "$root/var/lib/veneer/pool.json" -a -e "$root/etc/veneer/veneer.json"
ok 'install anew' dpkg_in -i /tmp/new.deb
rm "$root/var/lib/veneer/pool.json"
ok 'purge without a pool' dpkg_in -P veneer
same 'nothing is left' '' "$(diff "$work/before" <(files_in))"

printf 'package: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

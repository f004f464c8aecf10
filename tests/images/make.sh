#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# make.sh FOLDER - real image archives, made by tools that are not ours
#
# A Debian from debootstrap becomes an image of two layers (the system, then a
# change with a whiteout), packed by umoci and skopeo in every dialect we read:
#
#	FOLDER/oci/             OCI layout, gzip layers (umoci)
#	FOLDER/oci.tar          the same as an archive (skopeo)
#	FOLDER/oci-zstd.tar     with zstd layers (skopeo)
#	FOLDER/docker.tar       docker-archive, plain layers (skopeo)
#	FOLDER/docker.tar.zst   the same, compressed outside
#	FOLDER/layer1.tar       the system's tar, as debootstrap and GNU tar made it
#	FOLDER/dockerfiles.tar  what the cases of tests/build begin from
#	FOLDER/debs/            a package for it that it has not installed
#
# What is there already is kept, so a second run costs nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
suite=${SUITE:-bookworm}
name=debian:12
umask 022

step() { printf '  %-7s %s\n' IMAGE "$1" >&2; }

# Everything is made in a folder of its own and renamed when whole.
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

make_root() {
	[ -e "$out/layer1.tar" ] && [ -e "$out/debs" ] && return
	step "debootstrap $suite"
	debootstrap --variant=minbase --include=libcap2-bin,iputils-ping,figlet "$suite" "$work/root" >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; exit 1; }
	mkdir "$work/debs"
	cp "$work/root/var/cache/apt/archives/"figlet_*.deb "$work/debs"
	chroot "$work/root" dpkg --purge figlet >>"$work/log" 2>&1
	rm -rf "$work/root/var/cache/apt/archives/"*.deb "$work/root/var/lib/apt/lists/"*
	# As in the slim images that are made of Debian: half of the files, which no container asks for.
	rm -rf "$work/root/usr/share/"{locale,man,zoneinfo,info}/*
	tar --create --numeric-owner --xattrs --xattrs-include='*' --sort=name --format=posix \
		--one-file-system -C "$work/root" -f "$work/layer1.tar" .
	rm -rf "$out/debs"
	mv "$work/debs" "$out/debs"
	mv "$work/layer1.tar" "$out/layer1.tar"
}

make_change() {
	mkdir -p "$work/change/etc" "$work/change/usr/share" "$work/change/srv/app"
	echo veneer-test >"$work/change/etc/hostname"
	head -c 3000000 /dev/urandom >"$work/change/srv/app/data"
	ln -s /etc/hostname "$work/change/srv/app/name"
	: >"$work/change/usr/share/.wh.doc"
	tar --create --numeric-owner --owner=0 --group=0 --format=posix -C "$work/change" \
		-f "$work/layer2.tar" .
}

make_oci() {
	[ -e "$out/oci/index.json" ] && return
	step "OCI layout (umoci)"
	make_change
	umoci init --layout "$work/oci"
	umoci new --image "$work/oci:12"
	umoci raw add-layer --image "$work/oci:12" --history.created_by 'debootstrap bookworm' \
		"$out/layer1.tar"
	umoci raw add-layer --image "$work/oci:12" --history.created_by 'COPY app /srv' \
		"$work/layer2.tar"
	umoci config --image "$work/oci:12" --config.cmd /bin/bash --config.env LANG=C.UTF-8 \
		--config.label org.example.team=storage --no-history
	umoci gc --layout "$work/oci"
	rm -rf "$out/oci" && mv "$work/oci" "$out/oci"
}

make_dockerfiles() {
	[ "$out/dockerfiles.tar" -nt "$here/../build/make_base.py" ] && return
	step 'bases of the Dockerfile cases'
	"$here/../deps.sh" --download "$work/busybox" busybox-static
	python3 "$here/../build/make_base.py" "$(find "$work/busybox" -path '*bin/busybox' | head -n 1)" "$work/bases"
	mv "$work/bases" "$out/dockerfiles.tar"
}

copy() { # SOURCE DESTINATION FILE [OPTIONS...]
	[ -e "$out/$3" ] && return
	step "$3 (skopeo)"
	skopeo --insecure-policy copy -q "${@:4}" "$1" "$2:$work/$3:$name"
	mv "$work/$3" "$out/$3"
}

make_root
make_oci
make_dockerfiles
copy "oci:$out/oci:12" oci-archive oci.tar
copy "oci:$out/oci:12" docker-archive docker.tar
# From plain layers, since skopeo leaves compressed ones as they are.
copy "docker-archive:$out/docker.tar" oci-archive oci-zstd.tar --dest-compress-format zstd
[ -e "$out/docker.tar.zst" ] || { zstd -q -3 "$out/docker.tar" -o "$work/z" && mv "$work/z" "$out/docker.tar.zst"; }

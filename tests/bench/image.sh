#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# image.sh FOLDER - the image that the benchmark unpacks, packed by umoci and skopeo
#
#	FOLDER/oci.tar       OCI archive: two gzip layers and a small one of whiteouts
#	FOLDER/docker.tar    the same as docker-archive, plain layers (skopeo makes no others)
#	FOLDER/layerN.tar.gz the layers of oci.tar by themselves, N from 1
#	FOLDER/tiny.tar      a root file system of one file
#	FOLDER/shell.tar     docker-archive: the image and one layer more, with sh, rm and true
#	FOLDER/many.tar      a root file system of ten times the image's files, all empty
#
# What is there already is kept.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
name=bench:1
umask 022

step() { printf '  %-7s %s\n' IMAGE "$1" >&2; }

if [ -e "$out/whole" ] && [ -e "$out/whole-shell" ]; then exit 0; fi
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

blob() { printf '%s/oci/blobs/%s' "$work" "$(tr : / <<<"$1")"; }

make_image() {
	step 'layers of the benchmark (890 MB)'
	python3 "$here/make_image.py" "$work"
	step 'OCI layout (umoci)'
	umoci init --layout "$work/oci"
	umoci new --image "$work/oci:1"
	for n in 1 2 3; do
		umoci raw add-layer --image "$work/oci:1" --history.created_by "layer $n" "$work/layer$n.tar"
		rm "$work/layer$n.tar"
	done
	umoci gc --layout "$work/oci"
	step 'archives (skopeo)'
	skopeo --insecure-policy copy -q "oci:$work/oci:1" "oci-archive:$work/oci.tar:$name"
	skopeo --insecure-policy copy -q "oci:$work/oci:1" "docker-archive:$work/docker.tar:$name"

	manifest=$(blob "$(jq -r '.manifests[0].digest' "$work/oci/index.json")")
	n=1
	for digest in $(jq -r '.layers[].digest' "$manifest"); do
		mv "$(blob "$digest")" "$work/layer$n.tar.gz"
		n=$((n + 1))
	done
	mkdir "$work/tiny"
	echo hello >"$work/tiny/hello"
	tar --create --numeric-owner --owner=0 --group=0 --mtime=@1700000000 -C "$work/tiny" \
		-f "$work/tiny.tar" hello
	mv "$work"/*.tar "$work"/*.tar.gz "$out/"
	touch "$out/whole"
}

# A shell and what it needs, from this machine; the peers run the same bytes.
make_shell() {
	local program
	step 'the same with a shell'
	rm -rf "$work/oci"
	mkdir -p "$work/shell/bin"
	for program in dash rm true; do
		cp -L "/bin/$program" "$work/shell/bin/"
		ldd "/bin/$program" | grep -o '/[^ ]*' | while read -r library; do
			mkdir -p "$work/shell$(dirname "$library")"
			cp -L "$library" "$work/shell$library"
		done
	done
	mv "$work/shell/bin/dash" "$work/shell/bin/sh"
	tar --create --numeric-owner --owner=0 --group=0 --mtime=@1700000000 --sort=name \
		-C "$work/shell" -f "$work/layer.tar" .
	skopeo --insecure-policy copy -q "oci-archive:$out/oci.tar:$name" "oci:$work/oci:1"
	umoci raw add-layer --image "$work/oci:1" --history.created_by 'a shell' "$work/layer.tar"
	skopeo --insecure-policy copy -q "oci:$work/oci:1" "docker-archive:$work/shell.tar:bench-shell:1"
	step 'ten times the files'
	python3 "$here/make_many.py" 342000 >"$work/many.tar"
	mv "$work/shell.tar" "$work/many.tar" "$out/"
	touch "$out/whole-shell"
}

[ -e "$out/whole" ] || make_image
[ -e "$out/whole-shell" ] || make_shell

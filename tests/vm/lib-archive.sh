# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib-archive.sh - a small image as an archive of docker's

# make_archive NAME FILE [BYTES] - two gzip layers; the second has a whiteout
make_archive() {
	local dir=$WORK/make-$1 diffs=() files=() n
	mkdir -p "$dir/1/etc" "$dir/1/data" "$dir/2/etc"
	echo "$1" >"$dir/1/etc/name"
	head -c "${3:-300000}" /dev/urandom >"$dir/1/data/random"
	echo "$1 changed" >"$dir/2/etc/hostname"
	: >"$dir/2/.wh.data"
	for n in 1 2; do
		tar --create --numeric-owner --owner=0 --group=0 -C "$dir/$n" -f "$dir/$n.tar" .
		diffs+=("\"sha256:$(sha256sum <"$dir/$n.tar" | cut -d' ' -f1)\"")
		gzip -1 "$dir/$n.tar"
		files+=("\"$n.tar.gz\"")
	done
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%s,%s]}}' \
		"${diffs[@]}" >"$dir/config.json"
	printf '[{"Config":"config.json","RepoTags":["%s:1"],"Layers":[%s,%s]}]' "$1" "${files[@]}" \
		>"$dir/manifest.json"
	tar --create -C "$dir" -f "$2" manifest.json config.json 1.tar.gz 2.tar.gz
	rm -rf "$dir"
}

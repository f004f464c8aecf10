#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Archives of other people's tools become images; what is mounted is what they say.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mnt=$WORK/mnt
mkdir -p "$mnt"

# The tree as one line per file: everything that a layer's tar can say of it.
list_tree() {
	(cd "$1" && find . -xdev -mindepth 1 -printf '%P %y %m %U %G %n %l %T@ ' \
		\( -type f -printf '%s ' -o -printf '- ' \) -printf '\n' | LC_ALL=C sort)
}

load_one() {
	local archive=$1 input=$2
	case $input in
	file) out=$("$VENEER" load -i "$archive") ;;
	redirect) out=$("$VENEER" load <"$archive") ;;
	pipe) out=$(tail -c +1 "$archive" | "$VENEER" load) ;;
	esac
	is "Loaded image: debian:12" "$out"
	healthy
}

loads() {
	fresh_store 2G
	load_one "$@"
	"$VENEER" mount debian:12 "$mnt" >/dev/null
	is veneer-test "$(cat "$mnt/etc/hostname")"
	check 'the whiteout has removed usr/share/doc' test ! -e "$mnt/usr/share/doc"
	"$VENEER" unmount debian:12
	"$VENEER" rmi debian:12 >/dev/null
	healthy
}

# The same as GNU tar makes of it, attributes and contents.
equals_gnu_tar() {
	fresh_store 2G
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
	"$VENEER" mount debian:12 "$mnt" >/dev/null
	mkdir -p "$WORK/tar"
	tar --extract --numeric-owner --xattrs --xattrs-include='*' --same-owner -p \
		-C "$WORK/tar" -f "$IMAGES/layer1.tar"
	# What the second layer brought or removed is looked at above.
	for gone in srv/app usr/share/doc; do rm -rf "${WORK:?}/tar/$gone"; done
	list_tree "$WORK/tar" | grep -vE '^(srv|etc/hostname|usr|usr/share|etc) ' >"$WORK/tar.list"
	list_tree "$mnt" | grep -vE '^(srv|srv/app|srv/app/.*|etc/hostname|usr|usr/share|etc) ' >"$WORK/our.list"
	diff "$WORK/tar.list" "$WORK/our.list"
	(cd "$WORK/tar" && find . -type f ! -path ./etc/hostname -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$WORK/tar.sums"
	(cd "$mnt" && sha256sum --quiet -c "$WORK/tar.sums")
	getfattr -Rdhm- "$WORK/tar" 2>/dev/null | sed "s#^\# file: .*/tar/#f #" | grep -v '^$' | sort >"$WORK/tar.attrs"
	getfattr -Rdhm- "$mnt" 2>/dev/null | sed "s#^\# file: .*/mnt/#f #" | grep -v '^$' | sort >"$WORK/our.attrs"
	diff "$WORK/tar.attrs" "$WORK/our.attrs"
	"$VENEER" unmount "$mnt"
	rm -rf "$WORK/tar"
}

shares_layers() {
	fresh_store 2G
	"$VENEER" load -q -i "$IMAGES/docker.tar" >/dev/null
	before=$(pool_used)
	# The same layers, compressed otherwise, under another name of the same config.
	"$VENEER" load -q -i "$IMAGES/oci-zstd.tar" >/dev/null
	is "$before" "$(pool_used)" 'pool bytes'
	is 2 "$(layer_field ChainID | wc -l)" layers
}

two_at_once() {
	fresh_store 2G
	"$VENEER" load -q -i "$IMAGES/docker.tar" >"$WORK/a" &
	"$VENEER" load -q -i "$IMAGES/oci.tar" >"$WORK/b"
	wait $!
	is "Loaded image: debian:12" "$(cat "$WORK/a")"
	is "Loaded image: debian:12" "$(cat "$WORK/b")"
	is 2 "$(layer_field ChainID | wc -l)" layers
	healthy
}

sizes_are_exact() {
	fresh_store 2G
	empty=$(pool_used)
	"$VENEER" load -q -i "$IMAGES/docker.tar" >/dev/null
	own=$(layer_field OwnSize | awk '{ sum += $1 } END { print sum }')
	is "$(pool_used)" $((empty + own)) 'template and layers'
	# thin_ls looks at the metadata itself and counts shared and exclusive blocks.
	pool=$(dmsetup ls | awk '/-pool/ { print $1 }')
	meta=$(dmsetup ls | awk '/-meta/ { print $1 }')
	top=$(layer_field ThinID | tail -n 1)
	dmsetup message "$pool" 0 reserve_metadata_snap
	exclusive=$(thin_ls --metadata-snap --no-headers --format DEV,EXCLUSIVE_BLOCKS "/dev/mapper/$meta" |
		awk -v id="$top" '$1 == id { print $2 * 65536 }')
	dmsetup message "$pool" 0 release_metadata_snap
	is "$(layer_field OwnSize | tail -n 1)" "$exclusive" 'top layer, by thin_ls'
	"$VENEER" rmi debian:12 >/dev/null
	is "$empty" "$(pool_used)" 'after rmi'
}

# KiB of disk that the sparse file of the pool takes.
disk_kib() {
	sync
	du -k "$VENEER_ROOT/pool/data" | cut -f 1
}

# dm-thin alone would keep them, and take others for the next image.
gives_disk_back() {
	local before
	fresh_store 2G
	before=$(disk_kib)
	"$VENEER" load -q -i "$IMAGES/docker.tar" >/dev/null
	check 'it takes some' test "$(disk_kib)" -gt $((before + 50000))
	"$VENEER" mount --rw debian:12 "$mnt" >/dev/null
	before_view=$(disk_kib)
	head -c 20M /dev/urandom >"$mnt/large"
	"$VENEER" unmount "$mnt"
	check "as before the view: $before_view, $(disk_kib)" test "$(disk_kib)" -lt $((before_view + 1000))
	"$VENEER" rmi debian:12 >/dev/null
	check "as before the load: $before, $(disk_kib)" test "$(disk_kib)" -lt $((before + 1000))
	healthy
}

imports() {
	fresh_store 2G
	id=$("$VENEER" import -c 'CMD ["sh"]' -m 'by hand' "$IMAGES/layer1.tar" my/base:1)
	is "$id" "$("$VENEER" image inspect -f '{{.Id}}' my/base:1)"
	is '[sh]' "$("$VENEER" image inspect -f '{{.Config.Cmd}}' my/base:1)"
	is 'by hand' "$("$VENEER" history --format '{{.Comment}}' my/base:1)"
	"$VENEER" import - other <"$IMAGES/layer1.tar" >/dev/null
	is 1 "$(layer_field ChainID | wc -l)" 'layers of the same tar'
	healthy
}

case_ 'docker-archive from a file' loads "$IMAGES/docker.tar" file
case_ 'docker-archive from a pipe' loads "$IMAGES/docker.tar" pipe
case_ 'docker-archive, zstd outside, redirected' loads "$IMAGES/docker.tar.zst" redirect
case_ 'OCI archive with gzip layers' loads "$IMAGES/oci.tar" file
case_ 'OCI archive with zstd layers from a pipe' loads "$IMAGES/oci-zstd.tar" pipe
case_ 'the mounted tree is what GNU tar makes of it' equals_gnu_tar
case_ 'layers are stored once' shares_layers
case_ 'two loads of the same layers at once' two_at_once
case_ 'own bytes agree with pool status and thin_ls' sizes_are_exact
case_ 'the disk below the pool has its space back' gives_disk_back
case_ 'import of a root file system' imports

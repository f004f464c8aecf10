#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# save: what it writes is what was loaded, built or committed, to the byte, for others too.
# shellcheck disable=SC2016,SC2154 # for other shells; fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

# A second store, on the same kernel.
other() { VENEER_ROOT=$WORK/other "$VENEER" "$@"; }

fresh_other() {
	end_other
	other pool create --files 2G >/dev/null
}

end_other() {
	[ ! -e "$WORK/other/pool.json" ] || other pool destroy --force >/dev/null
	rm -rf "$WORK/other"
}

case_save() {
	case_ "$@"
	end_other
}

id_of() { "${2:-v}" images -q --no-trunc "$1"; }
config_of() { cat "$VENEER_ROOT/blobs/sha256/${1#sha256:}"; }
members() { tar -tf "$1"; }
member() { tar -xOf "$1" "$2"; }

# Every blob is what it is named, once; whatever the documents name is there.
whole() {
	local hex
	tar -C "$WORK" -xf "$1" blobs
	(cd "$WORK/blobs/sha256" && for hex in *; do printf '%s  %s\n' "$hex" "$hex"; done | sha256sum -c --quiet)
	is '' "$(members "$1" | LC_ALL=C sort | uniq -d)" 'members twice'
	is "$(members "$1")" "$(members "$1" | LC_ALL=C sort)" 'order of members'
	member "$1" index.json | jq -r '.manifests[].digest' | sort -u | while read -r hex; do
		hex=${hex#sha256:}
		jq -r '.config, .layers[] | .digest + " " + (.size | tostring)' "$WORK/blobs/sha256/$hex"
	done | sort -u | while read -r hex size; do
		is "$size" "$(stat -c %s "$WORK/blobs/sha256/${hex#sha256:}")" "size of $hex"
	done
	rm -rf "$WORK/blobs"
}

# Of a plain archive, of which nothing is kept as it came.
loaded_plain() {
	local id layer
	id=$(id_of base)
	layer=$(config_of "$id" | jq -r '.rootfs.diff_ids[0][7:]')
	v save -o "$WORK/a.tar" base:latest
	is 600 "$(stat -c %a "$WORK/a.tar")"
	whole "$WORK/a.tar"
	v image save base >"$WORK/b.tar"
	cmp "$WORK/a.tar" "$WORK/b.tar"
	is 'blobs blobs/sha256 index.json manifest.json oci-layout repositories' \
		"$(members "$WORK/a.tar" | sed 's,/$,,; /[0-9a-f]\{64\}/d' | paste -sd ' ')"
	member "$WORK/a.tar" "blobs/sha256/$layer" | cmp - <(member "$IMAGES/dockerfiles.tar" "$layer.tar")
	is '{"base":{"latest":"'"$layer"'"}}' "$(member "$WORK/a.tar" repositories)"
	healthy
}

layers_of() { member "$1" "blobs/sha256/$(member "$1" index.json | jq -r '.manifests[0].digest[7:]')" | jq -c .layers; }

# The very blobs of the archive that it was loaded from.
loaded_oci() {
	local name
	v save --format oci-archive -o "$WORK/a.tar" debian:12
	contains '+zstd' "$(layers_of "$WORK/a.tar")"
	is "$(layers_of "$IMAGES/oci-zstd.tar" | jq -c 'map(.digest, .size)')" "$(layers_of "$WORK/a.tar" | jq -c 'map(.digest, .size)')"
	for name in $(layers_of "$WORK/a.tar" | jq -r '.[].digest[7:]'); do
		member "$WORK/a.tar" "blobs/sha256/$name" | cmp - <(member "$IMAGES/oci-zstd.tar" "blobs/sha256/$name")
	done
	is '' "$(members "$WORK/a.tar" | grep -E 'manifest.json|repositories' || true)"
	# Compressed as it is kept, the docker-archive has the plain tar.
	v save debian:12 >"$WORK/b.tar"
	member "$WORK/b.tar" "$(member "$WORK/b.tar" manifest.json | jq -r '.[0].Layers[0]')" | cmp - "$IMAGES/layer1.tar"
	rm "$WORK/a.tar" "$WORK/b.tar"
	healthy
}

make_images() {
	mkdir -p "$WORK/ctx"
	echo data >"$WORK/ctx/data"
	printf '%s\n' 'FROM base' 'COPY data /data' 'RUN ln /data /hard && mkfifo /p && echo x >/wörld' \
		'RUN chmod u+s /hard && mkdir -p /a/b && truncate -s 3M /a/b/sparse' 'ENV A=1' >"$WORK/ctx/Dockerfile"
	v build -q -t app:1 "$WORK/ctx" >/dev/null
	v tag app:1 team/app:first
	v run --name one app:1 sh -c 'echo more >>/data; rm -r /a; mkdir /new; rm /bin/ls'
	v commit -c 'CMD ["cat","/data"]' one app:2 >/dev/null
	v rm one >/dev/null
}

# Layers that were made here come out of their volumes.
made_here() {
	v save -o "$WORK/a.tar" app base team/app:first
	whole "$WORK/a.tar"
	is '["app:1","team/app:first"] ["app:2"] ["base:latest"]' \
		"$(member "$WORK/a.tar" manifest.json | jq -c '.[].RepoTags' | paste -sd ' ')"
	is 4 "$(member "$WORK/a.tar" index.json | jq '.manifests | length')" 'entries of the index'
	is "$(id_of app:1)" "$(member "$WORK/a.tar" manifest.json | jq -r '.[1].Parent')"
	is null "$(member "$WORK/a.tar" manifest.json | jq -c '.[0].Parent')"
	v save --format oci-archive app base team/app:first >"$WORK/b.tar"
	whole "$WORK/b.tar"
	for archive in b a; do
		fresh_other
		other load -q -i "$WORK/$archive.tar" >/dev/null
		for name in app:1 app:2 team/app:first base; do
			is "$(id_of $name)" "$(id_of $name other)" "id of $name"
		done
		is "$(printf '%s\n' data more)" "$(other run --rm app:2)"
	done
	# And again from there: of layers that were loaded and not made.
	other save app base team/app:first | cmp - "$WORK/a.tar"
	healthy
}

others_read_it() {
	local config
	config=$(id_of small:1)
	config=${config#sha256:}
	v save -o "$WORK/a.tar" small:1
	v save --format oci-archive -o "$WORK/b.tar" small:1
	is "$config" "$(skopeo inspect --raw "docker-archive:$WORK/a.tar" | jq -r '.config.digest[7:]')"
	is "$config" "$(skopeo inspect --raw "oci-archive:$WORK/b.tar" | jq -r '.config.digest[7:]')"
	mkdir "$WORK/layout"
	tar -C "$WORK/layout" -xf "$WORK/b.tar"
	umoci unpack --image "$WORK/layout:1" "$WORK/unpacked" >/dev/null
	is content "$(cat "$WORK/unpacked/rootfs/f")"
	rm -rf "$WORK/layout" "$WORK/unpacked"
}

names_of() { "$VENEER" save "$@" | tar -xO manifest.json | jq -c '[.[].RepoTags]'; }

operands() {
	local id
	id=$(id_of small:1)
	v tag small:1 small:2
	is '[["small:1","small:2"]]' "$(names_of small)"
	is '[["small:2"]]' "$(names_of small:2)"
	is '[["small:2","small:1"]]' "$(names_of small:2 "$id" small)"
	is '[null]' "$(names_of "$id")"
	is '[null]' "$(names_of "${id:7:12}")"
	is '[null]' "$(names_of "${id:0:20}")"
	v rmi small:2 >/dev/null
	refuse 'No such image: small:2' v save small:1 small:2
	refuse 'No such image: none:latest' v save -o "$WORK/none.tar" none
	refuse 'invalid reference format' v save 'A B'
	refuse 'it is for linux/' v save --platform linux/s390x small:1
	is "$(v save small:1 | sha256sum)" "$(v save --platform "$(v inspect -f '{{.Os}}/{{.Architecture}}' small:1)" small:1 | sha256sum)"
	is '' "$(compgen -G "$WORK/none.tar")" 'file left'
}

refusals() {
	refuse "failed to save image: invalid output path: directory \"$WORK/no\" does not exist" v save -o "$WORK/no/x" small:1
	refuse 'got a device' v save -o /dev/full small:1
	refuse "\"$WORK\" is a directory" v save -o "$WORK" small:1
	refuse 'unknown format "tar"' v save --format tar small:1
	contains 'cowardly refusing to save to a terminal. Use the -o flag or redirect' \
		"$(script -qec "$VENEER save small:1" /dev/null </dev/null)"
	fails 1 sh -c '"$0" save small:1 >/dev/full' "$VENEER"
	contains 'No space left on device' "$stderr"
	fails 1 bash -c '"$0" save app:1 | head -c 100 >/dev/null; exit ${PIPESTATUS[0]}' "$VENEER"
	is 'standard output: write: Broken pipe' "$stderr"
	nothing_left
	mkdir "$WORK/tiny"
	mount -t tmpfs -o size=1M none "$WORK/tiny"
	echo old >"$WORK/tiny/out"
	fails 1 "$VENEER" save -o "$WORK/tiny/out" app:1
	contains 'No space left on device' "$stderr"
	is 'old out' "$(cat "$WORK/tiny/out") $(ls -A "$WORK/tiny")"
	umount "$WORK/tiny"
	nothing_left
}

# Nothing drawn but on a terminal.
progress() {
	is '' "$(v save -o "$WORK/a.tar" small:1 2>&1)"
	contains 'Saving layer' "$(script -qec "$VENEER save -o $WORK/a.tar small:1" /dev/null </dev/null)"
	is '' "$(script -qec "$VENEER save small:1 | cat >$WORK/a.tar" /dev/null </dev/null)"
}

# While its reader waits, everything is removed that can be.
removed_meanwhile() {
	local job
	v tag base gone:1
	v save app:2 >"$WORK/a.tar"
	mkfifo "$WORK/pipe"
	v save app:2 >"$WORK/pipe" &
	job=$!
	exec 9<"$WORK/pipe"
	head -c 100 <&9 >"$WORK/b.tar"
	v rmi -f app:2 app:1 team/app:first base gone:1 >/dev/null
	cat <&9 >>"$WORK/b.tar" || true
	exec 9<&-
	wait $job
	cmp "$WORK/a.tar" "$WORK/b.tar"
	healthy
}

# keep_blobs off, and an image of somebody else's.
not_kept() {
	local id
	fresh_other
	printf '{ "keep_blobs": false }' >"$WORK/config.json"
	id=$(other --config "$WORK/config.json" import - small:1 <"$WORK/small.tar")
	VENEER_ROOT=$WORK/other fails 1 "$VENEER" save -o "$WORK/none.tar" small:1
	is "image small:1: layer 0 ($(VENEER_ROOT=$WORK/other config_of "$id" | jq -r '.rootfs.diff_ids[0]')): the blob that it was loaded from is not kept, and the tar that its volume gives is not the same: remove the image and load it again with \"keep_blobs\" on" "$stderr"
	is '' "$(compgen -G "$WORK/none.tar"; compgen -G "$WORK/.tmp*")" 'files left'
	# Of the same size, as the owner's name is all that differs.
	tar --format=ustar -b1 --owner=root:0 --group=root:0 -C "$WORK/tree" -cf "$WORK/named.tar" f
	other --config "$WORK/config.json" import - named:1 <"$WORK/named.tar" >/dev/null
	VENEER_ROOT=$WORK/other fails 1 "$VENEER" save -o "$WORK/none.tar" named:1
	contains 'the tar that its volume gives is not the same' "$stderr"
	is '' "$(compgen -G "$WORK/none.tar")" 'files left'
	tar --format=ustar -b1 --owner=:0 --group=:0 --numeric-owner -C "$WORK/tree" -cf "$WORK/plain.tar" f
	other --config "$WORK/config.json" import - plain:1 <"$WORK/plain.tar" >/dev/null
	other save plain:1 | tar -xO "blobs/sha256/$(sha256sum <"$WORK/plain.tar" | cut -c 1-64)" | cmp - "$WORK/plain.tar"
	# An archive of ours needs no blobs.
	other rmi small:1 named:1 plain:1 >/dev/null
	v save app:1 | other --config "$WORK/config.json" load -q >/dev/null || return 1
	VENEER_ROOT=$WORK/other healthy
}

# At any moment; the next command puts everything right.
killed() {
	local job n
	for n in 1 2 4; do
		"$VENEER" save -o "$WORK/killed.tar" debian:12 app:2 &
		job=$!
		sleep "0.$((n * 2))"
		kill -9 $job 2>/dev/null || true
		wait $job 2>/dev/null || true
		[ ! -e "$WORK/killed.tar" ] || whole "$WORK/killed.tar"
		rm -f "$WORK/killed.tar"
		is '' "$(compgen -G "$WORK/.tmp*")" 'files left'
	done
	healthy
}

on_the_host() {
	local folder=${VM_RESULTS:-$WORK}/86-save.d
	mkdir "$folder"
	v save -o "$folder/a.tar" small:1
	v save small:1 | cmp - "$folder/a.tar"
	is a.tar "$(ls -A "$folder")"
	rm -r "$folder"
}

fresh_store 4G
v load -q -i "$IMAGES/oci-zstd.tar" >/dev/null
v load -q -i "$IMAGES/dockerfiles.tar" >/dev/null
mkdir "$WORK/tree"
echo content >"$WORK/tree/f"
tar -C "$WORK/tree" -cf "$WORK/small.tar" .
v import - small:1 <"$WORK/small.tar" >/dev/null
make_images
remember
case_save 'an image of a plain archive' loaded_plain
case_save 'an image of an OCI archive keeps its blobs' loaded_oci
case_save 'images that were built and committed' made_here
case_save 'skopeo and umoci read it' others_read_it
case_save 'what operands mean' operands
case_save 'what is refused, full or closed' refusals
case_save 'progress' progress
case_save 'a file of the host' on_the_host
case_save 'killed' killed
case_save 'without blobs' not_kept
case_save 'images are removed meanwhile' removed_meanwhile

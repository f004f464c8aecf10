#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images go to a real registry on the loopback, and others read them; a bad one is played by
# tests/unit.
# limit: 600
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

start_registry

# It remembers nothing but what is in its folder.
empty_registry() {
	rm -rf "$WORK/registry/docker"
}

raw() {
	skopeo inspect --raw --tls-verify=false "docker://$host/$1"
}

# How often the registry was asked so since the log had so many lines.
asked() {
	tail -n "+$(($2 + 1))" "$registry_log" | grep -c "\"$1 /v2/" || true
}

lines() {
	wc -l <"$registry_log"
}

# The 12 digits of each different layer of an image, top first.
ids() {
	v inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" | sed -nE 's/^sha256:(.{12}).*/\1/p' |
		tac | awk '!seen[$0]++'
}

# A tag's line: its digest and size are those of what the registry has.
line_of() {
	raw "$1" >"$WORK/raw"
	printf '%s: digest: sha256:%s size: %s' "${1##*:}" "$(sha256sum "$WORK/raw" | cut -d ' ' -f 1)" \
		"$(stat -c %s "$WORK/raw")"
}

# A built image, which nobody has compressed yet.
build_app() {
	mkdir -p "$WORK/ctx"
	head -c 3000000 /dev/urandom | base64 >"$WORK/ctx/noise"
	printf 'FROM %s\nCOPY noise /noise\nRUN echo hello >/hello\nCMD ["cat", "/hello"]\n' "$1" \
		>"$WORK/ctx/Dockerfile"
	v build -q -t "$2" "$WORK/ctx" >/dev/null
}

pushes_what_was_loaded() {
	v load -q -i "$IMAGES/oci.tar" >/dev/null
	v tag debian:12 "$host/me/debian"
	out=$(v push "$host/me/debian")
	{
		echo 'Using default tag: latest'
		echo "The push refers to repository [$host/me/debian]"
		ids debian:12 | sed 's/$/: Preparing/'
	} >"$WORK/want"
	printf '%s\n' "$out" | head -n "$(wc -l <"$WORK/want")" | diff "$WORK/want" -
	for id in $(ids debian:12); do
		contains "$id: Pushed
" "$out"
	done
	is "$(line_of me/debian:latest)" "$(printf '%s\n' "$out" | tail -n 1)"
	is "$(v images -q --no-trunc debian:12)" "$(jq -r .config.digest "$WORK/raw")" id
	digest=sha256:$(sha256sum "$WORK/raw" | cut -d ' ' -f 1)
	is "[$host/me/debian@$digest]" "$(v inspect -f '{{.RepoDigests}}' "$host/me/debian")"
	# It is the very manifest of the archive.
	is "$(skopeo inspect --raw "oci-archive:$IMAGES/oci.tar" | sha256sum)" "$(sha256sum <"$WORK/raw")"
	healthy
}

# What is there is not sent; a second name of the same is mounted by nobody, but known.
sends_nothing_twice() {
	before=$(lines)
	out=$(v push "$host/me/debian:latest")
	for id in $(ids debian:12); do
		contains "$id: Layer already exists
" "$out"
	done
	is "$(line_of me/debian:latest)" "$(printf '%s\n' "$out" | tail -n 1)"
	is 0 "$(asked POST "$before")" uploads
	is 1 "$(asked PUT "$before")" manifests
	is "$host/me/debian:latest" "$(v push -q "$host/me/debian")"
	healthy
}

# Another repository of the registry gets the layers from there.
mounts_from_the_other() {
	v tag debian:12 "$host/you/debian:1"
	before=$(lines)
	out=$(v push "$host/you/debian:1")
	for id in $(ids debian:12); do
		contains "$id: Mounted from me/debian
" "$out"
	done
	is 0 "$(asked PATCH "$before")" uploads
	is "$(line_of me/debian:latest | cut -d ' ' -f 3-)" "$(line_of you/debian:1 | cut -d ' ' -f 3-)"
	healthy
}

# A pulled image goes back with the very same manifest, to its registry and to an empty one.
pushes_what_was_pulled() {
	for archive in oci oci-zstd docker; do
		copy_image "$([ $archive = docker ] && echo docker || echo oci)-archive:$IMAGES/$archive.tar" \
			"docker://$host/$archive:1"
		digest=$(raw "$archive:1" | sha256sum | cut -d ' ' -f 1)
		fresh_store 2G
		v pull -q "$host/$archive:1" >/dev/null
		v tag "$host/$archive:1" "$host/$archive:2"
		before=$(lines)
		out=$(v push "$host/$archive:2")
		is "$(line_of "$archive:2")" "$(printf '%s\n' "$out" | tail -n 1)"
		contains "sha256:$digest" "$out"
		is 0 "$(asked POST "$before")" uploads
		empty_registry
		out=$(v push "$host/$archive:2")
		contains "sha256:$digest" "$out"
		is "$(line_of "$archive:2")" "$(printf '%s\n' "$out" | tail -n 1)"
		healthy
	done
}

# Without its blobs a layer that came can be mounted or is there, or it is told what is missing.
pushes_what_is_not_kept() {
	copy_image "oci-archive:$IMAGES/oci.tar" "docker://$host/kept/debian:1"
	fresh_store 2G
	printf '{ "root": "%s", "keep_blobs": false }' "$VENEER_ROOT" >"$WORK/conf.json"
	"$VENEER" --config "$WORK/conf.json" pull -q "$host/kept/debian:1" >/dev/null
	v tag "$host/kept/debian:1" "$host/other/debian:1"
	out=$(v push "$host/other/debian:1")
	for id in $(ids "$host/kept/debian:1"); do
		contains "$id: Mounted from kept/debian
" "$out"
	done
	is "$(line_of other/debian:1)" "$(printf '%s\n' "$out" | tail -n 1)"
	is "$(raw kept/debian:1 | sha256sum)" "$(raw other/debian:1 | sha256sum)"
	empty_registry
	fails 1 "$VENEER" push "$host/other/debian:1"
	contains 'the blob that it was loaded from is not kept' "$stderr"
	healthy
}

# reads NAME ID - others read it, and so do we: layers unpack to their DiffIDs.
reads() {
	rm -rf "$WORK/read" "$WORK/layout"
	copy_image "docker://$1" "oci:$WORK/layout:1"
	copy_image "docker://$1" "dir:$WORK/read"
	is "$2" "$(jq -r .config.digest "$WORK/read/manifest.json")" 'id of what skopeo has'
	n=0
	for blob in $(jq -r '.layers[].digest' "$WORK/read/manifest.json"); do
		is "$(jq -r ".rootfs.diff_ids[$n]" "$WORK/read/${2#sha256:}")" \
			"sha256:$(zstd -dc <"$WORK/read/${blob#sha256:}" | sha256sum | cut -d ' ' -f 1)" DiffID
		n=$((n + 1))
	done
}

pushes_what_was_built() {
	fresh_store 2G
	v load -q -i "$IMAGES/oci.tar" >/dev/null
	build_app debian:12 app:1
	v tag app:1 "$host/me/app:1"
	out=$(v push "$host/me/app:1")
	for id in $(ids app:1); do
		contains "$id: " "$out"
	done
	is "$(line_of me/app:1)" "$(printf '%s\n' "$out" | tail -n 1)"
	id=$(v images -q --no-trunc app:1)
	is "$id" "$(jq -r .config.digest "$WORK/raw")" id
	digest=sha256:$(sha256sum "$WORK/raw" | cut -d ' ' -f 1)
	is application/vnd.docker.distribution.manifest.v2+json "$(jq -r .mediaType "$WORK/raw")"
	reads "$host/me/app:1" "$id"
	healthy
	# What was compressed once is known.
	before=$(lines)
	out=$(v push "$host/me/app:1")
	is 0 "$(asked POST "$before")" uploads
	contains "$digest" "$out"
	# The same bytes again, for a registry that has nothing.
	empty_registry
	contains "$digest" "$(v push "$host/me/app:1")"
	fresh_store 2G
	is "$host/me/app:1" "$(v pull -q "$host/me/app:1")"
	is "$id" "$(v images -q --no-trunc "$host/me/app:1")" 'id of what was pulled'
	is "$digest" "$(v images --format '{{.Digest}}')" digest
	is hello "$(v run --rm "$host/me/app:1")"
	healthy
}

# All layers, those that came as gzip, too; and back.
compresses_as_asked() {
	id=$(v images -q --no-trunc "$host/me/app:1")
	for format in gzip zstd; do
		out=$(v push --compression-format "$format" "$host/me/app:1")
		is "$(line_of me/app:1)" "$(printf '%s\n' "$out" | tail -n 1)"
		is "$(ids "$host/me/app:1" | wc -l)" \
			"$(jq -r '.layers[].mediaType' "$WORK/raw" | grep -c "$format")" layers
		is "$id" "$(jq -r .config.digest "$WORK/raw")" id
		before=$(lines)
		v push -q --compression-format "$format" "$host/me/app:1" >/dev/null
		is 0 "$(asked POST "$before")" uploads
	done
	reads "$host/me/app:1" "$id"
	fresh_store 2G
	v pull -q "$host/me/app:1" >/dev/null
	is "$id" "$(v images -q --no-trunc "$host/me/app:1")" 'id of what was pulled'
	is hello "$(v run --rm "$host/me/app:1")"
	healthy
}

pushes_what_was_committed() {
	v run --name one "$host/me/app:1" sh -c 'echo more >/more; rm /etc/motd'
	v commit one "$host/me/app:2" >/dev/null
	v rm one >/dev/null
	out=$(v push "$host/me/app:2")
	is "$(line_of me/app:2)" "$(printf '%s\n' "$out" | tail -n 1)"
	is "$(($(ids "$host/me/app:2" | wc -l) - 1))" "$(printf '%s\n' "$out" | grep -c ': Layer already exists')"
	is 1 "$(printf '%s\n' "$out" | grep -c ': Pushed')"
	reads "$host/me/app:2" "$(v images -q --no-trunc "$host/me/app:2")"
	v tag "$host/me/app:2" "$host/all/app:a"
	v tag "$host/me/app:1" "$host/all/app:b"
	out=$(v push -a "$host/all/app")
	is 1 "$(printf '%s\n' "$out" | grep -c '^The push refers to repository')"
	contains "$(line_of all/app:a)" "$out"
	contains "$(line_of all/app:b)" "$out"
	is "$host/all/app" "$(v push -qa "$host/all/app")"
	healthy
}

says_what_is_missing() {
	fails 1 "$VENEER" push "$host/no/such"
	is "An image does not exist locally with the tag: $host/no/such" "$stderr"
	is "Using default tag: latest
The push refers to repository [$host/no/such]" "$("$VENEER" push "$host/no/such" 2>/dev/null)"
	fails 1 "$VENEER" push "$host/me/app:x"
	is "tag does not exist: $host/me/app:x" "$stderr"
	fails 1 "$VENEER" push -a "$host/no/such"
	is "An image does not exist locally with the tag: $host/no/such" "$stderr"
	fails 1 "$VENEER" push "$host/me/app@sha256:$(printf '%064d' 0)"
	is 'cannot push a digest reference' "$stderr"
	v tag "$host/me/app:1" localhost:1/x
	fails 1 "$VENEER" push localhost:1/x
	contains 'Get "' "$stderr"
	v rmi localhost:1/x >/dev/null
	healthy
}

# Killed or interrupted in the midst: nothing is left here, and the next push does the rest. This
# registry ends no session whose bytes were cut, nor lets one go on: tests/unit has one that does.
ends_early() {
	for signal in INT KILL; do
		empty_registry
		# A job of the shell would ignore SIGINT.
		python3 -c 'import signal, subprocess, sys, time
push = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE,
                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while b"Preparing" not in push.stdout.readline():
    pass
time.sleep(0.4)
push.send_signal(getattr(signal, "SIG" + sys.argv[1]))
push.stdout.read()
sys.exit(push.wait() & 255)' "$signal" "$VENEER" push "$host/me/app:1" && status=0 || status=$?
		[ "$signal" = KILL ] || is 130 "$status" 'status'
		fails 1 skopeo inspect --raw --tls-verify=false "docker://$host/me/app:1"
		healthy
		out=$(v push "$host/me/app:1")
		is "$(line_of me/app:1)" "$(printf '%s\n' "$out" | tail -n 1)"
		healthy
	done
	reads "$host/me/app:1" "$(v images -q --no-trunc "$host/me/app:1")"
}

# On a terminal, with bars.
draws() {
	empty_registry
	script -qec "stty cols 120 rows 40; '$VENEER' push '$host/me/app:1'" "$WORK/drawn" >/dev/null
	tr '\r\033' '\n\n' <"$WORK/drawn" >"$WORK/drawn.txt"
	grep -q ': Pushing \[=*>' "$WORK/drawn.txt"
	grep -q ': Pushed' "$WORK/drawn.txt"
	grep -q '^1: digest: sha256:' "$WORK/drawn.txt"
	healthy
}

fresh_store 2G
case_ 'what was loaded is pushed, with its own blobs' pushes_what_was_loaded
case_ 'what is there is not sent' sends_nothing_twice
case_ 'another repository of the registry gets it from there' mounts_from_the_other
case_ 'what was built is pushed, others read it, and it comes back' pushes_what_was_built
case_ 'layers are compressed as asked' compresses_as_asked
case_ 'what was committed is pushed, and all tags' pushes_what_was_committed
case_ 'what is not there is said in Docker'"'"'s words' says_what_is_missing
case_ 'an end in the midst leaves nothing half made' ends_early
case_ 'a terminal is drawn on' draws
case_ 'what was pulled goes back with its own manifest' pushes_what_was_pulled
case_ 'what was not kept is made anew' pushes_what_is_not_kept

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images come from a real registry on the loopback; a bad line is played by tests/unit.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

requests() {
	grep -c '"GET /v2/' "$registry_log" || true
}

short() {
	sed -E 's/^sha256:(.{12}).*/\1/'
}

pulls() {
	out=$("$VENEER" pull "$host/debian:12")
	{
		echo '12: Pulling from debian'
		jq -r '.layers[].digest' "$WORK/manifest" | short | sed 's/$/: Pulling fs layer/'
	} >"$WORK/want"
	printf '%s\n' "$out" | head -n "$(wc -l <"$WORK/want")" | diff "$WORK/want" -
	for id in $(jq -r '.layers[].digest' "$WORK/manifest" | short); do
		contains "$id: Verifying Checksum
" "$out"
		contains "$id: Download complete
" "$out"
		contains "$id: Pull complete
" "$out"
	done
	is "Digest: $digest
Status: Downloaded newer image for $host/debian:12
$host/debian:12" "$(printf '%s\n' "$out" | tail -n 3)"
	is "$(jq -r .config.digest "$WORK/manifest")" "$("$VENEER" images --no-trunc -q)" id
	is "[$host/debian@$digest]" "$("$VENEER" inspect -f '{{.RepoDigests}}' "$host/debian:12")"
	is "$digest" "$("$VENEER" images --format '{{.Digest}}')"
	healthy
}

# What is there is not fetched, and the same name again is one request.
pulls_what_is_missing() {
	before=$(requests)
	out=$("$VENEER" pull "$host/debian:12")
	is "12: Pulling from debian
Digest: $digest
Status: Image is up to date for $host/debian:12
$host/debian:12" "$out"
	is 1 $(($(requests) - before)) requests
	"$VENEER" tag "$host/debian:12" kept
	"$VENEER" rmi "$host/debian:12" >/dev/null
	is "$host/debian:12" "$("$VENEER" pull -q "$host/debian:12")"
	is "$digest" "$("$VENEER" images --format '{{.Digest}}' "$host/debian")"
	out=$("$VENEER" pull "$host/debian@$digest")
	is "$host/debian@$digest: Pulling from debian
Digest: $digest
Status: Image is up to date for $host/debian@$digest
$host/debian@$digest" "$out"
	healthy
}

# files_of IMAGE - the digest of each
files_of() {
	"$VENEER" mount "$1" >"$WORK/mounted"
	(cd "$(cat "$WORK/mounted")" && find . -xdev -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
	"$VENEER" unmount "$1" >/dev/null
}

# The same files as a load of the same image.
equals_load() {
	files_of "$host/debian:12" >"$WORK/pulled"
	fresh_store 2G
	"$VENEER" load -q -i "$IMAGES/oci.tar" >/dev/null
	files_of debian:12 >"$WORK/loaded"
	check 'files' test -s "$WORK/loaded"
	cmp "$WORK/pulled" "$WORK/loaded"
	before=$("$VENEER" layers -q | wc -l)
	out=$("$VENEER" pull "$host/debian:12")
	is "$before" "$("$VENEER" layers -q | wc -l)" 'no layer twice'
	healthy
}

# The name of the writer that was asked for, in the words of the log.
chooses_the_writer() {
	for writer in direct:'as blocks' mount:'through a mount'; do
		fresh_store 2G
		"$VENEER" --debug pull -q --writer "${writer%%:*}" "$host/debian:12" >/dev/null 2>"$WORK/err"
		contains "files are written ${writer#*:}" "$(cat "$WORK/err")"
		files_of "$host/debian:12" >"$WORK/written"
		cmp "$WORK/pulled" "$WORK/written"
		healthy
	done
	fails 1 "$VENEER" pull --writer other "$host/debian:12"
	contains 'invalid argument "other" for "--writer" flag: must be "auto", "direct" or "mount"' "$stderr"
}

# The path of a blob in the registry's folder.
blob_path() {
	printf '%s/registry/docker/registry/v2/blobs/sha256/%.2s/%s/data' "$WORK" "${1#sha256:}" "${1#sha256:}"
}

# A layer that is not what its name says: nothing is tagged, the layer below it stays for the next.
refuses_other_bytes() {
	fresh_store 2G
	top=$(jq -r '.layers[-1].digest' "$WORK/manifest")
	path=$(blob_path "$top")
	cp "$path" "$WORK/whole"
	printf 'X' | dd of="$path" bs=1 seek=$(($(stat -c %s "$path") / 2)) conv=notrunc status=none
	fails 1 "$VENEER" pull "$host/debian:12"
	is "filesystem layer verification failed for digest $top" "${stderr%% (got*}"
	is '' "$("$VENEER" images -aq)"
	healthy
	cp "$WORK/whole" "$path"
	out=$("$VENEER" pull "$host/debian:12")
	contains ': Already exists
' "$out"
	contains 'Status: Downloaded newer image' "$out"
	healthy
}

says_what_is_missing() {
	fails 1 "$VENEER" pull "$host/debian:none"
	is "manifest for $host/debian:none not found: manifest unknown: manifest unknown" "$stderr"
	fails 1 "$VENEER" pull "$host/none"
	contains "manifest for $host/none:latest not found: manifest unknown" "$stderr"
	fails 1 "$VENEER" pull --platform linux/s390x "$host/debian:12"
	contains "is for linux/" "$stderr"
	fails 1 "$VENEER" pull scratch
	is "'scratch' is a reserved name" "$stderr"
	fails 1 "$VENEER" pull -q localhost:1/x
	contains 'Get "' "$stderr"
	healthy
}

# Killed or interrupted in the midst: the store is whole, and the next pull does the rest.
ends_early() {
	for signal in INT KILL; do
		fresh_store 2G
		# A job of the shell would ignore SIGINT.
		python3 -c 'import signal, subprocess, sys, time
pull = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE,
                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while b"Pulling fs layer" not in pull.stdout.readline():
    pass
time.sleep(0.7)
pull.send_signal(getattr(signal, "SIG" + sys.argv[1]))
pull.stdout.read()
sys.exit(pull.wait() & 255)' "$signal" "$VENEER" pull "$host/debian:12" && status=0 || status=$?
		[ "$signal" = KILL ] || is 130 "$status" 'status'
		is '' "$("$VENEER" images -aq)"
		healthy
	done
	"$VENEER" pull -q "$host/debian:12" >/dev/null
	healthy
}

# The store's own disk has no room for the blobs; once it has, the pull goes through.
fills_the_disk() {
	local root=$WORK/small loop
	mkdir "$root"
	mount -t tmpfs -o size=20M none "$root"
	truncate -s 2G "$WORK/data"
	loop=$(losetup -f --show "$WORK/data")
	VENEER_ROOT=$root "$VENEER" pool create --data "$loop" >/dev/null
	fails 1 env VENEER_ROOT="$root" "$VENEER" pull "$host/debian:12"
	contains 'No space left on device' "$stderr"
	is '' "$(VENEER_ROOT=$root "$VENEER" images -aq)" images
	is '' "$(find "$root/tmp" "$root/blobs" -type f)" 'left over'
	VENEER_ROOT=$root "$VENEER" check
	mount -o remount,size=300M "$root"
	is "$host/debian:12" "$(VENEER_ROOT=$root "$VENEER" pull -q "$host/debian:12")"
	VENEER_ROOT=$root "$VENEER" check
	VENEER_ROOT=$root "$VENEER" pool destroy --force >/dev/null
	umount "$root"
	losetup -d "$loop"
	rm "$WORK/data"
}

# Two that need the same layers, at once.
pulls_twice_at_once() {
	fresh_store 2G
	copy_image "oci-archive:$IMAGES/oci.tar" "docker://$host/other:1"
	"$VENEER" pull -q "$host/debian:12" >/dev/null &
	"$VENEER" pull -q "$host/other:1" >/dev/null
	wait $!
	is 1 "$("$VENEER" images -q | sort -u | wc -l)" images
	is 2 "$("$VENEER" images -q | wc -l)" names
	is "$(jq '.layers | length' "$WORK/manifest")" "$("$VENEER" layers -q | wc -l)" layers
	healthy
}

# Every tag, in the order of the registry.
pulls_all_tags() {
	fresh_store 2G
	for tag in a b; do
		copy_image "docker://$host/debian:12" "docker://$host/many:$tag"
	done
	out=$("$VENEER" pull -a "$host/many")
	contains 'a: Pulling from many' "$out"
	contains 'b: Pulling from many' "$out"
	is 2 "$(printf '%s\n' "$out" | grep -cxF "Digest: $digest")" digests
	is "Digest: $digest
Status: Downloaded newer image for $host/many
$host/many" "$(printf '%s\n' "$out" | tail -n 3)"
	is "a
b" "$("$VENEER" images --format '{{.Tag}}' "$host/many" | sort)"
	contains "Status: Image is up to date for $host/many" "$("$VENEER" pull -a "$host/many")"
	is "$host/many" "$("$VENEER" pull -aq "$host/many")"
	fails 1 "$VENEER" pull -a "$host/many:a"
	is "tag can't be used with --all-tags/-a" "$stderr"
	fails 1 "$VENEER" pull -a "$host/nothing"
	contains "repository $host/nothing not found: name unknown" "$stderr"
	healthy
}

start_registry
copy_image "oci-archive:$IMAGES/oci.tar" "docker://$host/debian:12"
skopeo inspect --raw --tls-verify=false "docker://$host/debian:12" >"$WORK/manifest"
digest=sha256:$(sha256sum "$WORK/manifest" | cut -d ' ' -f 1)
fresh_store 2G
case_ 'an image is pulled, with its digest' pulls
case_ 'what is there is not fetched' pulls_what_is_missing
case_ 'a pull and a load make the same files and share layers' equals_load
case_ 'a writer can be forced' chooses_the_writer
case_ 'a layer of other bytes tags nothing, and what was finished stays' refuses_other_bytes
case_ 'what is not there is said in Docker'"'"'s words' says_what_is_missing
case_ 'an end in the midst leaves nothing half made' ends_early
case_ 'a full disk leaves nothing half made' fills_the_disk
case_ 'two pulls of the same layers at once' pulls_twice_at_once
case_ 'pull -a pulls every tag' pulls_all_tags

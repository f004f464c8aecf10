#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# Commands that need an image which the store has not pull it, and those that are told not to do not.
# limit: 240
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

requests() {
	grep -c '"GET /v2/' "$registry_log" || true
}

v() {
	"$VENEER" "$@"
}

# Another image under the same name: of the small archive.
move_tag() {
	v build -q -t "$host/app:1" - <<<$'FROM '"$host"$'/debian:12\nENV moved='"$1" >/dev/null
	v save -o "$WORK/moved.tar" "$host/app:1"
	copy_image "docker-archive:$WORK/moved.tar" "docker://$host/app:1"
	v rmi "$host/app:1" >/dev/null
}

run_pulls() {
	is 12 "$(v run --rm "$host/debian:12" sh -c 'cut -d. -f1 /etc/debian_version' 2>"$WORK/err")"
	contains "Unable to find image '$host/debian:12' locally
12: Pulling from debian" "$(cat "$WORK/err")"
	contains ': Pull complete' "$(cat "$WORK/err")"
	contains "Status: Downloaded newer image for $host/debian:12" "$(cat "$WORK/err")"
	before=$(requests)
	is '' "$(v run --rm "$host/debian:12" true 2>&1)"
	is "$before" "$(requests)" 'requests for what is here'
	healthy
}

create_pulls() {
	fresh_store 2G
	id=$(v create -q "$host/debian:12" 2>"$WORK/err")
	is 64 ${#id}
	is "Unable to find image '$host/debian:12' locally" "$(cat "$WORK/err")"
	v rm "$id" >/dev/null
	v rmi "$host/debian:12" >/dev/null
	before=$(requests)
	fails 1 v create --pull never "$host/debian:12"
	is "No such image: $host/debian:12" "$stderr"
	is "$before" "$(requests)"
	fails 1 v create --pull sometimes "$host/debian:12"
	contains "invalid pull option: 'sometimes': must be one of \"always\", \"missing\" or \"never\"" "$stderr"
	fails 1 v create "$host/nothing:1"
	contains "manifest for $host/nothing:1 not found" "$stderr"
	fails 125 v run --rm localhost:1/x
	contains "Unable to find image 'localhost:1/x:latest' locally" "$stderr"
	contains 'Get "' "$stderr"
	is '' "$(v ps -aq)"
	healthy
}

always_asks() {
	v pull -q "$host/debian:12" >/dev/null
	move_tag one
	is one "$(v run --rm "$host/app:1" printenv moved 2>/dev/null)"
	move_tag two
	v pull -q "$host/app:1" >/dev/null
	move_tag three
	v tag "$host/debian:12" "$host/app:1"
	fails 1 v run --rm "$host/app:1" printenv moved
	is three "$(v run --rm --pull always "$host/app:1" printenv moved 2>"$WORK/err")"
	contains "1: Pulling from app" "$(cat "$WORK/err")"
	is "$(v images -q "$host/app:1")" "$(v inspect -f '{{.Id}}' "$host/app:1" | sed -E 's/sha256:(.{12}).*/\1/')"
	healthy
}

build_pulls() {
	fresh_store 2G
	v build -t made - <<<$'FROM '"$host"$'/debian:12 AS base\nFROM scratch\nCOPY --from='"$host"$'/app:1 /etc/hostname /h\nCOPY --from=base /etc/debian_version /' 2>"$WORK/log"
	contains "resolve $host/debian:12 (sha256:" "$(cat "$WORK/log")"
	is 2 "$(v images -q --filter dangling=false "$host/*" | wc -l)" 'images pulled'
	before=$(requests)
	v build -t made - <<<'FROM '"$host/debian:12" 2>"$WORK/log"
	is "$before" "$(requests)" 'requests for what is here'
	fails 1 v build - <<<'FROM '"$host/nothing:1"
	contains "manifest for $host/nothing:1 not found" "$stderr"
	contains 'Dockerfile:1' "$stderr"
	healthy
}

# Once for each name, whatever is here.
build_looks_for_newer() {
	move_tag four
	v tag "$host/debian:12" "$host/app:1"
	v build -t made - <<<'FROM '"$host/app:1" 2>/dev/null
	is '' "$(v run --rm made printenv moved || true)"
	before=$(requests)
	v build --pull -t made - <<<$'FROM '"$host"$'/app:1 AS a\nFROM '"$host/app:1" 2>/dev/null
	is four "$(v run --rm made printenv moved)"
	check 'the registry was asked' test "$(requests)" -gt "$before"
	before=$(requests)
	v build --pull -t made - <<<$'FROM '"$host"$'/app:1 AS a\nFROM '"$host/app:1" 2>/dev/null
	is 1 $(($(requests) - before)) 'requests for what is up to date'
	healthy
}

start_registry
copy_image "oci-archive:$IMAGES/oci.tar" "docker://$host/debian:12"
fresh_store 2G
case_ 'run pulls what is missing' run_pulls
case_ 'create pulls, unless it is told not to' create_pulls
case_ '--pull always asks the registry' always_asks
case_ 'a build pulls what it is made from' build_pulls
case_ 'build --pull looks for newer images' build_looks_for_newer

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server gets the images and volumes that its files want, once; and goes on after a kill.
# shellcheck disable=SC2154 # fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }
web=$WORK/web.json srv=$WORK/srv

plan() { # IMAGE SIZE
	printf '{ "image": "%s", "archive": "%s", "volume": { "name": "web", "size": "%s", "mount": "%s", "options": "nodev" } }\n' \
		"$1" "$IMAGES/oci.tar" "$2" "$srv" >"$web"
}

first_and_second() {
	plan debian:12 10G
	is "web.json: image debian:12: would be loaded from $IMAGES/oci.tar
web.json: volume web: would be made from debian:12
web.json: volume web: would be mounted at $srv" "$(v provision --dry-run "$web")"
	is '' "$(v images -q)" 'a dry run'
	is "web.json: image debian:12: loaded from $IMAGES/oci.tar
web.json: volume web: made from debian:12
web.json: volume web: mounted at $srv" "$(v provision "$web")"
	check 'the files of the image' test -e "$srv/etc/debian_version"
	contains nodev "$(grep " $srv " /proc/self/mounts)"
	echo data >"$srv/data"
	is 'web.json: nothing to do' "$(v provision "$web")"
	is 'web.json: nothing to do' "$(v provision --dry-run "$web")"
	# As after a boot.
	is 'web.json: volume web: unmounted' "$(v provision --release "$web")"
	is 'web.json: nothing to do' "$(v provision --release "$web")"
	v pool deactivate
	is "web.json: volume web: mounted at $srv" "$(v provision "$web")"
	plan debian:12 12G
	is 'web.json: volume web: grown to 12884901888 bytes' "$(v provision "$web")"
	check 'its file system has grown' test "$(df -k --output=size "$srv" | tail -n 1)" -gt $((11 << 20))
	is data "$(cat "$srv/data")"
}

# Another image: nothing happens by itself, the old volume is kept, and there is a way back.
updates() {
	v tag debian:12 base:1
	v create --name maker debian:12 sh -c 'echo new >/new' >/dev/null
	v start -a maker
	v commit maker web:2 >/dev/null
	v rm maker >/dev/null
	plan web:2 12G
	is "web.json: volume web: stays as it is, made from debian:12; --update makes one from web:2 and keeps this one beside it
web.json: nothing to do" "$(v provision "$web")"
	is "web.json: volume web: made from web:2
web.json: volume web: the old one is web.previous
web.json: volume web: mounted at $srv" "$(v provision --update "$web")"
	is new "$(cat "$srv/new")"
	check 'the old data is not there' test ! -e "$srv/data"
	is $'web\nweb.previous' "$(v volume ls -q)"
	v volume unmount web
	is "web.json: volume web: the one before again, the other web.previous
web.json: volume web: mounted at $srv" "$(v provision --rollback "$web")"
	is data "$(cat "$srv/data")"
	fails 1 "$VENEER" provision --update "$web"
	contains "volume web.previous is there from the update before: 'veneer volume rm web.previous'" "$stderr"
	is data "$(cat "$srv/data")"
	v volume unmount web
	v volume rm web web.previous >/dev/null
	healthy
}

# A broken file stops only itself.
broken() {
	echo '{ "volume": { "name": "x", "sise": "1G" } }' >"$WORK/a.json"
	echo '{ "volume": { "name": "empty", "size": "256M", "attach": true } }' >"$WORK/b.json"
	fails 1 "$VENEER" provision "$WORK/a.json" "$WORK/b.json"
	contains "provision '$WORK/a.json': \"volume\": " "$stderr"
	contains sise "$stderr"
	check 'the other one' test -b /dev/veneer/empty
	v volume detach empty
	v volume rm empty >/dev/null
	printf '{ "image": "nothing:1", "archive": "%s" }' "$IMAGES/oci.tar" >"$WORK/a.json"
	fails 1 "$VENEER" provision "$WORK/a.json"
	contains "archive '$IMAGES/oci.tar' has no image nothing:1" "$stderr"
	healthy
}

killed() {
	local point
	for point in provision-loaded volume-made provision-volume volume-mounted; do
		plan debian:12 10G
		v rmi -f debian:12 base:1 web:2 >/dev/null 2>&1 || true
		VENEER_CRASH_AT=$point:1 fails 137 "$VENEER_CRASH" provision "$web"
		v check || { echo "after $point"; return 1; }
		v provision "$web" >/dev/null
		check "mounted after $point" test -e "$srv/etc/debian_version"
		is 'web.json: nothing to do' "$(v provision "$web")"
		v volume unmount web
		v volume rm web >/dev/null
	done
	healthy
}

fresh_store 4G
case_ 'the first run brings all of it, the second one nothing' first_and_second
case_ 'another image makes another volume, and there is a way back' updates
case_ 'a broken file stops only itself' broken
case_ 'killed in the midst, the next run goes on' killed

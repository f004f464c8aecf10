#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 900
# Builds killed at every crash point: nothing is tagged, mounted or running, what was done before is
# in the cache, and the next build succeeds.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-crash.sh
. "$(dirname "$0")/lib-crash.sh"

v() { "$VENEER" "$@"; }

fresh() {
	v rmi -f app:1 >/dev/null 2>&1 || true
	v builder prune -a -f >/dev/null
	v image prune -f >/dev/null
}

# Of the killed build nothing is left but what the cache holds.
tidy() {
	"$VENEER" check || return 1
	is '' "$(ls -d /sys/fs/cgroup/veneer/*/ 2>/dev/null)" 'control groups' || return 1
	is '' "$(ls -d /run/veneer/*/session-* 2>/dev/null)" 'folders of sessions' || return 1
	no_leftovers
}

# killed_everywhere [POINT] - which is among them
killed_everywhere() {
	local n got where id
	: >"$WORK/points"
	fresh
	passages build -t app:1 "$ctx" >"$WORK/passages"
	[ -s "$WORK/passages" ] || { echo 'no crash points'; return 1; }
	while read -r n; do
		fresh
		is "$empty" "$(pool_used)" 'pool bytes before' || return 1
		got=0
		where=$(VENEER_CRASH_AT="*:$n" "$VENEER_CRASH" build -t app:1 "$ctx" 2>&1 >/dev/null </dev/null) || got=$?
		where="point $n, ${where##*crash point }"
		is 137 $got "exit status at $where" || return 1
		tidy || { echo "after $where"; return 1; }
		echo "$where" >>"$WORK/points"
	done <"$WORK/passages"
	grep -q "${1:-}" "$WORK/points" || { echo "$1 was not passed"; return 1; }
	v build -t app:1 "$ctx" 2>/dev/null
	id=$(v images -q --no-trunc app:1)
	v build -t app:1 "$ctx" 2>/dev/null
	is "$id" "$(v images -q --no-trunc app:1)"
	is $'1\nf' "$(v run --rm app:1 cat /1 /d/f)"
	fresh
	tidy
	is "$empty" "$(pool_used)" 'pool bytes after all'
}

# In the middle of a command: the next one of ours ends it.
killed_in_a_step() {
	local pid
	fresh
	printf 'FROM debian:12\nRUN echo 1 >/1\nRUN sleep 1000\n' |
		{ exec "$VENEER" build -t app:1 -; } 2>"$WORK/log" &
	pid=$!
	while ! pgrep -x sleep >/dev/null; do
		kill -0 $pid || { cat "$WORK/log"; return 1; }
		read -r -t 0.1 <> <(:) || true
	done
	kill -9 $pid
	wait $pid || true
	is '' "$(v images -q app:1)"
	v builder prune -f >/dev/null
	is '' "$(pgrep -x sleep || true)" 'processes'
	tidy
	is "$empty" "$(pool_used)" 'pool bytes'
}

ctx=$WORK/ctx
mkdir -p "$ctx/d"
echo f >"$ctx/d/f"
cat >"$ctx/Dockerfile" <<'END'
FROM debian:12 AS one
RUN echo 1 >/1
FROM debian:12
COPY --from=one /1 /1
COPY d /d
RUN --mount=type=bind,from=one,target=/m rm /etc/debian_version
END
fresh_store 2G
v load -q -i "$IMAGES/oci.tar" >/dev/null
fresh
empty=$(pool_used)
case_ 'a build killed at every point' killed_everywhere
case_ 'a build killed while a command runs' killed_in_a_step
mkdir "$ctx/files"
cp -r "$ctx/d" "$ctx/files"
echo 1 >"$ctx/files/1"
head -c 1200000 /dev/urandom >"$ctx/files/large"
tar -C "$ctx/files" -cf "$ctx/files.tar" .
printf 'FROM debian:12\nADD files.tar /\n' >"$ctx/Dockerfile"
case_ 'an archive that is unpacked as blocks, killed at every point' killed_everywhere blocks-of-

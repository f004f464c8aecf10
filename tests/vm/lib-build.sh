# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # VENEER, WORK: lib.sh; base, used: the image that stays and the pool
# bytes with it alone, of the script
#
# lib-build.sh - what scripts that build images share, after lib.sh

v() { "$VENEER" "$@"; }

# context - an empty folder for a Dockerfile, in $ctx; the Dockerfile comes from stdin
context() {
	ctx=$WORK/ctx
	rm -rf "$ctx"
	mkdir "$ctx"
	cat >"$ctx/Dockerfile"
}

# No image but the base, no cache, nothing left of a step.
clean() {
	local image
	for image in $(v images -q | sort -u); do
		[ "$image" = "$base" ] || v rmi -f "$image" >/dev/null
	done
	v builder prune -a -f >/dev/null
}

case_build() {
	case_ "$@"
	clean
}

nothing_runs() {
	is '' "$(ls -d /sys/fs/cgroup/veneer/*/ 2>/dev/null)" 'control groups left' || return 1
	is '' "$(ls -d /run/veneer/*/session-* 2>/dev/null)" 'folders of sessions left' || return 1
	healthy
}

cached() { grep -c CACHED "$WORK/log" || true; }

# without_last_line STEPS - the last step failed: of the others, these many come from the cache,
# nothing runs, and without the cache the pool has all back, but for what $used says
without_last_line() {
	nothing_runs || return 1
	sed -i '$d' "$ctx/Dockerfile"
	v build "$ctx" 2>"$WORK/log" || return 1
	is "$1" "$(cached)" 'steps from the cache' || return 1
	v image prune -f >/dev/null
	v builder prune -a -f >/dev/null
	is "$used" "$(pool_used)" 'pool bytes' || return 1
	nothing_runs
}

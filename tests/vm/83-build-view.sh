#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# What a build shows, and the prunes around it.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

ctx=$WORK/ctx

# context - an empty folder for a Dockerfile, which comes from stdin
context() {
	rm -rf "$ctx"
	mkdir "$ctx"
	cat >"$ctx/Dockerfile"
}

# build STATUS ARGUMENT... - what it prints, in out and err, with its times and digests alike
build() {
	local want=$1 status=0
	shift
	v build "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
	sed -i -E 's/[0-9]+\.[0-9]+/T/; s/sha256:[0-9a-f]{64}/DIGEST/' "$WORK/err"
	is "$want" "$status" 'exit status' || { cat "$WORK/err"; return 1; }
}

plain() {
	context <<-'END'
		FROM debian:12
		RUN echo one; printf '10%%\r\033[32m20%%\033[0m\n' >&2
	END
	build 0 -t a:1 -t a:2 "$ctx"
	is '' "$(cat "$WORK/out")" 'stdout'
	is "#1 [internal] load build definition
#1 transferring dockerfile: $(stat -c %s "$ctx/Dockerfile")B done
#1 DONE Ts

#2 [1/2] FROM docker.io/library/debian:12
#2 CACHED

#3 [2/2] RUN echo one; printf '10%%\\r\\033[32m20%%\\033[0m\\n' >&2
#3 T one
#3 T 20%
#3 DONE Ts

#4 exporting to image
#4 exporting layers done
#4 writing image DIGEST done
#4 naming to docker.io/library/a:1 done
#4 naming to docker.io/library/a:2 done
#4 DONE Ts" "$(cat "$WORK/err")"
}

quiet() {
	local id
	id=$(v images -q --no-trunc a:1)
	build 0 -q --iidfile "$WORK/id" "$ctx"
	is "$id" "$(cat "$WORK/out")"
	is '' "$(cat "$WORK/err")" 'stderr'
	is "$id" "$(cat "$WORK/id")"
	is ${#id} "$(stat -c %s "$WORK/id")" 'no newline'
	BUILDKIT_PROGRESS=quiet build 0 "$ctx"
	is "$id" "$(cat "$WORK/out")"
	is "$id" "$(v build -q --iidfile /dev/stdout "$ctx" | cut -c 1-71)" 'a pipe stays one'
	is "$id" "$(v build -q -f <(cat "$ctx/Dockerfile") "$ctx")" 'a Dockerfile from a pipe'
}

failure() {
	context <<-'END'
		FROM debian:12 AS base
		FROM base AS last
		RUN for i in $(seq 12); do echo line $i; done; exit 5
	END
	touch "$WORK/id"
	build 1 -q --iidfile "$WORK/id" "$ctx"
	is '' "$(cat "$WORK/out")" 'stdout'
	# shellcheck disable=SC2016 # it is not ours to expand
	is '------
 > [last 1/1] RUN for i in $(seq 12); do echo line $i; done; exit 5:
T line 3
T line 4
T line 5
T line 6
T line 7
T line 8
T line 9
T line 10
T line 11
T line 12
------
Dockerfile:3
--------------------
   1 |     FROM debian:12 AS base
   2 |     FROM base AS last
   3 | >>> RUN for i in $(seq 12); do echo line $i; done; exit 5
   4 |     
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c for i in $(seq 12); do echo line $i; done; exit 5" did not complete successfully: exit code: 5' \
		"$(cat "$WORK/err")"
	[ ! -e "$WORK/id" ]
}

warning() {
	v build -q --build-arg NOT_USED=1 - <<<'FROM debian:12' 2>"$WORK/err" >/dev/null
	is '[Warning] One or more build-args [NOT_USED] were not consumed' "$(cat "$WORK/err")"
	v build -q - <<<$'FROM debian:12\nENV a=1 \\\n\n b=2' 2>"$WORK/err" >/dev/null
	is '[Warning] Empty continuation line found in: ENV a=1  b=2' "$(cat "$WORK/err")"
}

# The clocks of the view run while the command says nothing.
live() {
	local status=0
	context <<-'END'
		FROM debian:12
		RUN echo said; sleep 2
	END
	NO_COLOR=1 script -qec "stty columns 60 rows 20; '$VENEER' build --no-cache '$ctx'" /dev/null \
		>"$WORK/raw" </dev/null || status=$?
	is 0 "$status" 'exit status'
	contains ' => => # said' "$(cat "$WORK/raw")"
	contains '(4/4) FINISHED' "$(cat "$WORK/raw")"
	[ "$(grep -c 'RUN echo said; sleep 2 .* [0-9.]*s' "$WORK/raw")" -gt 10 ]
	is '' "$(grep -a '.\{90\}' "$WORK/raw")" 'lines that wrap'
	fails 1 "$VENEER" build --progress tty "$ctx"
	is 'failed to get console: provided file is not a console' "$stderr"
}

options() {
	context <<-'END'
		FROM debian:12
		RUN ulimit -n; df -B1 --output=size /dev/shm | tail -n 1; grep -w friend /etc/hosts
		RUN --mount=type=secret,id=A_NAME cat /run/secrets/A_NAME
	END
	A_NAME=hush build 0 --ulimit nofile=77:99 --shm-size 8m --add-host friend:10.1.2.3 \
		--secret id=A_NAME --network none --label who=me -t o --load --rm --provenance=false "$ctx"
	contains ' 77' "$(cat "$WORK/err")"
	contains 8388608 "$(cat "$WORK/err")"
	contains '	friend' "$(cat "$WORK/err")"
	contains hush "$(cat "$WORK/err")"
	is me "$(v image inspect --format '{{.Config.Labels.who}}' o)"
}

prunes() {
	local warning
	context <<-'END'
		FROM debian:12
		RUN head -c 1000000 /dev/zero >/zeros
		RUN exit 1
	END
	build 1 "$ctx"
	v create --name gone debian:12 >/dev/null
	is 1MB "$(v system df --format '{{if eq .Type "Build Cache"}}{{.Size}}{{end}}' | grep .)"
	is 'RUN head -c 1000000 /dev/zero >/zeros 1MB false' "$(v system df -v --format json |
		jq -r '.BuildCache[] | select(.Shared == "false") | [.Description, .Size, .Shared] | join(" ")')"
	fails 1 "$VENEER" builder prune -f --filter label=x
	is "invalid filter 'label'" "$stderr"
	is 'Total reclaimed space: 0B' "$(v builder prune -f --filter until=24h)"
	is 'WARNING! This will remove all dangling build cache. Are you sure you want to continue? [y/N] ' \
		"$(v builder prune <<<n)"
	warning=$'WARNING! This will remove:\n  - all stopped containers\n  - all dangling images\n  - unused build cache\n\n'
	is "${warning}Are you sure you want to continue? [y/N] " "$(v system prune <<<n)"
	v system prune <<<y >"$WORK/out"
	contains 'Deleted Containers:' "$(cat "$WORK/out")"
	contains 'Deleted build cache objects:' "$(cat "$WORK/out")"
	contains 'Total reclaimed space: 1' "$(cat "$WORK/out")"
	is '' "$(v ps -aq)"
	v system prune -a -f >/dev/null
	is '' "$(v images -q)"
	is 0 "$(v system df --format '{{.Type}} {{.TotalCount}}' | sed -n 's/Build Cache //p')"
	healthy
}

fresh_store 2G
v load -q -i "$IMAGES/docker.tar" >/dev/null

case_ 'the plain progress is as BuildKit has it, on stderr' plain
case_ '-q prints the ID alone, and --iidfile has it' quiet
case_ 'a failure ends with the last lines and the place in the Dockerfile' failure
case_ 'arguments that nobody asked for are named' warning
case_ 'on a terminal the view is redrawn in place, also while nothing is said' live
case_ 'options reach the step and the image' options
case_ 'the prunes ask, tell and give back' prunes

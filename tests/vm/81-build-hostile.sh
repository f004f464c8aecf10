#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 600
# Builds that mean harm, or come to it: what leaves the context or the root, fills the pool, forks
# without end, stays behind or is killed. Each fails clearly or does no harm; nothing is tagged,
# mounted or running, the steps before it are cached, and the pool has its space back.
# shellcheck disable=SC2016,SC2034,SC2154 # for the shell in the container; of lib-build.sh, of fails()
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-build.sh
. "$(dirname "$0")/lib-build.sh"

outside=$WORK/outside
up=../../../../../../../../../..

# What is outside stays as it was, and nothing comes into an image from there.
untouched() {
	local top
	is canary "$(cat "$outside/canary")" || return 1
	is canary "$(cd "$outside" && echo *)" "what is in $outside" || return 1
	for top in / "$WORK" "$WORK/.." "$VENEER_ROOT" "$ctx" "$ctx/in" "$PWD" "$PWD/.." /outside; do
		is '' "$(shopt -s nullglob; echo "$top"/planted*)" 'planted' || return 1
	done
}

# refused ERROR - building fails with it; nothing is tagged, the step before is cached
refused() {
	fails 1 "$VENEER" build -t bad "$ctx" || return 1
	contains "$1" "$stderr" || return 1
	is '' "$(v images -q bad)" 'tagged' || return 1
	untouched || return 1
	without_last_line 2
}

leaves_context() {
	local step want
	for step in 'COPY out/canary /x' 'COPY out /x' 'COPY up/canary /x' 'COPY file /x' 'ADD file /x' \
		'COPY in/../../outside/canary /x' "COPY $outside/canary /x" 'COPY out/can* /x' \
		'RUN --mount=source=out,target=/m cat /m/canary' \
		'RUN --mount=source=file,target=/m cat /m' \
		"RUN --mount=source=$up$outside,target=/m cat /m/canary"; do
		context <<<$'FROM debian:12\nRUN echo kept >/kept\n'"$step"
		mkdir "$ctx/in"
		ln -s "$outside" "$ctx/out"
		ln -s "$up$outside" "$ctx/up"
		ln -s "$outside/canary" "$ctx/file"
		echo "$step"
		want='not found'
		[[ $step != *\** ]] || want='no source files were specified'
		refused "$want"
	done
}

# A link in a folder is copied as what it is.
links_are_copied() {
	context <<<$'FROM debian:12\nCOPY . /all'
	ln -s "$outside" "$ctx/out"
	v build -q -t l "$ctx" >/dev/null
	is "$outside" "$(v run --rm l readlink /all/out)"
	fails 1 "$VENEER" run --rm l cat /all/out/canary
	nothing_runs
}

# What the image's own links lead to is in the image.
leaves_root() {
	context <<-END
		FROM debian:12 AS one
		RUN ln -s $outside /abs && ln -s $up$outside /up && mkdir -p $outside && echo mine >$outside/canary
		COPY f /abs/planted1
		COPY f /up/planted2
		ADD f.tar /abs/
		ADD f.tar /up/
		WORKDIR /up/planted4
		RUN --mount=type=cache,target=/abs/planted5 --mount=target=/up/planted6 true
		FROM debian:12
		COPY --from=one /abs /abs
		COPY --from=one /up/canary /canary
		RUN --mount=from=one,source=/up,target=/m cp /m/canary /mounted
	END
	echo f >"$ctx/f"
	cp "$ctx/f" "$ctx/planted3"
	tar -C "$ctx" -cf "$ctx/f.tar" planted3
	rm "$ctx/planted3"
	v build -q -t r "$ctx" >/dev/null
	is 'canary planted1 planted2 planted3 planted4 mine mine mine' \
		"$(v run --rm r sh -c 'echo $(ls /abs; cat /abs/canary /canary /mounted)')"
	untouched
	nothing_runs
}

archives_of_escapes() {
	local name want
	mkdir -p "$WORK/layers"
	python3 "$(dirname "$0")/../archives/odd.py" layers "$WORK/layers"
	for name in outside outside-late hard-link-outside hard-link-host hard-link-chain newline escape \
		link-circle size-lie name-4096; do
		want=$(awk -F '\t' -v name=$name '$1 == name { print $2 }' "$WORK/layers/cases")
		[ -n "$want" ] || { echo "no archive $name"; return 1; }
		context <<<$'FROM debian:12\nRUN echo kept >/kept\nADD x.tar /in/'
		cp "$WORK/layers/$name.tar" "$ctx/x.tar"
		echo "$name"
		refused "$want"
	done
}

# Through a link of its own an archive comes no further than the image's root.
archive_through_links() {
	context <<<$'FROM debian:12\nADD x.tar /in/'
	mkdir "$WORK/tree"
	ln -s "$outside" "$WORK/tree/a"
	ln -s "$up$outside" "$WORK/tree/b"
	tar -C "$WORK/tree" -cf "$ctx/x.tar" a b
	rm "$WORK/tree/"[ab]
	mkdir "$WORK/tree/a" "$WORK/tree/b"
	touch "$WORK/tree/a/planted" "$WORK/tree/b/planted"
	tar -C "$WORK/tree" -rf "$ctx/x.tar" a/planted b/planted
	rm -r "$WORK/tree"
	v build -q -t t "$ctx" >/dev/null || true
	untouched
	nothing_runs
}

full_pool() {
	context <<-'END'
		FROM debian:12
		RUN echo small >/small
		RUN yes | head -c 600M >/big
	END
	refused 'no space left in the pool'
}

# The context does not fit.
full_pool_by_copy() {
	context <<-'END'
		FROM debian:12
		RUN echo small >/small
		COPY big /big
	END
	head -c 600M < <(yes) >"$ctx/big"
	refused 'no space left in the pool'
	rm "$ctx/big"
}

fork_bomb() {
	context <<-'END'
		FROM debian:12
		RUN echo small >/small
		RUN while sleep 1000 & do :; done
	END
	max=$(cat /proc/sys/kernel/pid_max)
	echo 700 >/proc/sys/kernel/pid_max # so that the end comes soon
	refused 'fork'
	echo "$max" >/proc/sys/kernel/pid_max
	is '' "$(pgrep -x sleep || true)" 'processes'
}

# All that it started ends with the step, whatever it does against it.
stays_behind() {
	context <<-'END'
		FROM debian:12
		RUN (trap '' TERM HUP INT; while :; do sleep 1000; done) & setsid sleep 1000 >/dev/null 2>&1 </dev/null & \
			(setsid sh -c 'sleep 1000 & sleep 1000' &) ; nohup sleep 1000 >/dev/null 2>&1 & echo x >/x
	END
	timeout 60 "$VENEER" build -q -t s "$ctx" >/dev/null
	is '' "$(pgrep -x sleep || true)" 'processes'
	is x "$(v run --rm s cat /x)"
	nothing_runs
}

# killed SIGNAL STATUS - while a command runs
killed() {
	local pid got=0
	context <<-'END'
		FROM debian:12
		RUN echo 1 >/1
		RUN head -c 50M /dev/urandom >/big && sleep 1000
	END
	"$VENEER" build -t i "$ctx" 2>"$WORK/log" &
	pid=$!
	while ! pgrep -x sleep >/dev/null; do
		kill -0 $pid || { cat "$WORK/log"; return 1; }
		read -r -t 0.1 <> <(:) || true
	done
	kill -"$1" $pid
	wait $pid || got=$?
	is "$2" $got 'exit status'
	is '' "$(v images -q i)" 'tagged'
	v check >/dev/null # the next command clears up after one that was killed
	is '' "$(pgrep -x sleep || true)" 'processes'
	without_last_line 2
}

fresh_store 512M
v load -q -i "$IMAGES/oci.tar" >/dev/null
base=$(v images -q debian:12)
v run --rm debian:12 true # the image has its init volume from now on
used=$(pool_used)
mkdir "$outside"
echo canary >"$outside/canary"

case_build 'nothing is taken from outside the context' leaves_context
case_build 'links of the context are copied as links' links_are_copied
case_build 'links of the image lead nowhere outside it' leaves_root
case_build 'archives full of escapes are refused' archives_of_escapes
case_build 'an archive comes nowhere through its own links' archive_through_links
case_build 'a step that fills the pool fails' full_pool
[ -z "${VM_LONG:-}" ] || case_build 'a COPY that fills the pool fails' full_pool_by_copy
case_build 'a step that forks without end is stopped' fork_bomb
case_build 'what a step leaves running ends with it' stays_behind
case_build 'SIGTERM stops the step and the build' killed TERM 143
[ -z "${VM_LONG:-}" ] || case_build 'SIGINT does' killed INT 130
case_build 'SIGKILL leaves nothing that the next command would not end' killed KILL 137

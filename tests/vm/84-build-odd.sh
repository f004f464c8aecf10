#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 600
# Builds that are given something odd: links, pipes, files that change meanwhile.
# shellcheck disable=SC2016,SC2034,SC2154 # for the shell in the container; of lib-build.sh, of fails()
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-build.sh
. "$(dirname "$0")/lib-build.sh"

# As COPY does: what a link leads to is made within the image, and the link stays.
workdir_through_links() {
	context <<-'END'
		FROM debian:12
		RUN ln -s /target /link && ln -s ../out/x /up && ln -s loop /loop && ln -s /etc/passwd /file
		USER nobody
		WORKDIR /link
		WORKDIR /up/sub
	END
	v build -q -t w "$ctx" >/dev/null
	is '/target ../out/x' "$(v run --rm w sh -c 'echo $(readlink /link /up)')"
	is 'nobody nobody nobody' "$(v run --rm w sh -c 'echo $(stat -c %U /target /out /out/x/sub)')"
	echo 'WORKDIR /file/x' >>"$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains "the working directory '/file/x'" "$stderr"
	sed -i '$s/.*/WORKDIR \/file/' "$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains "the working directory '/file' is not a folder" "$stderr"
	sed -i '$s/.*/WORKDIR \/loop/' "$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains "the working directory '/loop'" "$stderr"
	nothing_runs
}

# A pipe would wait for ever, a device do something.
no_regular_files() {
	local file
	for file in Dockerfile .dockerignore; do
		context <<<'FROM debian:12'
		rm -f "$ctx/$file"
		mkfifo "$ctx/$file"
		fails 1 timeout 10 "$VENEER" build "$ctx"
		contains "'$file' is not a regular file" "$stderr"
		tar -C "$ctx" -c . | fails 1 timeout 10 "$VENEER" build -
		contains "'$file' is not a regular file" "$stderr"
		rm "$ctx/$file"
		mkdir "$ctx/$file"
		fails 1 "$VENEER" build "$ctx"
		contains "'$file' is not a regular file" "$stderr"
	done
	nothing_runs
}

# change_while_hashed - a file, as soon as the build reads the one behind it
change_while_hashed() {
	until [ "$(find /proc/[0-9]*/fd -lname '*/ctx/b' -print -quit 2>/dev/null)" ]; do :; done
	echo two >"$ctx/a"
}

# What is copied then is not what the key was made of.
changing_context() {
	local instruction
	for instruction in 'COPY a b /d/' 'RUN --mount=target=/c mkdir /d && cp /c/a /d'; do
		context <<<$'FROM debian:12\n'"$instruction"
		echo one >"$ctx/a"
		truncate -s 1G "$ctx/b"
		change_while_hashed &
		v build -q -t c "$ctx" >/dev/null
		wait
		is two "$(v run --rm c cat /d/a)" 'what was copied'
		echo one >"$ctx/a"
		v build -t c "$ctx" 2>"$WORK/log"
		is one "$(v run --rm c cat /d/a)" 'not what the cache has of the former'
		v build -t c "$ctx" 2>"$WORK/log"
		is 2 "$(cached)" 'from the cache'
		clean
	done
	nothing_runs
}

# Who has a file on the host means nothing in an image.
owners_of_contexts() {
	context <<-'END'
		FROM debian:12
		COPY own /
		COPY --from=more f /named
		RUN --mount=from=more,target=/m stat -c %u:%g /m/f >/mounted
	END
	mkdir "$ctx/more"
	echo x | tee "$ctx/own" >"$ctx/more/f"
	chown 1234:4321 "$ctx/own" "$ctx/more/f"
	v build -q -t o --build-context more="$ctx/more" "$ctx" >/dev/null
	is '0:0 0:0 0:0' "$(v run --rm o sh -c 'echo $(stat -c %u:%g /own /named; cat /mounted)')"
}

ignored_in_contexts() {
	context <<-'END'
		FROM debian:12
		COPY --from=more . /all/
		RUN --mount=from=more,target=/m ls -A /m >/mounted
	END
	mkdir "$ctx/more"
	touch "$ctx/more/kept" "$ctx/more/dropped"
	echo dropped >"$ctx/more/.dockerignore"
	v build -q -t o --build-context more="$ctx/more" "$ctx" >/dev/null
	is '.dockerignore kept .dockerignore kept' "$(v run --rm o sh -c 'echo $(ls -A /all; cat /mounted)')"
}

# Only mkfs makes it by itself, and the template has it no more: who has it made it.
lost_and_found() {
	local what
	for what in one two; do
		context <<-END
			FROM debian:12
			RUN mkdir /lost+found && echo $what >/lost+found/f
		END
		v build -q -t l "$ctx" >/dev/null
		is $what "$(v run --rm l cat /lost+found/f)"
	done
	v run --name ed l sh -c 'rm /lost+found/f && chmod 700 /lost+found'
	is $'C /lost+found\nD /lost+found/f' "$(v diff ed)"
	v rm ed >/dev/null
	nothing_runs
}

# timeout says 124 when the signal was enough.
many_sources() {
	context <<-END
		FROM debian:12
		COPY $(printf 'f %.0s' {1..30000}) /d/
	END
	echo >"$ctx/f"
	fails 124 timeout -s INT -k 2 0.5 "$VENEER" build "$ctx"
	nothing_runs
}

fresh_store 2G
v load -q -i "$IMAGES/oci.tar" >/dev/null
base=$(v images -q debian:12)

case_build 'WORKDIR goes through links and leaves them' workdir_through_links
case_build 'a Dockerfile or an ignore file is a regular file' no_regular_files
case_build 'a file that changes while it is hashed does not spoil the cache' changing_context
case_build 'files of a named context are root'\''s' owners_of_contexts
case_build 'a named context has an ignore file of its own' ignored_in_contexts
case_build 'a signal is heard among many sources' many_sources
case_build 'lost+found is a folder as any other' lost_and_found

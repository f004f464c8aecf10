#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
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

fresh_store 2G
v load -q -i "$IMAGES/oci.tar" >/dev/null
base=$(v images -q debian:12)

case_build 'WORKDIR goes through links and leaves them' workdir_through_links
case_build 'a Dockerfile or an ignore file is a regular file' no_regular_files

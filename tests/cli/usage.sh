#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage.sh VENEER - what a command line itself can do wrong: texts and exit status
#
# Needs no root, no store and no kernel: all of it is decided before they are
# touched. Source: spec/cli.md, "Argument parsing".
set -uo pipefail

veneer=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-usage.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work VENEER_ROOT=$work/root
unset VENEER_CONFIG VENEER_KERNEL DOCKER_CONFIG
passed=0
failed=0

# same NAME EXPECTED ACTUAL
same() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$3"
}

# says STATUS STDERR ARGUMENT... - nothing on stdout
says() {
	local status=$1 text=$2 got
	shift 2
	"$veneer" "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	same "status of: $*" "$status" "$got"
	same "stderr of: $*" "$text" "$(cat "$work/err")"
	same "stdout of: $*" '' "$(cat "$work/out")"
}

hint() {
	printf '%s\n\nUsage:  %s\n\nRun '\''%s --help'\'' for more information' "$1" "$2" "$3"
}

images='veneer images [OPTIONS] [REPOSITORY[:TAG]]'
says 125 "$(hint 'unknown flag: --x' "$images" 'veneer images')" images --x
says 125 "$(hint "unknown shorthand flag: 'x' in -x" "$images" 'veneer images')" images -qx
says 125 "$(hint 'flag needs an argument: --format' "$images" 'veneer images')" images --format
says 125 "$(hint 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)' \
	"$images" 'veneer images')" images -f x
says 125 "$(hint 'unknown flag: --x' 'veneer image ls [OPTIONS] [REPOSITORY[:TAG]]' 'veneer image ls')" \
	image list --x
says 125 "$(hint 'unknown flag: --debug' "$images" 'veneer images')" images --debug
says 125 "$(hint 'unknown flag: --x' 'veneer [OPTIONS] COMMAND [ARG...]' veneer)" --x images
says 125 "$(hint 'unknown flag: --x' 'veneer image COMMAND' 'veneer image')" image --x

says 1 "$(hint "veneer: 'veneer images' requires at most 1 argument" "$images" 'veneer images')" images a b
says 1 "$(hint "veneer: 'veneer rmi' requires at least 1 argument" \
	'veneer rmi [OPTIONS] IMAGE [IMAGE...]' 'veneer rmi')" rmi
says 1 "$(hint "veneer: 'veneer image tag' requires 2 arguments" \
	'veneer image tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]' 'veneer image tag')" image tag a
says 1 "$(hint "veneer: 'veneer history' requires 1 argument" \
	'veneer history [OPTIONS] IMAGE' 'veneer history')" history a b
says 1 "$(hint "veneer: 'veneer pull' requires 1 argument" \
	'veneer pull [OPTIONS] NAME[:TAG|@DIGEST]' 'veneer pull')" pull a b
says 1 'invalid reference format' pull a:b:c
says 1 "'scratch' is a reserved name" pull scratch:1
says 1 "$(hint "veneer: 'veneer load' accepts no arguments" 'veneer load [OPTIONS]' 'veneer load')" load x
says 1 "$(hint "veneer: 'veneer import' requires at least 1 and at most 2 arguments" \
	'veneer import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]' 'veneer import')" import
# tag ends its options at the first word
says 1 "$(hint "veneer: 'veneer tag' requires 2 arguments" \
	'veneer tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]' 'veneer tag')" tag a --help b

says 1 "$(printf "veneer: unknown command: veneer foo\n\nRun 'veneer --help' for more information")" foo
says 1 "$(hint 'veneer: unknown command: veneer image foo' 'veneer image COMMAND' 'veneer image')" image foo
# absent FIRST-WORDS STATUS ARGUMENT... - refused by name, with something to do instead
absent() {
	local status=$2
	"$veneer" "${@:3}" >"$work/out" 2>"$work/err" </dev/null
	same "status of: ${*:3}" "$status" "$?"
	same "stderr of: ${*:3}" "veneer: 'veneer $1' is not in this version: " \
		"$(head -n 1 "$work/err" | grep -o '^.* is not in this version: ')"
	same "stdout of: ${*:3}" '' "$(cat "$work/out")"
}
search='veneer search [OPTIONS] TERM'
says 1 "$(hint "veneer: 'veneer search' requires 1 argument" "$search" 'veneer search')" search
says 1 'limit 200 is outside the range of [1, 100]' search --limit 200 x
says 1 "invalid filter 'name'" search -f name=x x
says 1 "invalid filter 'stars=many'" search -f stars=many x
says 1 "invalid filter 'is-official=2'" search --filter is-official=2 x
says 1 "invalid term 'https://x.example/y': leave out what stands before the host" search https://x.example/y
cp='veneer cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-
	veneer cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH'
says 1 "$(hint "veneer: 'veneer cp' requires 2 arguments" "$cp" 'veneer cp')" cp x
says 125 "$(hint 'unknown flag: --x' "$cp" 'veneer cp')" cp --x a b:c
says 1 'must specify at least one container source' cp a ./b:c
says 1 'copying between containers is not supported' cp a:b c:d
says 1 'source can not be empty' cp '' c:d
says 1 'destination can not be empty' container cp c:d ''
says 1 "invalid output path: directory \"$work/none\" does not exist" cp c:d "$work/none/x"
says 1 'invalid output path: "/dev/null" must be a directory or a regular file: got a device' cp c:d /dev/null
says 1 "$(hint "veneer: 'veneer diff' requires 1 argument" 'veneer diff CONTAINER' 'veneer diff')" diff
says 1 "$(hint "veneer: 'veneer container export' requires 1 argument" \
	'veneer container export [OPTIONS] CONTAINER' 'veneer container export')" container export
says 1 "failed to export container: invalid output path: directory \"$work/none\" does not exist" \
	export -o "$work/none/x" c
push='veneer push [OPTIONS] NAME[:TAG]'
says 1 "$(hint "veneer: 'veneer push' requires 1 argument" "$push" 'veneer push')" push
says 1 "cannot push a digest reference" push "me/app@sha256:$(printf '%064d' 0)"
says 1 "tag can't be used with --all-tags/-a" push -a me/app:1
says 1 "no compression format 'bzip2': there are gzip and zstd" push --compression-format bzip2 me/app
says 1 '--platform is not supported: an image here has one platform' push --platform linux/arm64 me/app
says 1 "invalid reference format: repository name (library/App) must be lowercase" push App
says 1 "$(hint "veneer: 'veneer commit' requires at least 1 and at most 2 arguments" \
	'veneer commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]' 'veneer commit')" commit
build='veneer build [OPTIONS] PATH | URL | -'
says 125 "$(hint 'unknown flag: --x' "$build" 'veneer build')" build --x .
says 125 "$(hint 'invalid argument "0" for "--shm-size" flag: must be more than 0' "$build" 'veneer build')" \
	build --shm-size 0 .
says 1 "$(hint "veneer: 'veneer build' requires 1 argument" "$build" 'veneer build')" build
says 1 "$(hint "veneer: 'veneer builder build' requires 1 argument" \
	'veneer builder build [OPTIONS] PATH | URL | -' 'veneer builder build')" builder build a b
says 1 "unable to prepare context: path \"$work/none\" not found" build "$work/none"
says 1 "invalid argument: can't use stdin for both build context and dockerfile" build -f - -
says 1 'invalid tag "a:b:c": invalid reference format' image build -t a:b:c "$work"
says 1 '--push is not supported: '\''veneer push'\'' takes the image to its registry' build --push "$work"
says 1 '--cpuset-cpus is not supported' builder build --cpuset-cpus 0 "$work"
says 1 "--keep-storage is not supported: '--filter until=24h' keeps what was used in the last day" \
	builder prune -f --keep-storage 1G
says 1 "--volumes with --filter is not supported: 'veneer volume prune' removes volumes alone" \
	system prune -f --volumes --filter until=1h
says 1 "invalid filter 'colour'" volume ls -f colour=red
says 1 "invalid filter 'dangling=[x]'" volume ls -f dangling=x
says 1 'progress=plain and quiet cannot be used together' build -q --progress plain "$work"

same 'help of what is absent' "$("$veneer" top 2>&1 | head -n 1)" "$("$veneer" help top 2>&1)"
says 1 'unknown help topic: foo bar' help foo bar
says 1 'unable to parse logging level: loud' -l loud version
says 64 'template parsing error: template: :1: unclosed action' version -f '{{'

says 1 '--quiet is not yet supported with --tree' images --tree -q
says 1 'conflicting options: cannot specify both --repair and --rebuild' check --repair --rebuild
says 1 'conflicting options: cannot specify both --data and --files' pool create --data /dev/x --files 1G
says 1 'the --metadata option requires --data to be set' pool create --metadata /dev/x
for option in --files --block-size --volume-size; do
	says 125 "$(hint "invalid argument \"0\" for \"$option\" flag: must be more than 0" \
		'veneer pool create [OPTIONS]' 'veneer pool create')" pool create $option 0
done
says 1 '"a/b/c/d": cannot parse platform specifier: invalid argument' load --platform a/b/c/d -i x
says 1 '"a/b/c/d": cannot parse platform specifier: invalid argument' import --platform a/b/c/d x
says 1 'unknown type: "pod": must be one of "container", "image"' inspect --type pod x

# The configuration is strict, and names what is wrong with it.
printf '{ "pool": { "blocksize": 1 } }' >"$work/veneer.json"
says 1 "$work/veneer.json: unknown key \"pool.blocksize\"" --config "$work/veneer.json" images
says 1 '--kernel: must be "auto", "host" or "appliance"' --kernel guest images

# Help: asked for on stdout, not asked for on stderr, status 0 both times.
same 'help of a group' "$("$veneer" image --help 2>/dev/null)" "$("$veneer" image 2>&1 >/dev/null)"
same 'help of the program' "$("$veneer" --help 2>/dev/null)" "$("$veneer" 2>&1 >/dev/null)"
same 'help of an alias' "$("$veneer" image ls --help)" "$("$veneer" image list --help)"
same 'help by its command' "$("$veneer" rmi --help)" "$("$veneer" help rmi)"
same 'version' "veneer version $("$veneer" version -f '{{.Client.Version}}')" \
	"$("$veneer" --version | sed 's/, build .*//')"

# A full disk is an error, not a short output.
"$veneer" --help >/dev/full 2>"$work/err"
same 'status on a full disk' 1 $?
same 'text on a full disk' 'write to standard output: No space left on device' "$(cat "$work/err")"

# The completion script is one that bash takes, and it completes.
printf '#!/bin/sh\n[ "$1" = __complete ] && shift && printf "%%s\\n" "$*-one" debian:11 debian:12 lake\n' >"$work/names"
chmod +x "$work/names"
export NAMES=$work/names
"$veneer" completion bash >"$work/completion"
complete_line() {
	bash --norc --noprofile -c '
		source "$1"
		shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=999
		_veneer "$NAMES"
		printf "%s " "${COMPREPLY[@]}"' bash "$work/completion" "$@"
}
same 'complete a command' 'images ' "$(complete_line veneer imag | sed 's/image //')"
same 'complete in a group' 'history ' "$(complete_line veneer image hi)"
same 'complete an option' '--digests ' "$(complete_line veneer --debug images --di)"
same 'complete an option of an alias' '--digests ' "$(complete_line veneer image list --di)"
same 'complete nothing behind a value option' ' ' "$(complete_line veneer images --format '')"
same 'complete the name of a container' 'containers-one ' "$(complete_line veneer stop cont)"
same 'complete the name of an image' 'lake ' "$(complete_line veneer run la)"
same 'complete the name of either' 'lake ' "$(complete_line veneer inspect la)"
same 'complete behind a colon' '11 12 ' "$(complete_line veneer image rm lake debian:1)"
same 'complete no name of an image' ' ' "$(complete_line veneer stop images-)"
same 'names without a store' '' "$("$veneer" __complete images containers 2>&1)"
same 'a look for names makes no store' no "$([ -e "$work/root" ] && echo yes || echo no)"
touch "$work/archive.tar"
same 'complete a file' "$work/archive.tar " "$(complete_line veneer load -i "$work/arc")"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

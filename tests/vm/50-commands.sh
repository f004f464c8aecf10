#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016
# What a Docker user types: texts to the letter, exit codes, filters, templates, terminals.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

export TZ=UTC
unset COLUMNS DOCKER_CONFIG
veneer() {
	"$VENEER" "$@"
}

# gives STATUS STDOUT STDERR COMMAND... - all three to the letter
gives() {
	local status=$1 out=$2 err=$3 got=0
	shift 3
	"$@" >"$WORK/out" 2>"$WORK/err" || got=$?
	is "$status" "$got" "exit status of: $*"
	is "$out" "$(cat "$WORK/out")" "stdout of: $*"
	is "$err" "$(cat "$WORK/err")" "stderr of: $*"
}

# usage_of PATH SYNOPSIS - what follows each complaint
usage_of() {
	printf '\n\nUsage:  %s%s\n\nRun '"'%s --help'"' for more information' "$1" "${2:+ $2}" "$1"
}

images_usage=$(usage_of 'veneer images' '[OPTIONS] [REPOSITORY[:TAG]]')

usage_errors() {
	gives 125 '' "unknown flag: --x$images_usage" veneer images --x
	gives 125 '' "unknown shorthand flag: 'x' in -x$images_usage" veneer images -qx
	gives 125 '' "flag needs an argument: --format$images_usage" veneer images --format
	gives 125 '' "flag needs an argument: 'f' in -f$images_usage" veneer images -f
	gives 125 '' "invalid argument \"foo\" for \"-f, --filter\" flag: bad format of filter (expected name=value)$images_usage" \
		veneer images -f foo
	gives 1 '' "veneer: 'veneer images' requires at most 1 argument$images_usage" veneer images a b
	gives 1 '' "veneer: 'veneer tag' requires 2 arguments$(usage_of 'veneer tag' 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]')" \
		veneer tag a
	gives 1 '' "veneer: 'veneer image rm' requires at least 1 argument$(usage_of 'veneer image rm' '[OPTIONS] IMAGE [IMAGE...]')" \
		veneer image rm
	gives 1 '' "veneer: 'veneer load' accepts no arguments$(usage_of 'veneer load' '[OPTIONS]')" veneer load x
	gives 1 '' "veneer: 'veneer import' requires at least 1 and at most 2 arguments$(usage_of 'veneer import' '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]')" \
		veneer import
	gives 1 '' "veneer: unknown command: veneer foo

Run 'veneer --help' for more information" veneer foo
	gives 125 '' "unknown flag: --x$(usage_of veneer '[OPTIONS] COMMAND [ARG...]')" veneer --x images
	gives 1 '' '--quiet is not yet supported with --tree' veneer images --tree -q
	# parsing stops at the first operand of tag
	gives 1 '' "veneer: 'veneer tag' requires 2 arguments$(usage_of 'veneer tag' 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]')" \
		veneer tag a b -x
}

helps() {
	contains 'Usage:  veneer images [OPTIONS]' "$(veneer images --help 2>/dev/null)"
	is '' "$(veneer images --help 2>&1 >/dev/null)"
	is '' "$(veneer image 2>/dev/null)"
	contains 'Usage:  veneer image COMMAND' "$(veneer image 2>&1 >/dev/null)"
	contains 'deprecated, use --help' "$(veneer -h 2>&1 >/dev/null)"
	gives 1 '' 'unknown help topic: image foo bar' veneer help image foo bar
	contains 'version' "$(veneer --version)"
	bash -c 'source <("$VENEER" completion bash)'
}

no_pool_for_nothing() {
	local command
	for command in images layers 'layers -q' 'system df -v' info check 'image prune -f'; do
		# shellcheck disable=SC2086
		check "$command without a pool" veneer $command >/dev/null
	done
	gives 1 '' "unmount: 'x' is neither an image nor mounted by veneer" veneer unmount x
	gives 1 '' "detach: 'x' is neither an image nor attached by veneer" veneer detach x
	gives 1 '' "No such image: x" veneer rmi x
	gives 1 '' "'$VENEER_ROOT' has no pool: make one with 'veneer pool create', or load an image" veneer pool status
	check 'still no pool' test ! -e "$VENEER_ROOT/pool.json"
}

tables() {
	gives 0 "REPOSITORY   TAG       IMAGE ID       CREATED         SIZE
small        1         ${small:0:12}   5 minutes ago   3B
reg.x/a/b    2         ${other:0:12}   2 hours ago     4B" '' veneer images -f label=old
	gives 0 "${small:0:12}
${other:0:12}" '' veneer images -q -f label=old
	gives 0 "REPOSITORY   TAG       DIGEST    IMAGE ID" '' \
		bash -c '"$VENEER" images --digests nothing | cut -c 1-41'
	gives 0 "sha256:$small" '' veneer images --no-trunc -q small:1
	gives 0 'IMAGE ID       TAG       DIGEST
'"${small:0:12}"'   1         <none>' '' veneer images --digests --format 'table {{.ID}}\t{{.Tag}}' small
	gives 0 'REPOSITORY|TAG|  SIZE |IMAGE ID
SMALL|"1"|  3B |'"${small:0:4}" '' \
		veneer images --format 'table {{upper .Repository}}|{{json .Tag}}|{{pad .Size 2 1}}|{{truncate .ID 4}}' small
	gives 0 "repository: small
tag: 1
image_id: ${small:0:12}
created_at: $created +0000 UTC
virtual_size: 3B" '' veneer images --format raw small
	gives 0 "image_id: ${small:0:12}" '' veneer images -q --format raw small
	is '3B 1 N/A N/A N/A <none>' \
		"$(veneer images -q --format '{{.Size}} {{.Tag}} {{.Containers}} {{.SharedSize}} {{.UniqueSize}} {{.Digest}}' small)"
	contains '"Digest":"\u003cnone\u003e","ID":' "$(veneer images --format json small)"
	gives 1 '' "template parsing error: template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *formatter.imageContext" \
		veneer images --format '{{.Foo}}'
	gives 1 '' 'template parsing error: template: :1: function "foo" not defined' veneer images --format '{{foo}}'
	gives 0 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE' \
		$'\nNo images found matching "ls": did you mean "veneer image ls"?' veneer images ls
	gives 0 '<no value>' '' veneer images --format 'table {{.Foo}}' nothing
}

# filtered ARGUMENTS... - the tags of the images that are left
filtered() {
	veneer images --format '{{.Tag}}' "$@" | LC_ALL=C sort | tr '\n' ' '
}

filters() {
	is '1 2 ' "$(filtered -f label=old)"
	is '<none> ' "$(filtered -f dangling=true)"
	is '<none> ' "$(filtered -f ' Dangling = 1 ')"
	is '1 2 ' "$(filtered -f dangling=false)"
	is '1 ' "$(filtered -f label=old -f label=team=a)"
	is '2 <none> ' "$(filtered -f 'label!=team=a')"
	is '2 ' "$(filtered -f before=small:1 -f label=old)"
	is '1 ' "$(filtered -f since=reg.x/a/b:2 -f label=old)"
	is '1 2 ' "$(filtered -f reference=small -f 'reference=reg.x/*/b')"
	is '' "$(filtered -f reference=docker.io/library/small)"
	is '2 ' "$(filtered -f until=1h)"
	is '' "$(filtered -f until=1500000000)"
	gives 1 '' "invalid filter 'foo'" veneer images -f foo=bar
	gives 1 '' "invalid filter 'dangling=[x]'" veneer images -f dangling=x
	fails 1 veneer images -f until=x
	contains "invalid value for 'until' filter: " "$stderr"
	gives 1 '' 'No such image: nope:latest' veneer images -f before=nope
}

histories() {
	local by
	mv "$WORK/small.tar" "$WORK/kept.tar"
	make_tree odd
	archive 1999-01-01T00:00:00Z '{}' '["odd:1"]' >/dev/null
	sed -i 's/"comment"/"created_by":"a\\tb\\u001b[1m","comment"/' "$WORK/archive/config.json"
	tar -C "$WORK/archive" -cf "$WORK/archive.tar" manifest.json config.json layer.tar
	mv "$WORK/kept.tar" "$WORK/small.tar"
	veneer load -q -i "$WORK/archive.tar" >/dev/null
	for by in history layers; do
		is $'a b\e[1m' "$(veneer $by --format '{{.CreatedBy}}' odd:1)" "$by"
		contains $'a b\e[1m' "$(veneer $by odd:1)"
		at_terminal '' "$VENEER $by odd:1"
		contains 'a b?[1m' "$(cat "$WORK/screen")"
	done
	is 'N/A' "$(veneer history --format '{{.CreatedSince}}' odd:1)"
	veneer rmi odd:1 >/dev/null
	gives 0 "IMAGE          CREATED         CREATED BY   SIZE      COMMENT
${small:0:12}   5 minutes ago                3B        a word" '' veneer history small:1
	gives 0 "IMAGE          CREATED AT             CREATED BY   SIZE      COMMENT
${small:0:12}   ${created/ /T}Z                3         a word" '' veneer history -H=false small:1
	gives 0 "sha256:$small" '' veneer history -q --no-trunc small:1
	gives 1 '' 'No such image: nope:latest' veneer history nope
}

inspections() {
	gives 0 "sha256:$small sha256:$small [small:1] 3 linux [A=<b>] b" '' \
		veneer inspect -f '{{.Id}} {{.Id}} {{.RepoTags}} {{.Size}} {{.Os}} {{.Config.Env}} {{.Config.Labels.x}}' small:1
	is '[{"Id":"sha256:'"$small"'","RepoTags":["small:1"],' \
		"$(veneer image inspect -f json small:1 | grep -o '^.*"small:1"\],')"
	veneer inspect small:1 | jq -e '.[0].Config.Cmd == ["x"]' >/dev/null
	gives 64 '' 'template parsing error: template: :1: unclosed action' veneer inspect -f '{{' small:1
	gives 64 '' 'template parsing error: template: :1: function "foo" not defined' veneer inspect -f '{{foo}}' small:1
	gives 1 '' 'template parsing error: template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"' \
		veneer inspect -f '{{.Foo}}' small:1
	gives 1 '[]' 'error: no such object: nope' veneer inspect nope
	gives 1 '' 'error: no such object: Bad' veneer inspect -f '{{.Id}}' Bad
	gives 1 "sha256:$small" 'No such image: nope:latest
No such image: nope:2' veneer image inspect nope small:1 nope:2 -f '{{.Id}}'
	gives 1 '[]' 'No such container: small:1' veneer inspect --type container small:1
	gives 1 '' 'unknown type: "x": must be one of "container", "image"' veneer inspect --type x small:1
	gives 0 ok 'WARNING: --size ignored for image' veneer inspect -s -f ok small:1
	gives 0 "sha256:$small" '' veneer inspect -f '{{.Id}}' "${small:0:7}"
}

reports() {
	is 'Images Containers Local Volumes Build Cache ' "$(veneer system df --format '{{.Type}}' | tr '\n' ' ')"
	gives 0 'TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE
Images          3         0         12B       12B (100%)
Containers      0         0         0B        0B
Local Volumes   0         0         0B        0B
Build Cache     0         0         0B        0B' '' veneer system df
	veneer system df -v --format json | jq -e '.Images | length == 3' >/dev/null
	contains 'Images space usage:' "$(veneer system df -v)"
	contains 'Data used:' "$(veneer system df -v)"
	is 'devicemapper 3 inactive [] false' \
		"$(veneer info -f '{{.Driver}} {{.Images}} {{.Swarm.LocalNodeState}} {{.SecurityOptions}} {{.Debug}}')"
	gives 1 'a' "template: :1:3: executing \"\" at <.Foo>: can't evaluate field Foo in type system.dockerInfo" \
		veneer info -f 'a{{.Foo}}'
	gives 64 '' 'template parsing error: template: :1: unclosed action' veneer info -f '{{'
	gives 64 '' 'template parsing error: template: :1: unclosed action' veneer version -f '{{'
	is linux/ "$(veneer version -f '{{.Server.Os}}/{{.Client.APIVersion}}')"
	veneer version -f json | jq -e '.Client.Version == .Server.Version' >/dev/null
}

names() {
	local why='invalid reference format: repository name (library/Bad) must be lowercase'
	gives 1 '' "$why" veneer rmi Bad
	gives 1 '' "$why" veneer rmi -f Bad
	gives 1 '' "$why" veneer history Bad
	gives 1 '[]' "$why" veneer image inspect Bad
	gives 1 '' "$why" veneer import "$WORK/small.tar" Bad
	gives 1 '' "error parsing reference: \"Bad\" is not a valid repository/tag: $why" veneer tag Bad x
	gives 1 '' "error parsing reference: \"Bad\" is not a valid repository/tag: $why" veneer tag small:1 Bad
	gives 1 '' 'refusing to create an ambiguous tag using digest algorithm as name' veneer tag small:1 sha256:1
	gives 1 '' 'image name cannot be blank' veneer rmi ' '
	gives 0 '' 'No such image: nope' veneer rmi -f nope
	gives 1 '' "invalid reference format: repository name (library/A?[2J) must be lowercase" veneer rmi $'A\e[2J'
}

lost_output() {
	local command got
	for command in images 'inspect small:1' version 'images --help' "load -q -i $WORK/archive.tar"; do
		got=0
		# shellcheck disable=SC2086
		veneer $command 2>"$WORK/err" >/dev/full || got=$?
		is 1 "$got" "exit status of $command"
		is 'write to standard output: No space left on device' "$(cat "$WORK/err")" "$command"
	done
	got=0
	veneer images 2>"$WORK/err" >&- || got=$?
	is 1 "$got" 'exit status without an output'
	is 'write to standard output: Bad file descriptor' "$(cat "$WORK/err")"
	# a reader that goes away is no news
	bash -c '"$VENEER" layers --format json 2>"$0" | true' "$WORK/err"
	is '' "$(cat "$WORK/err")"
	veneer images 2>&- <&- >/dev/null
	veneer check
}

# at_terminal INPUT COMMAND - what a terminal shows of it; $status is its exit status
at_terminal() {
	status=0
	printf '%b' "$1" | script -qec "$2" /dev/null >"$WORK/raw" || status=$?
	tr -d '\r' <"$WORK/raw" >"$WORK/screen"
}

terminals() {
	local prompt='Are you sure you want to continue? [y/N] '
	gives 0 "WARNING! This will remove all dangling images.
$prompt" '' bash -c '"$VENEER" image prune <<<n'
	gives 0 "WARNING! This will remove all images without at least one container associated to them.
$prompt" '' bash -c '"$VENEER" image prune -a </dev/null'
	gives 0 "WARNING! This will remove the pool with all images and volumes.
$prompt" '' bash -c '"$VENEER" pool destroy </dev/null'
	is 3 "$(veneer images -q | wc -l)"
	at_terminal 'n\n' "$VENEER image prune"
	is 0 "$status" 'exit status of a no'
	contains "$prompt" "$(cat "$WORK/screen")"
	at_terminal '' "$VENEER load"
	is 1 "$status" 'exit status of a load from the terminal'
	contains 'requested load from stdin, but stdin is empty' "$(cat "$WORK/screen")"
	at_terminal '' "stty columns 130 rows 24; $VENEER load -i $IMAGES/oci.tar"
	is 0 "$status" 'exit status of a load on a terminal'
	contains 'Loading layer [' "$(cat "$WORK/screen")"
	contains 'Loaded image: debian:12' "$(cat "$WORK/screen")"
	gives 0 'Loaded image: debian:12' '' veneer load -i "$IMAGES/oci.tar"
	veneer rmi debian:12 >/dev/null
}

interrupted() {
	local used signal
	used=$(pool_used)
	for signal in INT TERM; do
		fails "$([ $signal = INT ] && echo 130 || echo 143)" \
			timeout -s $signal --preserve-status 1 "$VENEER" load -i "$IMAGES/docker.tar"
		is "$used" "$(pool_used)" 'pool bytes' || {
			veneer layers --human=false
			veneer pool ls
			return 1
		}
	done
	healthy
}

moved_name() {
	veneer tag small:1 "$(tar -xOf "$WORK/archive.tar" manifest.json | jq -r '.[0].RepoTags[0]')"
	gives 0 "The image app:9 already exists, renaming the old one with ID sha256:$small to empty string
Loaded image: app:9" '' veneer load -i "$WORK/archive.tar"
	veneer rmi app:9 >/dev/null
}

platforms() {
	gives 1 '' 'image docker.io/library/app:9 is for linux/amd64, not for linux/arm64' \
		veneer load --platform linux/arm64 -i "$WORK/archive.tar"
	gives 1 '' '"a/b/c/d": cannot parse platform specifier: invalid argument' \
		veneer load --platform a/b/c/d -i "$WORK/archive.tar"
	gives 0 'Loaded image: app:9' '' veneer load --platform linux/amd64 -i "$WORK/archive.tar"
	veneer rmi app:9 >/dev/null
}

# An image, and its child, which is older than anything.
families() {
	local parent child
	parent=$(archive 2020-01-01T00:00:00Z '{"Labels":{"kin":"1"}}' '["kin:parent"]')
	veneer load -q -i "$WORK/archive.tar" >/dev/null
	child=$(archive 0001-01-01T00:00:00Z '{"Labels":{"kin":"2"}}' '["kin:child"]')
	sed -i 's/^\[{/&"Parent":"sha256:'"$parent"'",/' "$WORK/archive/manifest.json"
	tar -C "$WORK/archive" -cf "$WORK/archive.tar" manifest.json config.json layer.tar
	veneer load -q -i "$WORK/archive.tar" >/dev/null
	is "sha256:$parent" "$(veneer inspect -f '{{.Parent}}' kin:child)"
	is 'child ' "$(filtered -f label=kin -f before=kin:parent)"
	is '' "$(filtered -f label=kin -f before=kin:child)"
	is 'parent ' "$(filtered -f label=kin -f since=kin:child)"
	gives 1 '' "conflict: unable to delete ${parent:0:12} (cannot be forced) - image has dependent child images" \
		veneer rmi -f "$parent"
	is "Deleted Images:
untagged: kin:child
deleted: sha256:$child
untagged: kin:parent
deleted: sha256:$parent" "$(veneer image prune -af --filter label=kin | grep -v -e ^Total -e '^$')"
	healthy
}

# digest_ref REPOSITORY DIGIT IMAGE - a reference by digest, as a pull records it
digest_ref() {
	python3 - "$VENEER_ROOT/catalogue.db" "$1" "sha256:$(printf '%064d' "$2")" "$3" <<-'END'
		import sqlite3, sys
		path, repository, digest, image = sys.argv[1:]
		with sqlite3.connect(path) as db:
		    db.execute("INSERT INTO reference (name, repository, digest, image) VALUES (?, ?, ?, ?)",
		               (f"docker.io/library/{repository}@{digest}", repository, digest, image))
	END
}

digests() {
	local id d1 d2
	d1=sha256:$(printf '%064d' 1)
	d2=sha256:$(printf '%064d' 2)
	veneer load -q -i "$WORK/archive.tar" >/dev/null
	id=$(veneer inspect -f '{{.Id}}' app:9)
	digest_ref app 1 "$id"
	digest_ref app 2 "$id"
	digest_ref other 2 "$id"
	gives 0 "app:9@$d1
app:9@$d2
other:<none>@$d2" '' veneer images --format '{{.Repository}}:{{.Tag}}@{{.Digest}}' -f 'reference=app*' -f reference=other
	gives 0 "[app@$d1 app@$d2 other@$d2]" '' veneer inspect -f '{{.RepoDigests}}' "app:x@$d1"
	gives 0 "Untagged: app:9
Untagged: app@$d1
Untagged: app@$d2" '' veneer rmi app:9
	digest_ref other 1 "$id"
	gives 0 "Untagged: other@$d2" '' veneer rmi "other@$d2"
	is 'other <none>' "$(veneer images -f dangling=true --format '{{.Repository}} {{.Tag}}' other)"
	gives 0 "Untagged: other@$d1
Deleted: $id" '' veneer rmi "$id"
}

configurations() {
	local text
	mkdir -p "$WORK/docker"
	printf '{"imagesFormat":"{{.Tag}}"}' >"$WORK/docker/config.json"
	is '1 ' "$(DOCKER_CONFIG=$WORK/docker veneer images small | tr '\n' ' ')"
	is "${small:0:12}" "$(veneer --config "$WORK/docker" images -q small)"
	printf '{' >"$WORK/docker/config.json"
	contains "WARNING: Error parsing config file ($WORK/docker/config.json): " \
		"$(veneer --config "$WORK/docker" images 2>&1 >/dev/null)"
	printf '{"pool":{"x":1}}' >"$WORK/own.json"
	gives 1 '' "$WORK/own.json: unknown key \"pool.x\"" veneer --config "$WORK/own.json" images
	mkdir -p "$WORK/with blanks"
	ln -sfn "$WORK/with blanks" "$WORK/link"
	(cd "$WORK" && text=$(veneer --root 'with blanks' images -q) && is '' "$text")
	is '' "$(veneer --root "$WORK/link" images -q)"
	fails 1 veneer --root /proc/nothing images
	fails 1 veneer --root "$WORK/own.json" images
}

# archive CREATED - a docker archive of one layer with one file
archive() {
	local dir=$WORK/archive layer
	rm -rf "$dir" && mkdir -p "$dir"
	cp "$WORK/small.tar" "$dir/layer.tar"
	layer=$(sha256sum <"$dir/layer.tar" | cut -d ' ' -f 1)
	printf '{"architecture":"amd64","os":"linux","created":"%s","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","comment":"a word"}]}' \
		"$1" "$2" "$layer" "$1" >"$dir/config.json"
	printf '[{"Config":"config.json","RepoTags":%s,"Layers":["layer.tar"]}]' "$3" >"$dir/manifest.json"
	tar -C "$dir" -cf "$WORK/archive.tar" manifest.json config.json layer.tar
	sha256sum <"$dir/config.json" | cut -d ' ' -f 1
}

make_tree() {
	rm -rf "$WORK/tree" && mkdir -p "$WORK/tree/bin"
	printf '%s' "$1" >"$WORK/tree/bin/x"
	tar -C "$WORK/tree" -cf "$WORK/small.tar" .
}

# Three images: small:1, reg.x/a/b:2 and one without a name.
make_images() {
	local when
	make_tree 1234
	when=$(date -u -d '-2 hours -10 seconds' +%FT%TZ)
	other=$(archive "$when" '{"Labels":{"old":""}}' '["reg.x/a/b:2"]')
	veneer load -q -i "$WORK/archive.tar" >/dev/null
	make_tree 12345
	veneer import "$WORK/small.tar" >/dev/null
	make_tree 123
	created=$(date -u -d '-5 minutes -20 seconds' '+%F %T')
	small=$(archive "${created/ /T}Z" '{"Cmd":["x"],"Env":["A=<b>"],"Labels":{"old":"","team":"a","x":"b"}}' '["small:1"]')
	veneer load -q -i "$WORK/archive.tar" >/dev/null
}

rm -rf "$VENEER_ROOT"
case_ 'wrong usage, to the letter' usage_errors
case_ 'help and where it goes' helps
case_ 'no pool is made for nothing' no_pool_for_nothing
fresh_store 2G
make_images
case_ 'tables of images' tables
case_ 'filters of images' filters
case_ 'history' histories
case_ 'inspect, and its exit codes' inspections
case_ 'system df, info, version' reports
case_ 'names that make no sense' names
case_ 'configuration files and odd roots' configurations
case_ 'parents and children' families
archive "${created/ /T}Z" '{"User":"me"}' '["app:9"]' >/dev/null
case_ 'a platform that was asked for' platforms
case_ 'references by digest' digests
case_ 'a name that moves is told' moved_name
case_ 'output that is lost is an error' lost_output
veneer rmi app:9 >/dev/null 2>&1
case_ 'prompts and progress on a terminal' terminals
case_ 'a load that is stopped leaves nothing' interrupted

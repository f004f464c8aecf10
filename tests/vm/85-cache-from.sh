#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# limit: 600
# build --cache-from: images that leave the store and come back as if from elsewhere, true and false ones.
# shellcheck disable=SC2016,SC2154 # for the shell in the container; fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

v() { "$VENEER" "$@"; }

here=$(dirname "$0")
bases=$IMAGES/dockerfiles.tar
ctx=$WORK/ctx

context() {
	rm -rf "$ctx"
	mkdir "$ctx"
	cat >"$ctx/Dockerfile"
}

cached() { grep -c CACHED "$WORK/log" || true; }

# build ARGUMENT... - its output in log
build() { v build "$@" "$ctx" 2>"$WORK/log" || { cat "$WORK/log"; return 1; }; }

id_of() { v images -q --no-trunc "$1"; }

# No image but the bases, and no cache. The newest goes first: it may be a child of another.
forget() {
	local image
	for image in $(v images -q --no-trunc | awk '!seen[$0]++'); do
		[[ $kept = *"$image"* ]] || v rmi -f "$image" >/dev/null
	done
	v builder prune -a -f >/dev/null
}

# carry IMAGE [KEY...] - the image, and nothing else of its build, comes back from elsewhere
carry() {
	v save -o "$WORK/carried.tar" "$1"
	[ $# = 1 ] || python3 "$here/false_keys.py" "$WORK/carried.tar" "${@:2}"
	forget
	v load -q -i "$WORK/carried.tar"
	rm "$WORK/carried.tar"
}

# keys_of IMAGE - the keys that it carries, in order
keys_of() {
	jq -r '.history[]."veneer.step" // empty' "$VENEER_ROOT/blobs/sha256/$(id_of "$1" | cut -d: -f2)"
}

case_from() {
	case_ "$@"
	forget
}

application() {
	context <<-'END'
		FROM base
		ENV A=1
		WORKDIR /srv
		RUN echo $A >one
		COPY --chmod=640 file folder /copied/
		ARG V=1
		RUN echo $V >two
		CMD ["sh"]
	END
	echo x >"$ctx/file"
	mkdir "$ctx/folder"
	echo y >"$ctx/folder/y"
	build -t app:1
	is 1 "$(cached)" 'the first time: FROM'
}

events() { cat /sys/kernel/uevent_seqnum; }

# The other machine has other times, and another tag.
all_cached() {
	local id before
	before=$(events)
	application
	check 'events of devices' test "$before" != "$(events)"
	id=$(id_of app:1)
	is 4 "$(keys_of app:1 | wc -l)" 'keys'
	is buildkit.dockerfile.v0 "$(v history --format '{{.Comment}}' app:1 | sort -u | grep .)" 'what history shows'
	carry app:1
	touch "$ctx/file" "$ctx/folder"
	build -t app:2
	is 1 "$(cached)" 'without --cache-from'
	v rmi app:2 >/dev/null
	v builder prune -a -f >/dev/null
	before=$(events)
	build -t app:2 --cache-from app:1 --build-arg BUILDKIT_INLINE_CACHE=1
	contains 'importing cache manifest from app:1' "$(cat "$WORK/log")"
	is 5 "$(cached)" 'all steps'
	is '' "$(grep -i warning "$WORK/log" || true)" 'warnings'
	is "$before" "$(events)" 'events of devices'
	is "$id" "$(id_of app:2)" 'the same image'
	healthy
}

# What was changed is done, and all behind it; the steps before are not.
partly_cached() {
	application
	carry app:1
	echo other >"$ctx/file"
	build -t app:2 --cache-from app:1
	is 3 "$(cached)" 'FROM, WORKDIR, RUN'
	is 'other 1 1' "$(v run --rm app:2 sh -c 'echo $(cat /copied/file one two)')"
	echo x >"$ctx/file"
	build -t app:2 --cache-from "type=registry,ref=app:1" --build-arg V=2
	is 4 "$(cached)" 'FROM, WORKDIR, RUN, COPY'
	is 'x 1 2' "$(v run --rm app:2 sh -c 'echo $(cat /copied/file one two)')"
	chmod 700 "$ctx/folder/y"
	build -t app:2 --cache-from bare,app:1
	is 3 "$(cached)" 'another mode'
	build -t app:3
	is 1 "$(cached)" 'nothing was remembered of what the image said'
	build -t app:4 --cache-from app:1 --no-cache
	is 1 "$(cached)" '--no-cache'
	is '' "$(grep importing "$WORK/log" || true)" 'with --no-cache nobody looks'
	healthy
}

# Of another stage only what is copied from it counts, whatever else its layers hold.
stages() {
	local id before
	context <<-'END'
		FROM base AS made
		RUN mkdir /out && echo x >/out/x && cat /proc/uptime /proc/sys/kernel/random/uuid >/noise
		FROM base
		COPY --from=made /out /out
		COPY --from=bare /bin/busybox /bb
		RUN --mount=from=made,target=/m cat /m/out/x >/from-mount
		RUN cat /out/x >/y
	END
	build -t app:1
	id=$(id_of app:1)
	is 3 "$(keys_of app:1 | wc -l)" 'a RUN on a stage has no key that means anything elsewhere'
	before=$(events)
	build -t app:2
	is 7 "$(cached)" 'from the local cache'
	is "$before" "$(events)" 'events of devices'
	is "$id" "$(id_of app:2)" 'with the keys that nobody had to look for'
	carry app:1
	sed -i '/mount=/d' "$ctx/Dockerfile"
	build -t app:2 --cache-from app:1
	is 4 "$(cached)" 'FROM twice, COPY twice: the stage itself is not in the image'
	is 'x x' "$(v run --rm app:2 sh -c 'echo $(cat /out/x /y)')"
	healthy
}

# SOURCE_DATE_EPOCH: with and without caches, with what a stage leaves to chance.
reproducible() {
	local id
	context <<-'END'
		FROM base AS made
		RUN echo x >/x && cat /proc/sys/kernel/random/uuid >/noise
		FROM base
		COPY --from=made /x /x
		RUN --mount=from=made,target=/m cat /m/x >/y
		RUN echo z >/z
	END
	build -t app:1 --build-arg SOURCE_DATE_EPOCH=1700000000
	id=$(id_of app:1)
	build -t app:2 --build-arg SOURCE_DATE_EPOCH=1700000000 --no-cache
	is "$id" "$(id_of app:2)" 'without a cache'
	carry app:1
	build -t app:3 --build-arg SOURCE_DATE_EPOCH=1700000000 --cache-from app:1
	is "$id" "$(id_of app:3)" 'with --cache-from'
	build -t app:4 --build-arg SOURCE_DATE_EPOCH=1700000001 --cache-from app:1
	is 2 "$(cached)" 'another time is another step'
	healthy
}

# A history that says of every layer what the next step makes, and one that is no history at all.
false_keys() {
	local keys one two three four
	application
	keys=$(keys_of app:1)
	read -r one two three four <<<"${keys//$'\n'/ }"
	carry app:1 "\"$two\"" "\"$three\"" "\"$four\"" "\"$one\""
	build -t app:2 --cache-from app:1
	is 1 "$(cached)" 'each on the layer below its own'
	is 'x 1 1' "$(v run --rm app:2 sh -c 'echo $(cat /copied/file one two)')"
	carry app:2 7 '{"a": []}' '"sha256:00"' '"sha512:00"'
	build -t app:1 --cache-from app:2
	is 1 "$(cached)" 'what is no key'
	contains 'WARNING: the image carries no keys of steps' "$(cat "$WORK/log")"
	healthy
}

# A layer that is not what its key says is the user's choice, and nobody else's.
poison() {
	local key
	context <<-'END'
		FROM base
		RUN echo good >/it
	END
	build -t good
	key=$(keys_of good)
	sed -i s/good/evil/ "$ctx/Dockerfile"
	build -t evil
	carry evil "\"$key\""
	sed -i s/evil/good/ "$ctx/Dockerfile"
	build -t mine --cache-from evil
	is evil "$(v run --rm mine cat /it)" 'asked for'
	build -t mine
	is good "$(v run --rm mine cat /it)" 'not asked for'
	healthy
}

no_cache_there() {
	local id
	application
	build -t app:2 --no-cache --cache-from nothing/there:1
	is '' "$(grep -i warning "$WORK/log" || true)"
	build -t app:2 --cache-from nothing/there:1 --cache-from bare
	is 5 "$(cached)" 'the local cache goes first'
	is 2 "$(grep -c '^#[0-9]* WARNING: ' "$WORK/log")" 'notes'
	contains '[Warning] --cache-from nothing/there:1: Get "https://registry-1.docker.io/' "$(cat "$WORK/log")"
	contains '[Warning] --cache-from bare: the image carries no keys of steps' "$(cat "$WORK/log")"
	id=$(v build -q --cache-from nothing/there:1 "$ctx" 2>"$WORK/log")
	is "$(id_of app:2)" "$id" '-q'
	contains '[Warning] --cache-from nothing/there:1' "$(cat "$WORK/log")"
	fails 1 "$VENEER" build --cache-from type=gha "$ctx"
	contains '--cache-from type=gha is not supported' "$stderr"
	healthy
}

# A child of an image carries its steps, too.
child() {
	application
	printf 'FROM app:1\nRUN echo child >/child\n' | v build -t child - 2>/dev/null
	is 5 "$(keys_of child | wc -l)"
	carry child
	build -t app:2 --cache-from child
	is 5 "$(cached)"
	healthy
}

# Entries of a catalogue from before steps had a last key get one when they are found.
older_catalogue() {
	local id before tag
	context <<-'END'
		FROM base
		RUN echo x >/y
		COPY --from=bare /bin/busybox /bb
	END
	build -t app:1
	id=$(id_of app:1)
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE build_step SET last_key = NULL")
db.commit()' "$VENEER_ROOT/catalogue.db"
	for tag in 2 3; do
		before=$(events)
		build -t app:$tag
		is 3 "$(cached)"
		is "$id" "$(id_of app:$tag)" 'the same image'
	done
	is "$before" "$(events)" 'events of devices, the second time'
	healthy
}

fresh_store 2G
v load -q -i "$bases" >/dev/null
kept=$(v images -q --no-trunc)
v run --rm base true # the image has its init volume from now on

case_from 'an image from elsewhere is a cache: all steps, no device, the same image' all_cached
case_from 'what was changed is done, and nothing is remembered of what the image said' partly_cached
case_from 'of a stage what is copied counts' stages
case_from 'with SOURCE_DATE_EPOCH the image is the same whatever was cached' reproducible
case_from 'a key counts only above its own layers; what is no key is none' false_keys
case_from 'a false layer reaches only who names its image' poison
case_from 'an image that is not there, or is no cache, is warned of' no_cache_there
case_from 'a child carries the keys of its base' child
case_from 'entries of an older catalogue get their last key' older_catalogue

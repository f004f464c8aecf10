#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# Builds: steps, the cache, stages, mounts, limits and failures, on a real image. What single rules of
# Dockerfiles give is compared elsewhere (75-dockerfiles.sh and 76-dockerfiles.sh).
# shellcheck disable=SC2016,SC2046,SC2154 # for the shell in the container; fails() sets stderr
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-build.sh
. "$(dirname "$0")/lib-build.sh"

application() {
	context <<-'END'
		FROM debian:12 AS compile
		RUN mkdir /out && echo '#!/bin/sh' >/out/app && echo 'echo "I am $0 of $WHO"' >>/out/app
		RUN chmod 755 /out/app
		FROM debian:12
		ENV WHO=team
		WORKDIR /srv
		COPY --from=compile /out/app /usr/local/bin/
		COPY data/ data/
		RUN rm /etc/debian_version && ls data >list
		ENTRYPOINT ["app"]
	END
	mkdir "$ctx/data"
	echo one >"$ctx/data/1"
	echo two >"$ctx/data/2"
	v build -t app:1 "$ctx" 2>"$WORK/log"
	contains '[compile 2/3] RUN mkdir /out' "$(cat "$WORK/log")"
	contains 'naming to docker.io/library/app:1 done' "$(cat "$WORK/log")"
	is 'I am /usr/local/bin/app of team' "$(v run --rm app:1)"
	is $'1\n2' "$(v run --rm --entrypoint cat app:1 /srv/list)"
	fails 1 "$VENEER" run --rm --entrypoint cat app:1 /etc/debian_version
	local id
	id=$(v images -q --no-trunc app:1)
	v build -t app:2 "$ctx" 2>"$WORK/log"
	is "$id" "$(v images -q --no-trunc app:2)" 'the same from the cache'
	is 8 "$(cached)" 'steps from the cache'
	is "$id" "$(v build -q "$ctx" 2>&1)" 'what -q prints'
	nothing_runs
}

# What writes the files of COPY and ADD is not seen in the layers.
writers() {
	local by ids=()
	context <<-'END'
		FROM debian:12 AS one
		COPY --chown=1:2 --chmod=u+x tree /srv/tree
		ADD files.tar /opt/x/
		FROM debian:12
		RUN ln -s /srv/tree /way && echo old >/etc/issue
		ADD files.tar /etc
		COPY --from=one /srv /opt /way/
	END
	mkdir -p "$ctx/tree/d" "$WORK/files/etc"
	touch "$ctx"/tree/d/{1..300}
	echo content >"$ctx/tree/d/1"
	ln "$ctx/tree/d/1" "$ctx/tree/hard"
	ln -s ../etc "$ctx/tree/link"
	mkfifo "$ctx/tree/fifo"
	setfattr -n user.x -v y "$ctx/tree/d/2"
	setfacl -m u:12345:rwx "$ctx/tree/d/3"
	truncate -s 10M "$ctx/tree/sparse"
	head -c 1500000 /dev/urandom >"$WORK/files/large"
	echo new >"$WORK/files/issue"
	ln -s /etc "$WORK/files/absolute"
	cp -a "$ctx/tree" "$WORK/files/"
	tar --xattrs --acls -C "$WORK/files" -cf "$ctx/files.tar" .
	for by in mount direct auto; do
		VENEER_WRITER=$by v build --no-cache --build-arg SOURCE_DATE_EPOCH=1700000000 -t "by:$by" "$ctx" 2>"$WORK/log"
		is '' "$(grep -a warning "$WORK/log" || true)" "warnings, $by"
		ids+=("$(v images -q --no-trunc "by:$by")")
	done
	is "${ids[0]}" "${ids[1]}" 'images by a mount and as blocks'
	is "${ids[0]}" "${ids[2]}" 'images by a mount and as it comes'
	nothing_runs
}

# Only what the change reaches is done again.
cache() {
	context <<-'END'
		FROM debian:12
		RUN echo 1 >/1
		COPY a /a
		ARG V=1
		RUN echo $V >/2
	END
	echo a >"$ctx/a"
	echo b >"$ctx/b"
	v build -t c "$ctx" 2>"$WORK/log"
	is 1 "$(cached)" 'first build: FROM'
	echo c >"$ctx/b"
	touch "$ctx/a"
	v build -t c "$ctx" 2>"$WORK/log"
	is 4 "$(cached)" 'neither times nor other files count'
	v build -t c --build-arg V=2 "$ctx" 2>"$WORK/log"
	is 3 "$(cached)" 'an ARG reaches the RUN behind it'
	echo A >"$ctx/a"
	v build -t c "$ctx" 2>"$WORK/log"
	is 2 "$(cached)" 'same size, other content'
	chmod 700 "$ctx/a"
	v build -t c "$ctx" 2>"$WORK/log"
	is 2 "$(cached)" 'other mode'
	v build -t c --no-cache "$ctx" 2>"$WORK/log"
	is 1 "$(cached)" '--no-cache'
	nothing_runs
}

# Names may be any bytes, and all of them count.
cache_of_odd_names() {
	context <<-'END'
		FROM debian:12
		COPY f* /d/
		RUN <<EOF
		#!/bin/sh
		echo @ >/bytes
		EOF
	END
	LC_ALL=C sed -i $'s/@/\xff/' "$ctx/Dockerfile"
	echo x >"$ctx/f"$'\xff'
	v build -q -t o "$ctx" >/dev/null
	mv "$ctx/f"$'\xff' "$ctx/f"$'\xfe'
	v build -t o "$ctx" 2>"$WORK/log"
	is 1 "$(cached)" 'another name'
	is '"f\376"' "$(v run --rm o ls --quoting-style=c /d)"
	is ' ff 0a' "$(v run --rm o od -An -tx1 /bytes)"
	nothing_runs
}

# The layers of an image go with it, and so do their keys.
cache_and_rmi() {
	local before
	context <<-'END'
		FROM debian:12
		RUN head -c 5000000 /dev/urandom >/big
	END
	before=$(pool_used)
	v build -t r "$ctx" 2>/dev/null
	v rmi r >"$WORK/out"
	contains 'Deleted: sha256:' "$(cat "$WORK/out")"
	is "$before" "$(pool_used)" 'the pool has all back'
	v build -t r "$ctx" 2>"$WORK/log"
	is 1 "$(cached)" 'the key went with the layer'
}

failing_step() {
	local before
	context <<-'END'
		FROM debian:12
		RUN echo kept >/kept
		RUN echo lost >/lost; echo says; exit 3
	END
	before=$(v images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')
	fails 1 "$VENEER" build -t f "$ctx"
	contains 'says' "$stderr"
	contains '   3 | >>> RUN echo lost' "$stderr"
	contains 'process "/bin/sh -c echo lost >/lost; echo says; exit 3" did not complete successfully: exit code: 3' "$stderr"
	is "$before" "$(v images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}')" 'no image'
	nothing_runs
	sed -i '$d' "$ctx/Dockerfile"
	v build -t f "$ctx" 2>"$WORK/log"
	is 2 "$(cached)" 'the step before is in the cache'
	is kept "$(v run --rm f sh -c 'ls / | grep -x -e kept -e lost')"
}

bad_input() {
	context <<-'END'
		FROM debian:12
		FOO bar
	END
	fails 1 "$VENEER" build "$ctx"
	contains 'dockerfile parse error on line 2: unknown instruction: FOO' "$stderr"
	context <<-'END'
		FROM debian:12
		COPY nothing /x
	END
	fails 1 "$VENEER" build "$ctx"
	contains '"/nothing": not found' "$stderr"
	context <<-'END'
		FROM debian:12
		COPY ../../etc/passwd /x
	END
	fails 1 "$VENEER" build "$ctx"
	contains '"/etc/passwd": not found' "$stderr"
	fails 1 "$VENEER" build "$WORK/no-such-folder"
	contains 'not found' "$stderr"
	rm "$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains 'failed to read dockerfile: open Dockerfile: no such file or directory' "$stderr"
	fails 1 "$VENEER" build --target nope - <<<'FROM debian:12'
	contains 'target stage "nope" could not be found' "$stderr"
	fails 1 "$VENEER" build - <<<'FROM not-there:1'
	contains 'not-there:1: Get "https://registry-1.docker.io/' "$stderr"
	fails 1 "$VENEER" build - <<<$'FROM debian:12\nRUN --mount=type=secret,id=s,required cat /run/secrets/s'
	contains 'secret s: not found' "$stderr"
	fails 1 "$VENEER" build - <<<$'FROM debian:12\nCOPY --chown=nobody-at-all a /'
	nothing_runs
}

from_streams() {
	mkdir -p "$WORK/tar/sub"
	echo hello >"$WORK/tar/sub/file"
	printf 'FROM debian:12\nCOPY sub /sub\n' >"$WORK/tar/Other"
	tar -C "$WORK/tar" -czf "$WORK/ctx.tar.gz" .
	v build -t s -f Other - <"$WORK/ctx.tar.gz" 2>"$WORK/log"
	is hello "$(v run --rm s cat /sub/file)"
	printf 'FROM debian:12\nRUN echo alone >/x\n' | v build -t s - 2>/dev/null
	is alone "$(v run --rm s cat /x)"
	printf 'FROM debian:12\nCOPY sub/file /y\n' | v build -t s -f - "$WORK/tar" 2>/dev/null
	is hello "$(v run --rm s cat /y)"
	nothing_runs
}

mounts() {
	context <<-'END'
		FROM debian:12 AS tools
		RUN mkdir /t && echo tool >/t/f
		FROM debian:12
		RUN --mount=type=cache,target=/c echo first >>/c/log
		RUN --mount=type=cache,target=/c cp /c/log /log
		RUN --mount=from=tools,source=/t,target=/mnt/t cp /mnt/t/f /tool && ! touch /mnt/t/new
		RUN --mount=target=/ctx,rw cp /ctx/here / && echo x >/ctx/written
		RUN --mount=type=tmpfs,target=/scratch,size=1m ! head -c 2000000 /dev/zero >/scratch/big
		RUN --mount=type=secret,id=s cat /run/secrets/s | tr a-z A-Z >/secret
		RUN --mount=type=secret,id=s,env=S test "$S" = hush
	END
	echo here >"$ctx/here"
	echo -n hush >"$WORK/secret"
	v build -t m --secret "id=s,src=$WORK/secret" "$ctx" 2>"$WORK/log" || { cat "$WORK/log"; return 1; }
	is 'first tool here HUSH' "$(v run --rm m sh -c 'echo $(cat /log /tool /here /secret)')"
	is '' "$(v run --rm m sh -c 'ls -d /c /ctx /scratch /run/secrets /mnt/t' 2>/dev/null)" 'mount points'
	is 'Dockerfile here' "$(cd "$ctx" && echo *)" 'what rw wrote is thrown away'
	echo -n other >"$WORK/secret"
	v build -t m --secret "id=s,src=$WORK/secret" "$ctx" 2>"$WORK/log"
	is 10 "$(cached)" 'a secret does not count for the cache'
	nothing_runs
}

# What an image has.
paths() {
	local id
	id=$(v create "$1" true)
	v export "$id" | tar -t
	v rm "$id" >/dev/null
}

# Neither hosts nor anything else that the step was given is in its layer.
leaves_nothing() {
	context <<-'END'
		FROM debian:12
		RUN cat /etc/hosts /etc/resolv.conf >/dev/null; test -c /dev/null; sleep 1000 & echo x >/x
	END
	v build -t n "$ctx" 2>/dev/null
	is '' "$(pgrep -x sleep || true)" 'processes'
	is '> x' "$(diff <(paths debian:12) <(paths n) | grep '^[<>]')" 'what it added'
	nothing_runs
}

# SOURCE_DATE_EPOCH: the same bytes, also without the cache.
reproducible() {
	local one
	context <<-'END'
		FROM debian:12
		RUN mkdir /d && echo x >/d/x && ln -s x /d/l
		COPY f /f
		LABEL a=b
	END
	echo f >"$ctx/f"
	one=$(v build -q --build-arg SOURCE_DATE_EPOCH=1700000000 "$ctx")
	touch "$ctx/f"
	is "$one" "$(v build -q --no-cache --build-arg SOURCE_DATE_EPOCH=1700000000 "$ctx")"
	is 2023-11-14T22:13:20Z "$(v image inspect --format '{{.Created}}' "$one")"
	is '1700000000 1700000000' "$(v run --rm "$one" sh -c 'echo $(stat -c %Y /d/x /f)')"
}

# Attributes of the root, sockets and names like whiteouts are in no layer's tar, so in no layer.
only_the_tar() {
	context <<-'END'
		FROM debian:12
		RUN chmod 711 / && chown 5:6 / && perl -MIO::Socket -e 'IO::Socket::UNIX->new(Local=>"/s",Listen=>1)' && test -S /s && mkdir /.wh.d && echo x >/.wh.d/x
		RUN stat -c '%a %u %g' / >/root-is; ls -d /s /.wh.d >/left 2>/dev/null; true
	END
	v build -t o "$ctx" 2>"$WORK/log" || { cat "$WORK/log"; return 1; }
	is '755 0 0' "$(v run --rm o cat /root-is)"
	is '' "$(v run --rm o cat /left)" 'what the next step sees'
	is '' "$(v run --rm o sh -c 'ls -d /s /.wh.d' 2>/dev/null)" 'what the image has'
	printf 'FROM debian:12\nRUN true\n' | v build -t p - 2>/dev/null
	is '755 0 0' "$(v run --rm p stat -c '%a %u %g' /)" 'an image with the same layer'
	nothing_runs
}

# A hard link to a file below the layer is a file of its own, here as wherever it is loaded.
own_links() {
	local want=$'1 4711\n2 4711\n2 4711\nh\nsame'
	look() { v run --rm o sh -c 'stat -c "%h %a" /h0 /d/h1 /d/h2; cat /d/h1; [ /d/h1 -ef /d/h2 ] && ! [ /h0 -ef /d/h1 ] && echo same'; }
	context <<-'END'
		FROM debian:12
		RUN echo h >/h0 && chmod 4711 /h0 && echo k >/k0 && ln /k0 /k1
		RUN mkdir /d && ln /h0 /d/h1 && ln /h0 /d/h2 && rm /k1
		RUN stat -c '%h %a' /h0 /d/h1 /d/h2 >/is
	END
	v build -q -t o "$ctx" >/dev/null
	is "${want%$'\nh'*}" "$(v run --rm o cat /is)" 'what the next step sees'
	is "$want" "$(look)" 'what was built'
	id=$(v images -q --no-trunc o)
	v save -o "$WORK/o.tar" o
	v rmi o >/dev/null
	v builder prune -af >/dev/null
	v load -q -i "$WORK/o.tar" >/dev/null
	is "$id" "$(v images -q --no-trunc o)"
	is "$want" "$(look)" 'what was loaded'
	v run --name links o ln /h0 /c
	v commit links oc >/dev/null
	is $'1\n1\n1' "$(v run --rm oc stat -c %h /h0 /c /k0)" 'what was committed'
	v rm links >/dev/null
	v rmi oc >/dev/null
	nothing_runs
}

# A context that is mounted is what COPY would take.
mounted_context() {
	context <<-'END'
		FROM debian:12
		RUN --mount=target=/ctx stat -c '%n %u' /ctx/* >/list
		RUN --mount=target=/one,source=kept cat /one >/one-is
	END
	echo k >"$ctx/kept"
	echo i >"$ctx/ignored"
	echo ignored >"$ctx/.dockerignore"
	chown 1000 "$ctx/kept"
	v build -t m "$ctx" 2>"$WORK/log" || { cat "$WORK/log"; return 1; }
	is $'/ctx/Dockerfile 0\n/ctx/kept 0\nk' "$(v run --rm m sh -c 'cat /list; cat /one-is')"
	nothing_runs
}

from_the_web() {
	local server sum
	mkdir -p "$WORK/www"
	echo page >"$WORK/www/page.txt"
	ip link set lo up
	python3 -m http.server -d "$WORK/www" -b 127.0.0.1 8417 >/dev/null 2>&1 &
	server=$!
	while ! (: <>/dev/tcp/127.0.0.1/8417) 2>/dev/null; do
		kill -0 $server || return 1
		read -r -t 0.1 <> <(:) || true
	done
	sum=$(sha256sum <"$WORK/www/page.txt" | cut -d' ' -f1)
	context <<-END
		FROM debian:12
		ADD --checksum=sha256:$sum http://127.0.0.1:8417/page.txt /dir/
		ADD http://127.0.0.1:8417/page.txt /as
	END
	v build -t w "$ctx" 2>"$WORK/log" || { cat "$WORK/log"; kill $server; return 1; }
	is 'page page 600' "$(v run --rm w sh -c 'echo $(cat /dir/page.txt /as) $(stat -c %a /as)')"
	v build -t w "$ctx" 2>"$WORK/log"
	is 3 "$(cached)" 'the same bytes'
	echo other >"$WORK/www/page.txt"
	fails 1 "$VENEER" build "$ctx"
	contains 'digest mismatch' "$stderr"
	printf 'FROM debian:12\nADD --checksum=sha256:%s Dockerfile /x\n' "$sum" >"$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains "checksum can't be specified for non-HTTP(S) sources: Dockerfile" "$stderr"
	printf 'FROM debian:12\nADD http://127.0.0.1:8417/none /x\n' >"$ctx/Dockerfile"
	fails 1 "$VENEER" build "$ctx"
	contains '404' "$stderr"
	kill $server
	nothing_runs
}

prune() {
	context <<-'END'
		FROM debian:12
		RUN echo 1 >/1
		RUN exit 1
	END
	fails 1 "$VENEER" build "$ctx"
	contains 'Build Cache     1' "$(v system df)"
	v builder prune -f >"$WORK/out"
	contains 'Total' "$(cat "$WORK/out")"
	contains 'Build Cache     0' "$(v system df)"
	is "$used" "$(pool_used)" 'the space is back'
}

fresh_store 2G
v load -q -i "$IMAGES/oci.tar" >/dev/null
base=$(v images -q debian:12)
v run --rm debian:12 true # the image has its init volume from now on
used=$(pool_used)

case_build 'an application of two stages is built, run, and built again from the cache' application
case_build 'a mount and blocks make the same layers of COPY and ADD' writers
case_build 'the cache knows contents, modes and arguments, not times' cache
case_build 'the cache knows names of any bytes' cache_of_odd_names
case_build 'rmi gives the layers back and drops their keys' cache_and_rmi
case_build 'a failing step shows its lines; the steps before it are cached' failing_step
case_build 'bad input is refused, and nothing is left' bad_input
case_build 'contexts and Dockerfiles come from stdin' from_streams
case_build 'mounts of RUN are there for the step and leave nothing' mounts
case_build 'what a step is given, and what it leaves running, is not in the layer' leaves_nothing
case_build 'with SOURCE_DATE_EPOCH two builds are the same image' reproducible
case_build 'a layer is what its tar says, and nothing else' only_the_tar
case_build 'a hard link to a file below is a file of its own' own_links
case_build 'a mounted context is what COPY would take' mounted_context
case_build 'ADD takes files from a web server' from_the_web
case_build 'builder prune gives back what no image has' prune

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# search.sh VENEER - what `search` prints of an index on the loopback
#
# Needs no network, no store and no kernel.
# Source: spec/cli.md, "search"; Docker 28.
set -uo pipefail

veneer=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/veneer-search.XXXXXX")
trap 'kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
export HOME=$work
unset VENEER_CONFIG VENEER_KERNEL DOCKER_CONFIG DOCKER_AUTH_CONFIG REGISTRY_AUTH_FILE
passed=0
failed=0

# prints EXPECTED OPTION...
prints() {
	local got
	got=$("$veneer" search "${@:2}" "$host/debian" 2>&1)
	if [ "$1" = "$got" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: search %s\n--- expected\n%s\n--- got\n%s\n' "${*:2}" "$1" "$got"
}

mkdir "$work/v1"
cat >"$work/v1/search" <<'END'
{"num_results":3,"results":[
{"name":"debian","description":"Debian is a Linux distribution\nof free and open-source software.",
 "star_count":5000,"is_official":true,"is_automated":false},
{"name":"me/debian","description":"","star_count":2,"is_official":false,"is_automated":false},
{"name":"other/d","description":"<small>","star_count":0,"is_official":false,"is_automated":true}]}
END
python3 -u -m http.server --bind 127.0.0.1 --directory "$work" 0 >"$work/log" 2>/dev/null &
server=$!
while ! grep -q 'port [0-9]' "$work/log"; do
	kill -0 "$server" || exit 1
	sleep 0.05
done
host=127.0.0.1:$(grep -o 'port [0-9]*' "$work/log" | tr -dc 0-9)

prints 'NAME        DESCRIPTION                                     STARS     OFFICIAL
debian      Debian is a Linux distribution of free and o…   5000      [OK]
me/debian                                                   2         
other/d     <small>                                         0         '
prints 'NAME      DESCRIPTION                                                        STARS     OFFICIAL
debian    Debian is a Linux distribution of free and open-source software.   5000      [OK]' \
	--no-trunc --filter is-official=true
prints 'debian
me/debian' -f stars=2 --format '{{.Name}}'
prints 'other/d' -f is-automated=1 --format '{{.Name}}'
prints '[OK]|
|' -f is-automated=0 --format '{{.IsOfficial}}|{{.IsAutomated}}'
prints '{"Description":"\u003csmall\u003e","IsAutomated":"true","IsOfficial":"false","Name":"other/d","StarCount":"0"}' \
	-f is-automated=true --format '{{json .}}'
prints '{"Description":"","IsAutomated":"false","IsOfficial":"false","Name":"me/debian","StarCount":"2"}' \
	-f is-automated=false -f is-official=0 --format json
prints 'template parsing error: template: :1:2: executing "" at <.Id>: can'"'"'t evaluate field Id in type *search.searchContext' \
	--format '{{.Id}}'
rm "$work/v1/search"
prints "Get \"http://$host/v1/search?q=debian&n=100\": the registry has no search" --limit 100

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

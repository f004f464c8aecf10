# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib-odd.sh - what the scripts that load odd archives share
#
# Makes the archives below WORK/bad and WORK/legal (tests/archives/odd.py).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

odd=$(cd "$(dirname "$0")/../archives" && pwd)/odd.py
mnt=$WORK/mnt
mkdir -p "$mnt" "$WORK/bad" "$WORK/legal" "$WORK/outside"
echo canary >"$WORK/outside/canary"
python3 "$odd" bad "$WORK/bad" && python3 "$odd" legal "$WORK/legal" || exit 1

# ahead COMMAND... - where there are CPUs for it: layers are read before their turn
ahead() {
	export VENEER_CPUS=4
	"$@"
}

# The images and layers that were there stay, and the store is whole.
untouched() {
	is "keep:1 odd:0" "$("$VENEER" images --format '{{.Repository}}:{{.Tag}}' | sort | xargs)"
	is 2 "$(layer_field ChainID | wc -l)" layers
	"$VENEER" mount keep:1 "$mnt"
	is kept "$(cat "$mnt/kept")"
	"$VENEER" unmount "$mnt"
	healthy
	is canary "$(cat "$WORK/outside/canary")"
	for top in / "$WORK" "$WORK/outside" "$VENEER_ROOT" "$VENEER_ROOT/.." "$WORK/../.."; do
		check 'nothing planted outside' test ! -e "$top/planted" -a ! -e "$top/outside/planted"
	done
}

# A store with two images, one of which has the name that the archives of a kind bring.
store_with_images() {
	fresh_store "$1"
	mkdir -p "$WORK/keep"
	echo kept >"$WORK/keep/kept"
	tar -C "$WORK/keep" -c . | "$VENEER" import - keep:1 >/dev/null
	tar -C "$WORK/outside" -c . | "$VENEER" import - odd:0 >/dev/null
	remember
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Archives that are damaged or hostile: nothing stays of them but one line of error.
# shellcheck disable=SC2154 # lib-odd.sh sets mnt and odd
# shellcheck source=tests/vm/lib-odd.sh
. "$(dirname "$0")/lib-odd.sh"

refuses_all() {
	local kind file want bad=0 count=0
	remember
	while IFS=$'\t' read -r kind file want; do
		[ "$kind" = "$1" ] || continue
		count=$((count + 1))
		if ! refuse "$want" "$VENEER" load -i "$WORK/bad/$file"; then
			printf '  (that was %s)\n' "$file"
			bad=1
			# So that the next ones are not judged by what this one left.
			"$VENEER" rmi odd:1 >/dev/null 2>&1
			remember
		fi
	done <"$WORK/bad/cases"
	check 'there are such archives' test "$count" -gt 5
	is 0 "$bad"
	untouched
}

refuses_from_pipe() {
	local file
	for file in cut-in-layer.tar wrong-diff-id.tar oci-wrong-manifest.tar layer-tar-cut.tar; do
		want=$(awk -F '\t' -v file="$file" '$2 == file { print $3 }' "$WORK/bad/cases")
		refuse "$want" bash -c "cat $WORK/bad/$file | '$VENEER' load"
	done
	refuse 'standard input: it is empty' "$VENEER" load <"$WORK/bad/empty.tar"
	refuse 'standard input: gzip data: unexpected end' "$VENEER" load <"$WORK/bad/cut.gz"
	refuse 'No such file' "$VENEER" load -i "$WORK/nothing"
	untouched
}

folder_links_stay_inside() {
	remember
	mkdir -p "$WORK/folder"
	tar -C "$WORK/folder" -xf "$WORK/legal/oci-platforms.tar"
	mv "$WORK/folder/index.json" "$WORK/outside/index.json"
	ln -s "$WORK/outside/index.json" "$WORK/folder/index.json"
	refuse 'does not contain a manifest.json' "$VENEER" load -i "$WORK/folder"
	rm "$WORK/folder/index.json"
	mkfifo "$WORK/folder/index.json"
	refuse 'is not a file' "$VENEER" load -i "$WORK/folder"
	rm -rf "$WORK/folder" "$WORK/outside/index.json"
	untouched
}

store_with_images 512M
for kind in containers members manifests configs layouts layer_tars; do
	case_ "refused: ${kind/_/ }" refuses_all "$kind"
done
for kind in layouts layer_tars; do
	case_ "refused: ${kind/_/ }, read ahead of their turn" ahead refuses_all "$kind"
done
case_ 'refused: from a pipe' refuses_from_pipe
case_ 'refused: links out of a layout folder, and what is no file' folder_links_stay_inside

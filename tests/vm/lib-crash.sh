# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib-crash.sh - which kills are worth the time

# passages COMMAND... - of crash points, each name's first and last, as numbers; ONLY: of these names;
# without VM_LONG every third of the last ones: they are the same steps in command after command
passages() {
	VENEER_CRASH_AT='?' "$VENEER_CRASH" "$@" 2>&1 >/dev/null </dev/null |
		awk -v only="${ONLY:-.}" -v long="${VM_LONG:-}" '$1 == "crash" { nr++ } $1 == "crash" && $3 ~ only { if (!($3 in first)) first[$3] = nr; last[$3] = nr }
			END { for (n in last) { if (long) print first[n]; print last[n] } }' | sort -n -u |
		awk -v long="${VM_LONG:-}" 'long || NR % 3 == 1'
}

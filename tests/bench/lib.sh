# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib.sh - stopwatch and tables for the benchmark's scripts
#
# Results are files of RESULTS, one line "SECONDS KIB CPU_SECONDS" for each run.

# timed NAME COMMAND...
timed() {
	local name=$1
	shift
	"$TOOLS/stopwatch" "$RESULTS/$name" "$@"
}

# shown NAME COMMAND... - a failure is told, and the run goes on without this figure
shown() {
	"$@" >"$RESULTS/log" 2>&1 && return 0
	printf 'bench: failed: %s\n' "$*"
	tail -n 5 "$RESULTS/log" | sed 's/^/    /'
	return 1
}

# times N COMMAND...
times() {
	local n
	for ((n = 0; n < $1; n++)); do "${@:2}" || return 1; done
}

# median NAME [COLUMN] - empty when it was not measured
median() {
	[ -s "$RESULTS/$1" ] || return 0
	awk -v c="${2:-1}" '{ print $c }' "$RESULTS/$1" | sort -g |
		awk '{ v[NR] = $1 } END { m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

# ms NAME [COLUMN] - the median in milliseconds
ms() { median "$@" | awk '{ print $1 * 1e3 }'; }

# peak NAME - largest resident size of all runs, MiB
peak() {
	[ -s "$RESULTS/$1" ] || return 0
	awk '$2 > p { p = $2 } END { printf "%.1f", p / 1024 }' "$RESULTS/$1"
}

runs() { wc -l <"$RESULTS/$1"; }

# row LABEL NAME REFERENCE - seconds, ratio to the reference's
row() {
	local m r
	m=$(median "$2")
	r=$(median "$3")
	[ -n "$m" ] || { printf '  %-52s %10s\n' "$1" '-'; return 0; }
	awk -v label="$1" -v m="$m" -v r="${r:-0}" -v n="$(runs "$2")" -v p="$(peak "$2")" 'BEGIN {
		printf "  %-52s %9.2f s  %7s  %7s MiB  of %d\n", label, m, (r > 0 ? sprintf("%.2f", m / r) : "-"), p, n }'
}

# target TEXT VALUE LIMIT - pass when the value is not above the limit
target() {
	[ -n "$2" ] || { printf '  %-8s %s: not measured\n' '-' "$1"; return 0; }
	awk -v text="$1" -v v="$2" -v l="$3" 'BEGIN {
		printf "  %-8s %s: %.3g (target: at most %.3g)\n", v <= l ? "pass" : "MISS", text, v, l }'
}

# ratio NAME NAME
ratio() {
	local a b
	a=$(median "$1")
	b=$(median "$2")
	[ -z "$a" ] || [ -z "$b" ] || awk -v a="$a" -v b="$b" 'BEGIN { print a / b }'
}

# beyond NAME NAME - how much more seconds the first takes
beyond() {
	local a b
	a=$(median "$1")
	b=$(median "$2")
	[ -z "$a" ] || [ -z "$b" ] || awk -v a="$a" -v b="$b" 'BEGIN { print a - b }'
}

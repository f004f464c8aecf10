#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# all.sh - every check there is, one after the other; what `make test` runs
#
# Each stage's output goes to a file below build/test and is shown when it
# fails. The last line counts stages of the lint kind, unit tests, kernel tests and power cuts.
set -uo pipefail

logs=build/test
mkdir -p "$logs"
passed=0
failed=0
jobs=$(nproc)

# stage NAME COMMAND... - one check; its log is kept
stage() {
	local name=$1 started=$SECONDS
	shift
	if "$@" >"$logs/$name.log" 2>&1; then
		printf '  ok      %s (%d s)\n' "$name" $((SECONDS - started))
		passed=$((passed + 1))
		return 0
	fi
	printf '  FAILED  %s (%d s), from %s:\n' "$name" $((SECONDS - started)) "$logs/$name.log"
	tail -n 60 "$logs/$name.log"
	failed=$((failed + 1))
	return 1
}

# Adds the tests that CUnit counted in a stage's log.
count_unit() {
	local ran bad
	read -r ran bad < <(awk '$1 == "tests" { print $4, $5 }' "$logs/$1.log") || return
	passed=$((passed + ran))
	failed=$((failed + bad))
}

# Adds what a stage's log says in its line "NAME: N passed, N failed".
count_cases() {
	local ran bad
	read -r ran bad < <(sed -n "s/^$1: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p" "$logs/$1.log") || return
	passed=$((passed + ran))
	failed=$((failed + bad))
}

unit() {
	local name=$1
	shift
	stage "build-$name" make --no-print-directory -j"$jobs" "$@" all "$(unit_of "$@")" || return
	stage "$name" make --no-print-directory "$@" test-unit
	count_unit "$name"
}

unit_of() {
	make --no-print-directory -s "$@" print-unit
}

stage lint make --no-print-directory -j"$jobs" lint
unit unit-gcc
stage usage tests/cli/usage.sh build/plain/veneer
unit unit-clang CC=clang
unit unit-gcc-sanitized SANITIZE=address,undefined
if stage images make --no-print-directory images "$(make --no-print-directory -s print-out)/driver-check" && stage build-crash make --no-print-directory -j"$jobs" CRASH=1 all; then
	stage vm tests/vm/run
	count_cases vm
	stage power tests/crash/power.sh
	count_cases power
fi

# CUnit's own words about the last run, for whoever reads them.
sed -n '/^Run Summary/,/^Elapsed/p' "$logs/unit-gcc.log"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

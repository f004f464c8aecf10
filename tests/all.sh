#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# all.sh - every check there is; what `make test` runs
#
# Each stage's output goes to a file below build/test and is shown when it
# fails. The last line counts stages of the lint kind, unit tests, and the cases
# of the real kernel, of the appliance, of the power cuts and of the boots.
#
# Some machines are five times as slow as others, above all at what User-Mode Linux does. So no
# script of the kernel begins after TEST_SECONDS (default 1200, some 25 minutes with what is under
# way; with VM_LONG without end), and no power cut after an eighth of that; what was left out is
# named at the end.
set -uo pipefail

logs=build/test
mkdir -p "$logs"
rm -f "$logs"/*.{log,status}
passed=0
failed=0
jobs=$(nproc)
short=1
[ -z "${VM_LONG:-}" ] || short=
seconds=${TEST_SECONDS:-1200}
units=()
declare -A pids

# attempt NAME COMMAND... - one stage; its log and its status are kept
attempt() {
	local name=$1 started=$SECONDS status=0
	shift
	"$@" >"$logs/$name.log" 2>&1 || status=$?
	echo "$status" >"$logs/$name.status"
	if [ "$status" = 0 ]; then
		printf '  ok      %s (%d s)\n' "$name" $((SECONDS - started))
	else
		printf '  FAILED  %s (%d s), from %s:\n' "$name" $((SECONDS - started)) "$logs/$name.log"
		tail -n 60 "$logs/$name.log"
	fi
}

# count NAME - adds a stage that was attempted
count() {
	if [ "$(cat "$logs/$1.status")" = 0 ]; then
		passed=$((passed + 1))
		return 0
	fi
	failed=$((failed + 1))
	return 1
}

stage() {
	attempt "$@"
	count "$1"
}

# Adds the tests that CUnit counted in a stage's log.
count_unit() {
	local ran bad
	read -r ran bad < <(awk '$1 == "tests" { print $4, $5 }' "$logs/$1.log") || return
	passed=$((passed + ran))
	failed=$((failed + bad))
}

# Adds what a stage's log says in its line "vm: N passed, N failed".
count_cases() {
	local ran bad
	read -r ran bad < <(sed -n 's/^[a-z]*: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$logs/$1.log") || return
	passed=$((passed + ran))
	failed=$((failed + bad))
}

# begin NAME COMMAND... - a stage beside the next ones, until ended
begin() {
	attempt "$@" &
	pids[$1]=$!
}

# ended NAME - waits for a stage that was begun
ended() {
	wait "${pids[$1]}"
	count "$1"
}

# unit NAME ARGUMENT... - begins the unit tests that make builds with these arguments
unit() {
	local name=$1
	shift
	stage "build-$name" make --no-print-directory -j"$jobs" "$@" all "$(unit_of "$@")" || return
	begin "$name" make --no-print-directory "$@" test-unit
	units+=("$name")
}

# Waits for those that were begun.
units_end() {
	local name
	for name in ${units[@]+"${units[@]}"}; do
		ended "$name"
		count_unit "$name"
	done
}

unit_of() {
	make --no-print-directory -s "$@" print-unit
}

# until_after SECONDS - of this run, as seconds since the epoch; nothing with VM_LONG
until_after() { [ -n "${VM_LONG:-}" ] || echo $((EPOCHSECONDS - SECONDS + ($1 < seconds ? $1 : seconds))); }

# Processors of a virtual machine may be one in truth: then two kernels side by side take three times
# as long as one.
forks() { for _ in {1..100}; do (:); done; }
both() { forks & forks; wait $!; }
took() {
	local from=${EPOCHREALTIME/./}
	"$@"
	echo $((${EPOCHREALTIME/./} - from))
}
two_processors() { [ $(($(took both) * 10)) -lt $(($(took forks) * 17)) ]; }

# A kernel has one processor: two of them at a time, which meet in the middle, where there are two.
in_kernels() {
	local name until runs=(vm-1)
	until=$(until_after "$seconds")
	VM_SHARE=$(mktemp -d) || return
	export VM_SHARE
	if [ -n "$two" ]; then
		begin vm-1 env TEST_UNTIL="$until" tests/vm/run
		runs+=(vm-2)
	fi
	stage package tests/package.sh build/images
	units_end
	attempt power env TEST_UNTIL="$(until_after $((SECONDS + seconds / 8)))" tests/crash/power.sh
	attempt appliance env APPLIANCE_MUST_WORK=1 tests/appliance/run.sh
	attempt boot env BOOT_SHORT="$short" tests/boot/run.sh build/boot build/images
	attempt "${runs[-1]}" env TEST_UNTIL="$until" VM_REVERSE="$two" tests/vm/run
	[ -z "$two" ] || wait "${pids[vm-1]}"
	rm -r "$VM_SHARE"
	for name in "${runs[@]}" power appliance boot; do
		count "$name"
		count_cases "$name"
	done
}

# Before anything else runs.
two=
! two_processors || two=1

# What takes one processor, beside the compilers.
begin lint make --no-print-directory lint
begin images make --no-print-directory images
[ -z "${VM_LONG:-}" ] || stage analyze make --no-print-directory -j"$jobs" analyze
unit unit-gcc
stage usage tests/cli/usage.sh build/plain/veneer
stage login env REGISTRY_MUST_WORK=1 tests/cli/login.sh build/plain/veneer
stage search tests/cli/search.sh build/plain/veneer
unit unit-clang-sanitized CC=clang SANITIZE=address,undefined CFLAGS='-O1 -g1'
built=
stage build-tools make --no-print-directory -j"$jobs" vm-programs bench-tools &&
	stage build-crash make --no-print-directory -j"$jobs" CRASH=1 all && built=1
ended lint
if ended images && [ -n "$built" ]; then
	in_kernels
else
	units_end
fi

sed -n 's/^not begun for want of time: /not begun for want of time (make test-long): /p' "$logs"/{vm-1,vm-2,power}.log 2>/dev/null

# CUnit's own words about the last run, for whoever reads them.
sed -n '/^Run Summary/,/^Elapsed/p' "$logs/unit-gcc.log"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

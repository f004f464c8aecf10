#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Seeds of fuzz_template out of the spec folders: seed_template.sh FOLDER
set -eu
mkdir -p "$1"
for dir in tests/spec/template/*/; do
	{
		# the first line is the template, its own line ends are written as \r
		printf '%s' "$(cat "$dir/template")" | tr '\n' '\r'
		echo
		cat "$dir/input"
	} >"$1/$(basename "$dir")"
done

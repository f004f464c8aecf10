#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver alone, by a program of its own, judged by the field's tools.
exec "$(dirname "$VENEER")/driver-check" "$WORK" "$DISK1"

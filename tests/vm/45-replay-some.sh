#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# late
# As 44-replay, with fewer commands, and some of their moments.
# limit: 180
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-archive.sh
. "$(dirname "$0")/lib-archive.sh"
# shellcheck source=tests/vm/lib-replay.sh
. "$(dirname "$0")/lib-replay.sh"

history() {
	make_disks
	make_archive small "$ram/small.tar"
	start_log
	step pool-create pool create --data /dev/mapper/veneer-test-data --metadata /dev/mapper/veneer-test-meta --volume-size 128M
	step load load -q -i "$ram/small.tar"
	step volume-create volume create db --size 128M
	step mount volume mount db
	write db one 300
	"$VENEER" volume snapshot db first >/dev/null
	same_in db first
	recorded snapshot
	step rmi rmi small:1
	step unmount volume unmount db
	end_log
}

case_ 'commands on a disk that is logged' history
case_ 'some moments of it, as a power cut leaves them' replayed "${REPLAY_STRIDE:-57}"

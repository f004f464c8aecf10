#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A machine's disk is logged, and played back to every moment at which something became durable.
# limit: 3600
# long
#
# REPLAY_STRIDE   every how many moments; 1 without
# REPLAY_SEED     which parts of what was not flushed are there
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/vm/lib-archive.sh
. "$(dirname "$0")/lib-archive.sh"
# shellcheck source=tests/vm/lib-replay.sh
. "$(dirname "$0")/lib-replay.sh"

history() {
	make_disks
	make_archive small "$ram/small.tar"
	make_archive second "$ram/second.tar"
	start_log
	step pool-create pool create --data /dev/mapper/veneer-test-data --metadata /dev/mapper/veneer-test-meta --volume-size 128M
	step load load -q -i "$ram/small.tar"
	step volume-create volume create db --size 128M
	step mount volume mount db
	write db one 300
	step grow volume grow db --size 160M
	write db two 3000
	"$VENEER" volume snapshot db first >/dev/null
	same_in db first
	recorded snapshot
	write db three 100
	step unmount volume unmount db
	step grow-unused volume grow db --size 192M
	step tag tag small:1 other:1
	step create create --name web small:1 true
	step volume-of-image volume create srv small:1
	step load-second load -q -i "$ram/second.tar"
	step rm rm web
	forget db
	"$VENEER" volume rollback -f db first
	same_in first db
	recorded rollback
	step rmi rmi small:1
	step rename volume rename srv app
	forget first
	step volume-rm volume rm first
	step volume-rm-app volume rm app
	step prune image prune -af
	end_log
}

case_ 'commands on a disk that is logged' history
case_ 'each moment of it, as a power cut leaves it' replayed "${REPLAY_STRIDE:-1}"

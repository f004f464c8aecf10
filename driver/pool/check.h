/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - look over the metadata of a pool that is not running, and mend it
 *
 * With the programs of thin-provisioning-tools: thin_check and thin_repair.
 */
#ifndef POOL_CHECK_H
#define POOL_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pool/pool.h"

/**
 * pool_check - stop the pool, look its metadata over, start it again if it ran
 * @root:       of the store; the caller holds its lock
 * @ret_report: a line for each step, and what thin_check says, appended
 *
 * Nothing is changed. Returns 0 when the metadata is sound, 1 when not (the pool stays as the kernel
 * takes it), or -1: ERR_IN_USE while a volume is open, ERR_NOT_FOUND without a pool or the program.
 */
int pool_check(const char *root, struct buf *ret_report, struct error *err);

/**
 * pool_repair - stop the pool, check its metadata, mend what is wrong, start it again
 * @root:       of the store; the caller holds its lock
 * @how:        enum pool_repair_how
 * @txid:       the transaction that the pool is at for all the caller knows: what the metadata says
 *              counts, as long as it can be read
 * @ret_report: a line for each thing that was done, appended; may stay empty
 * @ret_losses: new (free it): volumes that are not whole any more, by rising id
 *
 * Clears needs_check where the metadata is sound. Otherwise thin_repair writes
 * a new copy into the root, which is checked, kept and then put in place. The
 * damaged metadata stays in ROOT/pool.damaged. thin_repair leaves out what it
 * cannot read, without a word: volumes that had more blocks before are losses.
 * What the pool had acknowledged in its last transaction may be lost, too: file
 * systems should be checked. Until pool_repair_end() the pool does not start by
 * itself, and after a crash the next call goes on.
 *
 * Returns 0 when the pool runs again and needs no check, or -1: ERR_IN_USE
 * while a volume is open, ERR_NOT_FOUND without a pool or without the
 * programs, ERR_CORRUPT when thin_repair cannot help (the pool is stopped then,
 * its metadata as it was), ERR_NO_SPACE.
 */
int pool_repair(const char *root, unsigned how, uint64_t txid, struct buf *ret_report,
		struct pool_loss **ret_losses, size_t *ret_nr, struct error *err);

/* Deletes these volumes, none or some of the losses; then the pool is one as any other. */
int pool_repair_end(const char *root, const uint32_t *ids, size_t nr, struct error *err);

#endif

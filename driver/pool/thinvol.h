/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thinvol - the volumes of an active pool: messages that make and delete them,
 * and their devices
 *
 * A successful message is durable when the function returns. On failure,
 * beside what is said below: ERR_DENIED or ERR_NO_SPACE with the reason when
 * the pool cannot be changed, see pool_check_writable().
 */
#ifndef POOL_THINVOL_H
#define POOL_THINVOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "dm/devmap.h"
#include "pool/pool.h"

/* ERR_EXISTS */
int thinvol_create(struct pool *pool, uint32_t id, struct error *err);
/* ERR_EXISTS; ERR_NOT_FOUND without the origin, which must be inactive or suspended. */
int thinvol_snapshot(struct pool *pool, uint32_t id, uint32_t origin_id, struct error *err);
/* ERR_NOT_FOUND; ERR_IN_USE while it is active. */
int thinvol_delete(struct pool *pool, uint32_t id, struct error *err);
/* Compare and swap; ERR_CORRUPT when the pool was not at old_id. */
int thinvol_set_transaction_id(struct pool *pool, uint64_t old_id, uint64_t new_id,
			       struct error *err);

/* The device name of a volume. */
void thinvol_name(const struct pool *pool, uint32_t id, char ret[POOL_NAME_BYTES]);

/**
 * thinvol_activate - make its device
 *
 * One that is there already is taken as it is, unless it has the wrong mode:
 * then it is made anew, or ERR_IN_USE. A suspended one is resumed.
 * @size_bytes: of a new device; 0: the pool's size for volumes
 */
int thinvol_activate(struct pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		     dev_t *ret_device, struct error *err);
/**
 * thinvol_activate_reader - a further device of a volume, read-only, of this process alone
 * @ret_name: for thinvol_remove_reader()
 *
 * Whoever else makes or stops a device of the same volume is of no concern to it.
 */
int thinvol_activate_reader(struct pool *pool, uint32_t id, uint64_t size_bytes,
			    char ret_name[POOL_NAME_BYTES], dev_t *ret_device, struct error *err);
int thinvol_remove_reader(const char *name, int wait_ms, struct error *err);
/* Those of processes that are no more. */
int thinvol_remove_dead_readers(struct pool *pool, struct error *err);

/* Its device, where it has one, gets another size while it is used. */
int thinvol_resize(struct pool *pool, uint32_t id, uint64_t size_bytes, struct error *err);

/* Idempotent. Tries for wait_ms while it is open. ERR_IN_USE. */
int thinvol_deactivate(struct pool *pool, uint32_t id, int wait_ms, struct error *err);

/* Resumes whatever volume a killed process left suspended. */
int thinvol_resume_all(struct pool *pool, struct error *err);

#endif

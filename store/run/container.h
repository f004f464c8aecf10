/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container - make, find, list and remove containers
 *
 * A container is a row, and a thin snapshot of an init volume: the image's top
 * layer with the stubs of what the runtime supplies (run/stubs). Making one
 * mounts nothing; only the first of an image makes the init volume.
 *
 * Nobody ever writes to an init volume, and it stays while a container has it.
 * So the snapshot can be made as late as somebody uses the container: `create`
 * is one transaction of the catalogue and waits for nobody else's disk. Each
 * message to a pool is a commit of its metadata, one after the other, in the
 * kernel: a hundred at once would wait in line there.
 *
 * Crash safety: the row is there with its planned thin id, or not. Both volumes
 * are intended in the journal when they are made; that of a container is
 * planned again if it was not. An init volume that no container has stays as
 * long as its layer: it makes the next `create` quick.
 */
#ifndef RUN_CONTAINER_H
#define RUN_CONTAINER_H

#include "db/rows_container.h"
#include "image/image.h"
#include "run/document.h"

struct store;

/**
 * container_create - make a container
 * @name:       NULL: one is chosen
 * @size_bytes: of its file system; 0: the pool's. ERR_USAGE when it is smaller
 * @ret_id:     new, 64 hex digits
 *
 * ERR_NOT_FOUND "No such image: …"; ERR_EXISTS "Conflict. The container name …"; errors of
 * document_new().
 */
int container_create(struct store *store, const struct run_options *options, const char *name,
		     uint64_t size_bytes, char **ret_id, struct error *err);

/**
 * container_ready - a container has its volume: before its thin id means anything to the pool
 *
 * Under the store's lock, with the pool open. ERR_NO_SPACE.
 */
int container_ready(struct store *store, const struct container_row *row, struct error *err);

/* Newest first; those that have ended are noticed first. */
int container_list(struct store *store, struct container_rows *ret, struct error *err);

/**
 * container_find - the container that an operand means
 * @operand: id, name (with or without '/'), or prefix of an id
 *
 * ERR_NOT_FOUND "No such container: X"; ERR_USAGE for a prefix of several.
 */
int container_find(struct store *store, const char *operand, struct container_row *ret,
		   struct error *err);
/* The one of a list, or NULL. */
const struct container_row *container_pick(const struct container_rows *rows, const char *operand,
					   struct error *err);

/**
 * container_remove - `rm`
 * @force:   kill it first
 * @volumes: its anonymous volumes too
 *
 * ERR_IN_USE when it runs.
 */
int container_remove(struct store *store, const char *operand, bool force, bool volumes,
		     struct error *err);

/* Its document; new. */
int container_document(const struct container_row *row, json_t **ret, struct error *err);

/* Pool bytes that it has changed, and which removing it gives back. */
int container_own_bytes(struct store *store, const struct container_row *row, int64_t *ret,
			struct error *err);

/* "created", "running", "exited"; static. */
const char *container_state_name(const struct container_row *row);

#endif

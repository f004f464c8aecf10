/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - what a container has changed of its image: the paths, and how large they are
 */
#ifndef RUN_CHANGES_H
#define RUN_CHANGES_H

#include <stdint.h>

#include "base/err.h"
#include "layer/diff.h"
#include "run/still.h"

/**
 * container_changes - what `diff` lists
 * @still:   STILL_NONE; holds the state that was looked at afterwards
 * @operand: as in container_find()
 * @ret:     filled on success, untouched on failure
 *
 * Errors of still_take() and diff_volumes().
 */
int container_changes(struct still *still, const char *operand, struct change_list *ret,
		      struct error *err);

/**
 * container_file_bytes - sizes of the files that were added or changed, as `ps -s` sums them up
 *
 * A file with several names counts once, a link as its text. Nothing of the pool is
 * read but its map where the container has written nothing. Errors as above.
 * Source: spec/cli.md, "SIZE"
 */
int container_file_bytes(struct store *store, const struct container_row *row, int64_t *ret,
			 struct error *err);

#endif

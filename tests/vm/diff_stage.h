/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_stage - a file system that is changed, and its former states
 *
 * On thin volumes of a pool, as in the product; or, where there is no
 * device-mapper, on image files that are copied and mounted by loop devices.
 */
#ifndef DIFF_STAGE_H
#define DIFF_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "layer/diff.h"
#include "volume.h"

struct stage {
	const char *folder;
	struct volume_pool *pool; /* NULL: on files */
	struct volume *work;
	int root_fd; /* of what is changed */
};

/* A state that is looked at, or a copy of one to be changed. */
struct view {
	struct stage *stage;
	unsigned id;
	bool is_copy;
	struct volume *volume;
	int root_fd;
};

/* @features: for mkfs.ext4 -O, beyond those that veneer's volumes have */
int stage_begin(struct stage *stage, const char *features, struct error *err);
void stage_end(struct stage *stage);
/* Keeps the present state under this number, above 1. */
int stage_keep(struct stage *stage, unsigned id, struct error *err);
int stage_forget(struct stage *stage, unsigned id, struct error *err);
/* By blocks; ret->walked says that it did not work that way. */
int stage_diff(struct stage *stage, unsigned parent, unsigned child, bool walk,
	       struct change_list *ret, struct error *err);

int view_open(struct stage *stage, unsigned id, bool copy, struct view *ret, struct error *err);
void view_close(struct view *view);
#define auto_view __attribute__((cleanup(view_close)))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * separate - files of a layer that have names outside of it get an inode of their own
 *
 * A hard link to a file of a lower layer is a whole file in the layer's tar, and so it is wherever
 * that is loaded. The volume that the layer was taken from becomes the same: it is given what the
 * tar has of these files.
 */
#ifndef LAYER_SEPARATE_H
#define LAYER_SEPARATE_H

#include "base/buf.h"
#include "layer/diff.h"
#include "layer/space.h"

struct root; /* root.h */

/* Everything borrowed. */
struct separate_args {
	const struct root *root; /* of the store, for a file as large as these files */
	int tree_fd;		 /* the mounted volume */
	const struct change_list *changes;
	const struct strlist *names; /* of changes, in their order: all names in it of such files */
	struct space *space;
};

/* Folders get the times that the tar has. Errors of tar_emit() and tar_apply(). */
int separate_links(const struct separate_args *args, struct error *err);

#endif

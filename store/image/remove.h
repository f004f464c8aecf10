/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remove - untag and delete images, and prune those that nothing needs
 *
 * Source: spec/cli.md, "rmi" rules 1 to 5 and "image prune".
 */
#ifndef IMAGE_REMOVE_H
#define IMAGE_REMOVE_H

#include "image/image.h"

struct removal_step {
	bool deleted; /* else untagged */
	char *what;   /* "debian:12", "sha256:<image or chain id>" */
};

struct removal {
	struct removal_step *steps; /* in the order they were done */
	size_t nr;
	int64_t content_bytes; /* Docker's count of what the freed layers hold */
	int64_t pool_bytes;    /* what the pool got back */
};

void removal_done(struct removal *removal);
#define auto_removal __attribute__((cleanup(removal_done)))

/**
 * image_remove - `rmi OPERAND`
 * @force: untag everywhere, remove although stopped containers use it
 * @prune_parents: delete untagged, childless, unused recorded parents too
 * @ret: appended to
 *
 * ERR_NOT_FOUND ("No such image: OPERAND" as typed), ERR_IN_USE with the
 * specification's conflict texts; views (mounts, attachments) count as users.
 */
int image_remove(struct store *store, const char *operand, bool force, bool prune_parents,
		 struct removal *ret, struct error *err);

/**
 * image_prune - delete the images that pass filter and that nothing uses
 * @all: tagged ones too, if no container or view uses them
 */
int image_prune(struct store *store, bool all, const struct image_filter *filter,
		struct removal *ret, struct error *err);

/**
 * image_can_return - could a pull bring the image back, under each of its names?
 *
 * It came from a registry, and each of its repositories is one that has it by a digest. A name that
 * was given here is not. Pure.
 */
bool image_can_return(const struct image *image);

/**
 * image_prune_oldest - delete unused images, the least recently used first
 * @all: also those that image_can_return() says no to
 * @used_bytes: until the pool has no more data than that in use
 *
 * Each is gone for good before the next one is looked for; the store's lock is free between two. Returns
 * how many are gone, or -1; ret then has those that went before. ERR_NOT_FOUND while the pool is not
 * active.
 */
int image_prune_oldest(struct store *store, bool all, uint64_t used_bytes, struct removal *ret,
		       struct error *err);

#endif

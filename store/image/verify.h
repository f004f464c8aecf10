/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify - compare what the disk has of layers with the digests of their commit
 *
 * Each layer is read once, whichever images have it, and only what it has of its own:
 * the rest is its parent's. Layers are taken in the order of their thin ids, so parents
 * come first and an interrupted scrub knows where to go on. Layers that are removed meanwhile
 * are passed over.
 */
#ifndef IMAGE_VERIFY_H
#define IMAGE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/progress.h"

struct store;

/* One damaged block, and one of its owners: an inode table has several. */
struct verify_damage {
	struct digest layer;
	uint32_t thin_id;
	uint64_t block;	       /* of 4096 bytes, on the layer's device */
	uint64_t pool_block;   /* on that device */
	bool unreadable;       /* the disk says so, instead of other bytes */
	const char *what;      /* as in struct volume_owner; "not known" */
	const char *path;      /* or NULL */
	struct strlist images; /* that show this block: names, or ids of those without */
};

struct verify_report {
	void (*damage)(struct verify_report *self, const struct verify_damage *damage);
	/* A layer that cannot be compared; bad: its digests are damaged, not only missing. */
	void (*notice)(struct verify_report *self, const char *text, bool bad);
};

struct verify_args {
	const char *const *images; /* operands; nr_images 0: every layer of the store */
	size_t nr_images;
	bool add;	     /* first make the digests of layers that have none */
	bool resume;	     /* go on where the last one was stopped, and remember the place */
	uint64_t rate_bytes; /* for each second; 0: as fast as it goes */
	struct progress *progress;
	struct verify_report *report;
};

struct verify_result {
	size_t nr_layers;  /* compared */
	size_t nr_without; /* layers without digests */
	size_t nr_added;
	size_t nr_bad; /* findings that are not about a block */
	uint64_t read_bytes;
	uint64_t nr_damaged; /* blocks; with resume, since its begin */
};

/* ERR_NOT_FOUND for an image, ERR_CANCELLED, errors of the pool. Damage is no error. */
int verify_layers(struct store *store, const struct verify_args *args, struct verify_result *ret,
		  struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin - where a push has its image from: the store, or whoever has it open for us
 */
#ifndef REGISTRY_ORIGIN_H
#define REGISTRY_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "db/rows_remote.h"
#include "layer/inflate.h"

struct reference; /* oci/reference.h */
struct store;

struct origin_layer {
	struct digest chain_id;
	struct digest diff_id;
	uint64_t tar_bytes;
	struct digest blob; /* as it came; unset: that is not kept */
	uint64_t blob_bytes;
	enum inflate_kind blob_kind;
};

/* Starts as { 0 }. */
struct origin_image {
	struct buf config;	     /* the document; its digest is the image's id */
	struct buf manifest;	     /* that it came with; empty: not known */
	struct origin_layer *layers; /* base first */
	size_t nr_layers;
	struct remote_blob *blobs; /* that registries have of these layers, the latest first */
	size_t nr_blobs;
};

void origin_image_done(struct origin_image *image);
#define auto_origin_image __attribute__((cleanup(origin_image_done)))

/* What became of it. Everything borrowed. */
struct origin_pushed {
	struct digest id, digest; /* of the image and of its manifest */
	const struct buf *manifest;
	const struct remote_blob *blobs;
	size_t nr_blobs;
};

typedef int origin_write_fn(void *ctx, const void *data, size_t len, struct error *err);

struct origin {
	/* Appends the tags of the repository; ERR_NOT_FOUND as get_image(). */
	int (*get_tags)(struct origin *self, struct strlist *ret, struct error *err);
	/*
	 * The image of a tag, whose layers then stay as long as the origin. ERR_NOT_FOUND: "An
	 * image does not exist locally with the tag: x", "tag does not exist: x:1".
	 */
	int (*get_image)(struct origin *self, const char *tag, struct origin_image *ret,
			 struct error *err);
	/* The kept bytes of a layer of the image got last: a descriptor, or -1. */
	int (*open_blob)(struct origin *self, size_t layer, struct error *err);
	/* Its tar. Who takes it throws it away after a failure. */
	int (*write_tar)(struct origin *self, size_t layer, origin_write_fn *write, void *ctx,
			 struct error *err);
	/* It was pushed. */
	int (*keep)(struct origin *self, const struct origin_pushed *pushed, struct error *err);
	void (*free)(struct origin *self);
};

static inline void origin_free_(struct origin **origin)
{
	if (*origin)
		(*origin)->free(*origin);
}
#define auto_origin __attribute__((cleanup(origin_free_)))

/* A store; both borrowed. The caller owns *ret. */
int origin_open(struct store *store, const struct reference *ref, struct origin **ret,
		struct error *err);

#endif

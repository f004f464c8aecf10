/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save - images of the store into one archive
 *
 * The same images give the same bytes whenever they are saved: order, names, times
 * and headers are fixed. What images share is written once. Bytes are
 * verified while they are written, and may go to a pipe: what was written is
 * worth nothing unless the call succeeds.
 * Source: spec/registry-and-archive.md section 7; OCI image-spec image-layout.md
 */
#ifndef ARCHIVE_SAVE_H
#define ARCHIVE_SAVE_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/progress.h"

struct store;

enum save_format {
	/*
	 * What `docker save` writes since version 25: manifest.json beside an OCI
	 * layout. Layers are plain tars, since older readers take no others, so it is
	 * the same on every machine.
	 */
	SAVE_DOCKER,
	/*
	 * The OCI layout alone. A layer keeps the bytes that it came as, where these are
	 * kept and of a kind that the format has; else it is a plain tar.
	 */
	SAVE_OCI,
};

struct save_image {
	struct digest id;
	struct digest parent; /* recorded; may be unset */
	struct strlist names; /* canonical "domain/path:tag" */
};

/* Which images, in the order in which they were asked for. Starts as { 0 }. */
struct save_list {
	struct save_image *items;
	size_t nr;
};

void save_list_done(struct save_list *list);
#define auto_save_list __attribute__((cleanup(save_list_done)))

/* @name: by which it is saved; NULL: none. Images and names that are there already are fine. */
void save_list_add(struct save_list *list, const struct digest *id, const struct digest *parent,
		   const char *name);

struct save_args {
	const struct save_list *images;
	enum save_format format;
	const char *platform; /* "os/arch[/variant]" that all of them must run on; NULL: any */
	/* Gets the bytes in order; returns 0, or -1 with err filled. */
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	struct progress *progress; /* may be NULL */
};

/**
 * archive_save - write the archive
 * @store: with its pool open; a session is begun
 *
 * Returns 0, or -1: ERR_NOT_FOUND when an image has been removed before it began;
 * ERR_UNSUPPORTED for the platform, and for a layer whose tar cannot be made again
 * (layer/layer_tar.h); ERR_CORRUPT for bytes that have changed; ERR_LIMIT for
 * more images than an archive may have; what write said.
 */
int archive_save(struct store *store, const struct save_args *args, struct error *err);

#endif

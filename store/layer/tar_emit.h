/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_emit - a layer's tar, or a whole tree's, always the same bytes for the same content
 *
 * Entries are sorted bytewise by the names they have in the tar, without "./",
 * directories with a slash at the end; every directory above a change is there,
 * the root is not. What was deleted is an empty file ".wh.NAME"; there are no
 * opaque markers. Of several names of one inode that the tar has, the first
 * carries the content. Sockets are left out. Times are in whole seconds. The
 * form of headers: layer/tar_header.h. Files are streamed, holes as zeros.
 *
 * Files that are copied (args->as) may change meanwhile, and lie on several file systems.
 *
 * What no layer can say: that a directory that stays has lost an attribute, and
 * a name that begins with ".wh.", which is left out with a warning.
 * Source: spec/registry-and-archive.md section 4, "Writing a layer"
 */
#ifndef LAYER_TAR_EMIT_H
#define LAYER_TAR_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "layer/diff.h"

struct tar_emit_args {
	int root_fd;			   /* the child's tree, which rests; borrowed */
	const struct change_list *changes; /* from its parent; NULL: everything, for `export` */
	/* Gets the bytes in order; returns 0, or -1 with err filled. */
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	/* Told of what no layer can say: sockets, names like whiteouts. May be NULL. */
	void (*left_out)(void *ctx, const char *path);
	/*
	 * Told, when all is written, of each path whose inode has names besides those in the tar, in
	 * the order of changes. May be NULL.
	 */
	void (*shared)(void *ctx, const char *path);
	bool clamp; /* no mtime is later than clamp_mtime (SOURCE_DATE_EPOCH) */
	int64_t clamp_mtime;
	/*
	 * Not a layer, but files to be copied, with any names: everything goes below a folder of
	 * this name, whose attributes are the root's; "" leaves that folder out. Of changes there
	 * is one, which gets this name itself. NULL: a layer.
	 */
	const char *as;
};

struct tar_emit_result {
	uint64_t entries;
	uint64_t content_bytes; /* Docker's SIZE: regular files' sizes in the headers */
	uint64_t tar_bytes;
};

/* Returns 0, or -1: ERR_IO, ERR_LIMIT, ERR_CANCELLED, or what write said. */
int tar_emit(const struct tar_emit_args *args, struct tar_emit_result *ret, struct error *err);

/* A write callback for a file: ctx points to an int. */
int tar_emit_to_fd(void *fd, const void *data, size_t len, struct error *err);

#endif

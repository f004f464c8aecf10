/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle - the members of an image archive, whatever it comes as
 *
 * A folder and an uncompressed tar file are read in place. A pipe or a
 * compressed file can be read only once and in its own order, while layers must
 * be applied in the order of a manifest that may come last: its members wait in a
 * nameless file on the store's disk, of which a kill leaves nothing.
 */
#ifndef ARCHIVE_BUNDLE_H
#define ARCHIVE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"
#include "root.h"

struct bundle;

/* Bytes of one member: a range of an open file. */
struct bundle_member {
	int fd; /* borrowed from the bundle; read it with pread(2) */
	uint64_t offset;
	uint64_t size;
};

/**
 * bundle_open - look through an archive
 * @path: file or folder, or NULL for fd, which is borrowed
 *
 * ERR_CORRUPT: not a tar archive, or damaged; ERR_LIMIT; ERR_IO.
 */
int bundle_open(const struct root *root, const char *path, int fd, struct progress *progress,
		struct bundle **ret, struct error *err);
void bundle_free(struct bundle *bundle);
static inline void bundle_free_(struct bundle **bundle)
{
	bundle_free(*bundle);
}
#define auto_bundle __attribute__((cleanup(bundle_free_)))

bool bundle_has(struct bundle *bundle, const char *name);
/* Links inside the archive are followed. ERR_NOT_FOUND; ERR_CORRUPT for a link out of it. */
int bundle_find(struct bundle *bundle, const char *name, struct bundle_member *ret,
		struct error *err);
/* A document of at most max bytes, appended to ret. */
int bundle_read(struct bundle *bundle, const char *name, size_t max, struct buf *ret,
		struct error *err);

#endif

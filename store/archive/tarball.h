/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarball - the outer tar of an archive that is written, member by member
 *
 * The same members give the same bytes: root owns everything, times are those of
 * the epoch. Nothing is kept in memory but one header. Its form is layer/tar_header's.
 */
#ifndef ARCHIVE_TARBALL_H
#define ARCHIVE_TARBALL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Starts as { write, ctx }. */
struct tarball {
	/* Gets the bytes in order; returns 0, or -1 with err filled. */
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	uint64_t size; /* of the member that is being written */
	uint64_t left; /* of it */
};

/* name ends with a slash. */
int tarball_folder(struct tarball *tarball, const char *name, struct error *err);
/* A file of so many bytes, which follow by tarball_write(). */
int tarball_begin(struct tarball *tarball, const char *name, uint64_t size, struct error *err);
/* Like struct tarball's own write; ctx is the tarball. ERR_CORRUPT for more bytes than announced. */
int tarball_write(void *ctx, const void *data, size_t len, struct error *err);
/* ERR_CORRUPT when there were fewer. */
int tarball_end(struct tarball *tarball, struct error *err);
/* All three for a member that is there already. */
int tarball_file(struct tarball *tarball, const char *name, const void *data, size_t len,
		 struct error *err);
/* After the last member. */
int tarball_finish(struct tarball *tarball, struct error *err);

#endif

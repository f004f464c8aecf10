/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack - ADD's archives: told by what they hold, and unpacked into a folder
 *
 * Source: spec/dockerfile.md, section 3 ("ADD").
 */
#ifndef BUILD_UNPACK_H
#define BUILD_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/tree_writer.h"

/**
 * unpack_is_tar - does a file begin as a tar, plain or in any compression?
 * @fd: its offset stays
 *
 * Its first header must be whole and have the right checksum. Returns 1, 0, or -1:
 * ERR_LIMIT for a compression that needs too much memory to tell, ERR_IO.
 */
int unpack_is_tar(int fd, struct error *err);

/* Has a block of TAR_BLOCK_BYTES the checksum of a tar's header? */
bool unpack_is_header(const void *block);

/* Everything borrowed. */
struct unpack_args {
	int fd; /* of the archive, read by pread(2) */
	uint64_t size_bytes;
	struct tree_writer *tree; /* nothing leaves its root; not within a layer */
	/* As tar_apply_args has them; each may be NULL. */
	void (*adjust)(void *ctx, mode_t type, struct tree_attr *attr);
	void *adjust_ctx;
	int (*take_space)(void *ctx, uint64_t bytes, struct error *err);
	void *take_space_ctx;
};

/**
 * unpack_into - write what an archive holds over what the folder has
 * @ret_removed: something in the folder gave way
 *
 * The folder itself keeps its attributes. Errors as tar_apply().
 */
int unpack_into(const struct unpack_args *args, bool *ret_removed, struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cp - files from and to a container
 *
 * They go through a tar, as with Docker, which is also what "-" stands for; it
 * is never longer than a pipe. Paths of the container are resolved beneath its
 * root, whatever links say, and what comes in a tar stays in its folder.
 * Source: spec/cli.md; docker/cli cli/command/container/cp.go; moby
 * daemon/archive_unix.go
 */
#ifndef RUN_CP_H
#define RUN_CP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct store;

struct cp_args {
	const char *container; /* operand */
	const char *inside;    /* path in the container */
	const char *outside;   /* path here; NULL: a tar on fd */
	int fd;
	bool follow;  /* a source that is a link is what it leads to */
	bool archive; /* owners: see below */
};

/**
 * cp_out - from the container
 * @ret_bytes: of the tar
 *
 * Files belong to the caller, with args->archive to their owners. ERR_NOT_FOUND:
 * "Could not find the file …"; ERR_USAGE, ERR_IN_USE: Docker's texts.
 */
int cp_out(struct store *store, const struct cp_args *args, uint64_t *ret_bytes, struct error *err);

/*
 * cp_in - into the container
 *
 * Files keep their owners' numbers, with args->archive they belong to the
 * container's user where it has one.
 */
int cp_in(struct store *store, const struct cp_args *args, uint64_t *ret_bytes, struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input - the Dockerfile of a build and its context
 *
 * Source: spec/dockerfile.md, sections 1 and 4; spec/cli.md, "build".
 */
#ifndef BUILD_INPUT_H
#define BUILD_INPUT_H

#include "base/buf.h"
#include "base/err.h"
#include "build/ignore.h"

struct store;

/* Where both come from; see struct build_options. */
struct build_input_args {
	const char *context;
	int stdin_fd;
	const char *file;
};

/* Starts as { .root_fd = -1 }. */
struct build_input {
	int root_fd;	       /* root of the context; -1: there is none */
	char *path;	       /* its absolute path; or NULL */
	struct ignore *ignore; /* or NULL */
	struct buf dockerfile;
	char *name; /* of the Dockerfile, for messages */
	size_t ignore_bytes;
	char *temporary; /* folder that goes with this; or NULL */
};

void build_input_done(struct build_input *input);
#define auto_build_input __attribute__((cleanup(build_input_done)))

/**
 * build_input_open - read what can be read before the build
 * @store: for a context from a stream, which is unpacked in the session's name
 * @ret:   filled; build_input_done() releases it, also after a failure
 *
 * Returns 0, or -1: ERR_NOT_FOUND "unable to prepare context: path \"x\" not found",
 * "failed to read dockerfile: open x: no such file or directory"; ERR_USAGE, ERR_LIMIT,
 * ERR_CORRUPT for a bad stream.
 */
int build_input_open(struct store *store, const struct build_input_args *args,
		     struct build_input *ret, struct error *err);

/* The .dockerignore of another context; *ret stays NULL where there is none. */
int build_input_ignore(int root_fd, struct ignore **ret, struct error *err);

#endif

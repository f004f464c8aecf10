/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - what COPY and ADD do: files of a context into a tree
 *
 * The tree is written through a tree writer (base/tree_writer.h); the rules for
 * destinations and for what gives way are Docker's.
 * Source: spec/dockerfile.md, section 3 ("COPY", "ADD").
 */
#ifndef BUILD_COPY_H
#define BUILD_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "build/context.h"
#include "build/copyspec.h"

struct tree_writer;

/* A file that has no source: of a heredoc, or downloaded. */
struct copy_file {
	const char *name; /* below a destination that is a folder */
	const void *data; /* or, when NULL, what is left to read from fd */
	size_t len;
	int fd;	     /* a file's offset moves */
	mode_t mode; /* 07777 */
	struct timespec mtime;
};

/* Everything borrowed. */
struct copy_args {
	int root_fd;		  /* root of the tree; nobody else writes to it */
	struct tree_writer *tree; /* the writer for it; not within a layer */
	/* Or NULL: then it is asked for here, and root_fd is not used from then on. */
	int (*open_tree)(void *ctx, struct tree_writer **ret, struct error *err);
	void *open_tree_ctx;
	const struct context *context;
	const struct context_sources *sources; /* of context */
	const struct copy_file *files;
	size_t nr_files;
	const char *
		destination; /* absolute, expanded, joined with WORKDIR; a '/' at its end is kept */
	const char *instruction; /* "COPY" or "ADD", for messages */
	bool several; /* more than one source was written, or a pattern matched several */
	const struct ignore *exclude;	/* --exclude, relative to each source; or NULL */
	const struct chmod_spec *chmod; /* or NULL */
	bool has_owner;			/* --chown */
	uid_t uid;
	gid_t gid;
	bool parents; /* --parents: the sources' names are paths below the destination */
	bool unpack;  /* ADD: a source that is an archive, by its content, is unpacked */
	int (*take_space)(void *ctx, uint64_t bytes, struct error *err); /* or NULL */
	void *take_space_ctx;
};

/**
 * copy_into - copy everything to the destination
 * @ret_removed: something in the tree gave way: worth a trim
 *
 * Sources first, then files, each in their order. Nothing to copy is fine. Returns 0, 1 when a source is
 * not what context_hash() has seen any more, or -1: ERR_USAGE "When using COPY with more than one source file, the destination must be a
 * directory and end with a /" and "cannot copy to non-directory: /x", ERR_IO for a file
 * that changed meanwhile, ERR_LIMIT, the errors of context_walk() and of the writer, and for
 * an archive those of tar_apply(). What was written stays: the caller throws the volume away.
 */
int copy_into(const struct copy_args *args, bool *ret_removed, struct error *err);

#endif

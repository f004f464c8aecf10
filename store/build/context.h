/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context - a folder that COPY and ADD take files from: which paths a source means, and their hash
 *
 * A build context, or the root of a stage or image (then without an ignore file).
 * Links never leave the root: they are followed only where the specification says so,
 * by openat2(2) beneath it.
 * Source: spec/dockerfile.md, sections 3 ("Sources"), 4 and 6.
 */
#ifndef BUILD_CONTEXT_H
#define BUILD_CONTEXT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "build/ignore.h"

struct context {
	int root_fd;		     /* borrowed */
	const struct ignore *ignore; /* borrowed; NULL: none */
	bool keep_owners;	     /* COPY --from; else all is 0:0 */
};

/* A source of COPY as it was found. */
struct context_source {
	char *path; /* in the root, clean, links in it followed; "" is the root itself */
	char *name; /* below the destination: --parents; else the last component as written */
	bool is_folder;
	/* What context_hash() has seen of it, by context_see(); else unset. */
	struct digest seen;
	uint64_t nr_bytes; /* of regular files */
};

struct context_sources {
	struct context_source *items;
	size_t nr;
};

void context_sources_done(struct context_sources *sources);
#define auto_context_sources __attribute__((cleanup(context_sources_done)))

/**
 * context_find - which paths one source word means
 * @source:  expanded; a pattern or a name
 * @parents: --parents: patterns know "**", "/./" begins the kept part
 * @ret:     added to, in the order of their names
 *
 * A pattern may match nothing. Returns 0, or -1: ERR_NOT_FOUND "\"/x\": not found"
 * for a name that is not there or ignored, ERR_USAGE for a bad pattern, ERR_LIMIT, ERR_IO.
 */
int context_find(const struct context *context, const char *source, bool parents,
		 struct context_sources *ret, struct error *err);

/* Something below a source, in the course of a walk. */
struct context_entry {
	const char *path; /* in the root */
	const char *name; /* below the source; "" for the source itself */
	int dir_fd;	  /* and base: where to open it, without following a link */
	const char *base;
	const struct stat *stat;
	const char *link; /* target, or NULL */
};

/*
 * A folder comes before what is in it. Returns 0, 1 to pass over what is in this folder,
 * or -1, which ends the walk.
 */
typedef int context_visit_fn(void *data, const struct context_entry *entry, struct error *err);

/**
 * context_walk - visit a source and all below it, sorted by name, less what is ignored
 * @exclude: --exclude, relative to the source; NULL: none
 *
 * Sockets are passed over. A folder that is ignored is visited when something in it is not.
 */
int context_walk(const struct context *context, const struct context_source *source,
		 const struct ignore *exclude, context_visit_fn *visit, void *data,
		 struct error *err);

/* Adds what no change of an entry leaves as it is: name, mode, owner, size and times. */
void context_see(struct hasher *hasher, const struct context_entry *entry);

/**
 * context_hash - the content hash of one source
 * @source: its `seen` is filled, by which whoever reads it next knows that it is the same still
 *
 * The name of a single file does not count, unless it is kept by --parents.
 */
int context_hash(const struct context *context, struct context_source *source,
		 const struct ignore *exclude, bool parents, struct digest *ret, struct error *err);

#endif

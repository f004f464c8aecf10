/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build - a Dockerfile becomes an image, one snapshot for each step
 *
 * Steps whose key is known are taken from the cache and touch no device. What a
 * failed or interrupted step did is thrown away; the steps before it stay in the
 * cache. Nothing is tagged before all is done.
 * Source: spec/dockerfile.md; spec/cli.md, "build".
 */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "run/logfile.h"

struct fetch_args; /* registry/fetch.h */
struct fetch_result;
struct store;

enum build_end {
	BUILD_DONE,
	BUILD_CACHED,
	BUILD_FAILED,
	BUILD_CANCELED, /* a signal, or another vertex failed */
};

/*
 * What happens, for whoever draws it. A vertex is a piece of work: "[build 2/5] RUN make",
 * "exporting to image". Numbers begin at 1; each begins and ends once.
 */
struct build_events {
	void *ctx;
	void (*begin)(void *ctx, unsigned vertex, const char *name);
	/* What it says of its work: "transferring dockerfile: 103B done". */
	void (*note)(void *ctx, unsigned vertex, const char *text);
	/* A line of the command in it, without its newline. */
	void (*output)(void *ctx, unsigned vertex, enum log_stream stream, const char *text,
		       size_t len);
	/* @error: of BUILD_FAILED; else NULL */
	void (*end)(void *ctx, unsigned vertex, enum build_end how, const char *error);
	/* While a command runs, some ten times a second: clocks on a screen go on. Or NULL. */
	void (*tick)(void *ctx);
};

/* --secret; exactly one of path and env is set. */
struct build_secret {
	const char *id;
	const char *path; /* of a file */
	const char *env;  /* name of a variable of ours */
};

/* Everything borrowed. Lists may be empty. */
struct build_options {
	/*
	 * The context: a folder; or, when NULL, what is read from stdin_fd: a tar in any
	 * compression, or a Dockerfile alone.
	 */
	const char *context;
	int stdin_fd;
	/* -f: a path, relative to cwd; "-": read from stdin_fd; NULL: "Dockerfile" in the context. */
	const char *file;
	struct strlist tags;	   /* as given */
	struct strlist build_args; /* "NAME=value", or "NAME": from our environment */
	struct strlist labels;	   /* "key=value" */
	struct strlist contexts;   /* --build-context: "name=path" */
	struct strlist add_host;   /* "name:address" */
	struct strlist cache_from; /* names of images whose steps may stand in for ours */
	const char *target;
	const char *platform; /* NULL: the host's */
	bool no_cache;
	bool pull; /* FROM asks the registry for what is here, too */
	/*
	 * Brings an image into the store from its registry; no lock is held. NULL: none can be
	 * asked. Errors become the build's.
	 */
	int (*fetch)(void *ctx, const char *name, const char *platform, struct error *err);
	/* The file of a URL, as fetch_url(), which it is when NULL. */
	int (*download)(void *ctx, const struct fetch_args *args, struct fetch_result *ret,
			struct error *err);
	void *fetch_ctx;  /* of both */
	bool own_network; /* --network none for every RUN */
	const struct build_secret *secrets;
	size_t nr_secrets;
	int64_t shm_bytes; /* 0: the default */
	json_t *rlimits;   /* --ulimit, as step_args has it; or NULL */
};

struct build_report {
	struct digest image;
	struct buf warnings; /* lines to show after a build, or "" */
	struct buf excerpt;  /* of a failure: the lines of the Dockerfile, or "" */
};

void build_report_done(struct build_report *report);
#define auto_build_report __attribute__((cleanup(build_report_done)))

/**
 * build_image - do what a Dockerfile says
 * @ret: starts as { 0 }; image is set on success, excerpt perhaps on failure
 *
 * Returns 0, or -1: ERR_USAGE for what is wrong with the Dockerfile or the options,
 * ERR_REMOTE for a command that failed, ERR_NOT_FOUND for an image or a file,
 * ERR_CANCELLED, ERR_NO_SPACE, and whatever the parts say.
 */
int build_image(struct store *store, const struct build_options *options,
		const struct build_events *events, struct build_report *ret, struct error *err);

#endif

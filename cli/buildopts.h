/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildopts - the options of build, and what they mean
 *
 * Source: spec/cli.md, "build"; docker/buildx's commands/build.go for the texts.
 */
#ifndef BUILDOPTS_H
#define BUILDOPTS_H

#include "build/build.h"
#include "cli.h"
#include "opts.h"

#define BUILDOPTS_REFUSED	20
#define BUILDOPTS_REFUSED_FLAGS 3

struct build_opts {
	struct strlist add_host, build_args, cache_from, contexts, labels, secrets, tags, ulimits;
	/* Docker's options that there is nothing behind: each must stay empty. */
	struct strlist refused[BUILDOPTS_REFUSED];
	bool refused_flags[BUILDOPTS_REFUSED_FLAGS];
	struct strlist provenance, sbom; /* may say "false" */
	const char *file, *iidfile, *network, *platform, *progress, *target;
	uint64_t shm_bytes;
	bool no_cache, pull, quiet;
	bool compress, force_rm, load, rm; /* change nothing */
};

extern const struct opt build_options_table[];

/* How the work is shown. */
enum build_progress {
	BUILD_PROGRESS_PLAIN,
	BUILD_PROGRESS_TTY,
	BUILD_PROGRESS_QUIET, /* not at all; the image's ID on stdout */
};

/* A build as it was asked for: options, and what they borrow beside the command line. */
struct buildopts {
	struct build_options options;
	enum build_progress progress;
	struct strlist texts; /* what labels and secrets point to */
	struct strlist labels, cache_from;
	struct build_secret *secrets;
	json_t *rlimits;
};

void buildopts_done(struct buildopts *build);
#define auto_buildopts __attribute__((cleanup(buildopts_done)))

/**
 * buildopts_read - what the words and options of a command line ask for
 * @on_terminal: stderr is one where a view can be drawn: what "auto" depends on
 * @ret:         buildopts_done() releases it, also after a failure; borrows from
 *               cli and opts
 *
 * Looks at the context's folder and at the files of secrets, but into none.
 * ERR_USAGE with Docker's texts, ERR_NOT_FOUND, ERR_UNSUPPORTED.
 */
int buildopts_read(const struct cli *cli, const struct build_opts *opts, bool on_terminal,
		   struct buildopts *ret, struct error *err);

#endif

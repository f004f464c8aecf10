/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - a Dockerfile as stages and instructions, and the lines to show for an error
 *
 * Pure: nothing is expanded and no image is looked for.
 * Source: spec/dockerfile.md, sections 1, 3 (FROM, COPY --from) and 7 (errors).
 */
#ifndef BUILD_PARSE_H
#define BUILD_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "build/lex.h"
#include "oci/instruction.h"

struct dockerfile_step {
	struct instruction instruction;
	const struct lex_line *line; /* its text, range and heredocs; of dockerfile.lex */
};

struct dockerfile_stage {
	const struct dockerfile_step *from;
	const char *base;     /* not expanded */
	const char *platform; /* not expanded; or NULL */
	char *name;	      /* lower case, or NULL */
	size_t first, nr;     /* of the steps behind FROM */
};

struct dockerfile {
	struct lex lex;
	struct dockerfile_step *steps; /* one for each line */
	size_t nr_steps;
	size_t nr_globals; /* of the steps, the ARGs before the first FROM */
	struct dockerfile_stage *stages;
	size_t nr_stages;
};

void dockerfile_done(struct dockerfile *file);
#define auto_dockerfile __attribute__((cleanup(dockerfile_done)))

/**
 * dockerfile_parse - read a Dockerfile
 * @name:      for messages
 * @ret:       overwritten; dockerfile_done() releases it. Empty on failure.
 * @ret_where: on failure, the lines that are wrong
 *
 * Returns 0, or -1: ERR_USAGE "the Dockerfile (x) cannot be empty", "file with no
 * instructions", or "dockerfile parse error on line 3: ..."; ERR_LIMIT.
 */
int dockerfile_parse(const void *data, size_t len, const char *name, struct dockerfile *ret,
		     struct lex_range *ret_where, struct error *err);

/**
 * dockerfile_parse_trigger - read what ONBUILD stored
 * @ret: steps without a stage; overwritten
 *
 * Returns 0, or -1 like dockerfile_parse().
 */
int dockerfile_parse_trigger(const char *text, struct dockerfile *ret, struct error *err);

/* Appends the trigger that an ONBUILD step stores: its text and its heredocs. */
void dockerfile_trigger_text(const struct dockerfile_step *step, struct buf *ret);

/* The index of the stage that --target names, by name or number; NULL and "": the last one. */
int dockerfile_find_target(const struct dockerfile *file, const char *target, size_t *ret,
			   struct error *err);

/* The index of the stage that a FROM means with this (expanded) name; -1 for an image. */
ssize_t dockerfile_find_base(const struct dockerfile *file, size_t stage, const char *name);

/**
 * dockerfile_find_from - what COPY --from and a mount's from= mean
 * @stage: the instruction's own
 * @ret:   the index of an earlier stage; -1 for a named context or an image
 *
 * Returns 0, or -1 with ERR_USAGE.
 */
int dockerfile_find_from(const struct dockerfile *file, size_t stage, const char *from,
			 ssize_t *ret, struct error *err);

/* Appends "Dockerfile:2" and the lines around the range, those of the range marked. */
void dockerfile_excerpt(const void *data, size_t len, const char *name,
			const struct lex_range *range, struct buf *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - what the history of an image says of RUN, COPY and ADD, and RUN's command line
 *
 * The entries of other instructions come from oci/setting and args.
 * Source: spec/dockerfile.md, sections 1 ("Heredocs") and 5.
 */
#ifndef BUILD_HISTORY_H
#define BUILD_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "build/parse.h"

/* Goes into "comment" beside the entries. */
#define HISTORY_COMMENT "buildkit.dockerfile.v0"
/* A heredoc that begins "#!" is run from there. */
#define HISTORY_SCRIPT_FOLDER "/dev/pipes"

/**
 * history_run_argv - the command line of a RUN
 * @settings:   for SHELL
 * @ret_script: the body to write to the file that ret names last, executable; NULL
 *              when there is none. Borrowed from step.
 * @ret:        new array of strings
 */
void history_run_argv(const struct dockerfile_step *step, const json_t *settings, json_t **ret,
		      const struct lex_heredoc **ret_script);

/* Appends "RUN |1 a=b /bin/sh -c make # buildkit"; @args: what args_history() wrote. */
void history_run(const json_t *argv, const char *args, struct buf *ret);

/**
 * history_copy - of COPY and ADD
 * @chown, @chmod: expanded; NULL when absent
 * @words:         sources and the destination, expanded; heredocs as "<<name"
 *
 * Appends "COPY --chown=1:1 a b /dst/ # buildkit".
 */
void history_copy(const struct instruction *instruction, const char *chown, const char *chmod,
		  const struct strlist *words, struct buf *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instruction - one instruction of a Dockerfile, taken apart and checked
 *
 * Pure text: nothing is expanded, and heredocs are the lexer's work. Messages are
 * Docker's; they hold no line number.
 * Source: spec/dockerfile.md, section 1 ("Words") and the rules of section 3.
 */
#ifndef OCI_INSTRUCTION_H
#define OCI_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum instruction_kind {
	INSTRUCTION_ADD = 1,
	INSTRUCTION_ARG,
	INSTRUCTION_CMD,
	INSTRUCTION_COPY,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_ENV,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_FROM,
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_LABEL,
	INSTRUCTION_MAINTAINER,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_RUN,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_USER,
	INSTRUCTION_VOLUME,
	INSTRUCTION_WORKDIR,
};

struct instruction {
	enum instruction_kind kind; /* 0: empty */
	const char *name;	    /* upper case; static */
	struct strlist flags;	    /* "--name=value" or "--name", without quotes and escapes */
	/*
	 * Words, not expanded. ENV and LABEL: key and value in turn. HEALTHCHECK: the
	 * type, upper case, and the command. RUN, CMD, ENTRYPOINT in shell form, USER,
	 * WORKDIR, STOPSIGNAL, MAINTAINER, ONBUILD: the whole text, or nothing.
	 */
	struct strlist args;
	bool is_json; /* the arguments are those of a JSON array */
};

void instruction_done(struct instruction *instruction);
#define auto_instruction __attribute__((cleanup(instruction_done)))

/**
 * instruction_parse - take one logical line apart
 * @line:   without leading blanks, continuation lines joined
 * @escape: '\\' or '`'
 * @ret:    overwritten; instruction_done() releases it. Empty on failure.
 *
 * Returns 0, or -1: ERR_USAGE with what is wrong, ERR_LIMIT for JSON that is too
 * large or deep.
 */
int instruction_parse(const char *line, char escape, struct instruction *ret, struct error *err);

/* Of the first len bytes, in any case; 0 for none. */
enum instruction_kind instruction_find(const char *name, size_t len);

/*
 * May heredocs follow the line? ADD, COPY, RUN and those under ONBUILD, unless their
 * arguments are JSON.
 */
bool instruction_takes_heredocs(const char *line, char escape);

/* The value of a flag ("true" for a boolean one without), borrowed; NULL when it is not given. */
const char *instruction_flag(const struct instruction *instruction, const char *name);
/* Of a boolean flag */
bool instruction_flag_is_set(const struct instruction *instruction, const char *name);
/* Adds the values of a flag that may be repeated. */
void instruction_flag_list(const struct instruction *instruction, const char *name,
			   struct strlist *ret);

/* " (did you mean X?)" when one of the options is nearly the word; else nothing. */
void instruction_suggest(const char *word, const char *const *options, size_t nr, struct buf *ret);

#endif

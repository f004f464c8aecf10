/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words - the text of a Dockerfile instruction: its lines, flags, words and pairs
 *
 * What `--change` and a Dockerfile have in common. Blanks are ASCII blanks;
 * text is UTF-8 and is only ever cut beside an ASCII character. No recursion.
 * Source: spec/dockerfile.md, section 1 ("Words").
 */
#ifndef OCI_WORDS_H
#define OCI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* docker: one line of a Dockerfile. */
#define WORDS_LINE_MAX 65535
/* An instruction of many lines; beyond it is no JSON. */
#define WORDS_TEXT_MAX (1024 * 1024)

/* Text that is read line by line; at and escape are to be set. */
struct words_source {
	const char *at;	    /* what was not read yet */
	char escape;	    /* '\\' or '`' */
	unsigned int line;  /* lines that were read */
	unsigned int first; /* of these, where the last instruction began, from 1 */
	bool has_gap;	    /* there was an empty line within the last instruction */
};

/* The first byte that is no blank. */
const char *words_skip_blanks(const char *text);

/**
 * words_logical_line - the next instruction, its continuation lines joined
 * @ret: reset and filled; without comments, empty lines and leading blanks
 *
 * Returns false at the end of the text.
 */
bool words_logical_line(struct words_source *source, struct buf *ret);

/**
 * words_flags - the "--name[=value]" words that lead, without quotes and escapes
 * @ret: they are added; a "--" that ends them is not
 *
 * Returns the text behind them, past blanks.
 */
const char *words_flags(const char *text, char escape, struct strlist *ret);

/* Adds the words between blanks. */
void words_split(const char *text, struct strlist *ret);
/* Likewise, but quotes hold a word together and an escaped blank belongs to it; both are kept. */
void words_split_quoted(const char *text, char escape, struct strlist *ret);

/**
 * words_json - the exec form: a JSON array of strings
 * @ret:         its strings are added
 * @ret_is_json: false when the text is no JSON array, which is no error
 *
 * Returns 0, or -1: ERR_USAGE for an array of other things, ERR_LIMIT for one that
 * is too large or too deep.
 */
int words_json(const char *text, struct strlist *ret, bool *ret_is_json, struct error *err);

/**
 * words_pairs - "k=v …", or "k rest" when the first word has no '='
 * @name: of the instruction, for messages
 * @ret:  key and value in turn are added, not expanded
 *
 * Returns 0, or -1 with ERR_USAGE; then ret holds anything.
 */
int words_pairs(const char *text, char escape, const char *name, struct strlist *ret,
		struct error *err);

#endif

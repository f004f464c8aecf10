/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex - the bytes of a Dockerfile as logical lines: directives, comments, continuations, heredocs
 *
 * Source: spec/dockerfile.md, section 1 ("Line rules", "Directives", "Heredocs").
 */
#ifndef BUILD_LEX_H
#define BUILD_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Lines of the file, from 1; 0 when an error belongs to the whole. */
struct lex_range {
	unsigned int first, last;
};

struct lex_heredoc {
	char *name;	 /* what ends it */
	unsigned int fd; /* "3<<X"; 0 when absent */
	bool expand;	 /* the name was not quoted */
	bool strip_tabs; /* "<<-" */
	struct buf body; /* as written, tabs and line ends too */
};

struct lex_line {
	char *text; /* joined, without leading blanks; UTF-8 */
	struct lex_range range;
	struct lex_heredoc *heredocs;
	size_t nr_heredocs;
};

struct lex_warning {
	char *text;
	struct lex_range range;
};

struct lex {
	char escape;  /* '\\' or '`' */
	char *syntax; /* of the directive, for the curious; or NULL */
	struct lex_line *lines;
	size_t nr_lines;
	struct lex_warning *warnings;
	size_t nr_warnings;
};

void lex_done(struct lex *lex);
#define auto_lex __attribute__((cleanup(lex_done)))

/**
 * lex_read - find the logical lines
 * @ret:       overwritten; lex_done() releases it. Empty on failure.
 * @ret_where: on failure, the lines that are wrong
 *
 * A file without instructions has no lines, which is no error here. Returns 0,
 * or -1: ERR_USAGE with what is wrong, ERR_LIMIT.
 */
int lex_read(const void *data, size_t len, struct lex *ret, struct lex_range *ret_where,
	     struct error *err);

/**
 * lex_heredoc_word - is a word of an instruction the start of a heredoc?
 * @ret: overwritten with all but the body; lex_heredoc_done() releases it
 */
bool lex_heredoc_word(const char *word, struct lex_heredoc *ret);
void lex_heredoc_done(struct lex_heredoc *heredoc);

/* Appends the body as it is meant: without the leading tabs that "<<-" drops. */
void lex_heredoc_text(const struct lex_heredoc *heredoc, struct buf *ret);

#endif

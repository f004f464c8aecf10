/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand - variables, quotes and escapes in the text of a Dockerfile instruction
 *
 * Text is UTF-8 and is only ever cut beside an ASCII character. No recursion.
 * Source: spec/dockerfile.md, section 2.
 */
#ifndef OCI_EXPAND_H
#define OCI_EXPAND_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Bytes that variables may make of one instruction: a start for expand_scope.left. */
#define EXPAND_BYTES_MAX (1024 * 1024)
/* "${a:-${b:-…}}" and quotes within quotes. */
#define EXPAND_DEPTH_MAX 64
/* Characters that the patterns of one instruction compare: a tenth of a second. */
#define EXPAND_WORK_MAX (64 * 1024 * 1024)

/* What variables stand for, and where. */
struct expand_scope {
	char *const
		*env; /* "NAME=value", NULL terminated, may be NULL; the first of a name counts */
	size_t left;  /* bytes that expansion may still produce; counts down */
	size_t work_left; /* characters that patterns may still compare; counts down */
	char escape;	  /* '\\' or '`' */
};

/* A scope for one instruction; env may be NULL. */
struct expand_scope expand_scope(char *const *env, char escape);

/**
 * expand_word - replace variables, take quotes and escapes away
 * @ret: reset and filled
 *
 * $n, ${n} and the modifiers :- - :+ + :? ? # ## % %% / //. Returns 0, or -1:
 * ERR_USAGE with what is wrong with the text, ERR_LIMIT when the result is too
 * long or a pattern takes too long.
 */
int expand_word(const char *text, struct expand_scope *scope, struct buf *ret, struct error *err);

/* The body of a heredoc: quotes stay and mean nothing, an escape acts before '$' and itself. */
int expand_body(const char *text, struct expand_scope *scope, struct buf *ret, struct error *err);

/* Likewise; blanks outside quotes, those of values too, end a word. Adds to ret. */
int expand_words(const char *text, struct expand_scope *scope, struct strlist *ret,
		 struct error *err);

#endif

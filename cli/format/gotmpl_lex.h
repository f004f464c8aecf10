/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_lex - the words of a Go template
 *
 * Private to the templates. Source: Go text/template, "Actions" and "Text and spaces".
 */
#ifndef FORMAT_GOTMPL_LEX_H
#define FORMAT_GOTMPL_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum gotoken_kind {
	GOTOKEN_ERROR, /* the last one; message says why */
	GOTOKEN_EOF,
	GOTOKEN_TEXT,
	GOTOKEN_LEFT,  /* {{ */
	GOTOKEN_RIGHT, /* }} */
	GOTOKEN_SPACE,
	GOTOKEN_ASSIGN,	 /* = */
	GOTOKEN_DECLARE, /* := */
	GOTOKEN_PIPE,
	GOTOKEN_LPAREN,
	GOTOKEN_RPAREN,
	GOTOKEN_STRING,	    /* with its quotes */
	GOTOKEN_RAW_STRING, /* with its back quotes */
	GOTOKEN_CHAR_CONST, /* with its quotes */
	GOTOKEN_NUMBER,
	GOTOKEN_FIELD,	  /* .Name */
	GOTOKEN_VARIABLE, /* $ or $name */
	GOTOKEN_BOOL,
	GOTOKEN_IDENT,
	GOTOKEN_CHAR, /* any other printable ASCII character */
	GOTOKEN_DOT,  /* from here on printed as <word> in messages */
	GOTOKEN_NIL,
	GOTOKEN_IF,
	GOTOKEN_ELSE,
	GOTOKEN_END,
	GOTOKEN_RANGE,
	GOTOKEN_WITH,
	GOTOKEN_BREAK,
	GOTOKEN_CONTINUE,
	GOTOKEN_DEFINE,
	GOTOKEN_TEMPLATE,
	GOTOKEN_BLOCK,
};

struct gotoken {
	enum gotoken_kind kind;
	size_t pos; /* into the template; a trimmed text is shorter than its source */
	size_t len;
};

struct gotokens {
	struct gotoken *items; /* ends with EOF or ERROR */
	size_t nr, cap;
	struct buf message; /* of the ERROR */
};

/* Never fails: a lexical error is the last token. ret starts as { 0 }. */
void gotokens_lex(const char *text, size_t len, struct gotokens *ret);
void gotokens_done(struct gotokens *tokens);
#define auto_gotokens __attribute__((cleanup(gotokens_done)))

bool gotmpl_is_space(char c);

#endif

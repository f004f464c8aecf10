/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_tree - what the parser makes and the evaluator walks
 *
 * Private to the templates. All nodes belong to their struct gotmpl.
 */
#ifndef FORMAT_GOTMPL_TREE_H
#define FORMAT_GOTMPL_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum gonode_kind {
	GONODE_LIST,   /* kids */
	GONODE_TEXT,   /* text */
	GONODE_ACTION, /* pipe */
	GONODE_IF,     /* pipe, body, otherwise */
	GONODE_RANGE,  /* the same */
	GONODE_WITH,   /* the same */
	GONODE_BREAK,
	GONODE_CONTINUE,
	GONODE_END,	/* only while parsing */
	GONODE_ELSE,	/* only while parsing */
	GONODE_PIPE,	/* decl, kids: commands */
	GONODE_COMMAND, /* kids: operands */
	GONODE_IDENT,	/* text: a function */
	GONODE_DOT,
	GONODE_NIL,
	GONODE_FIELD,	 /* names */
	GONODE_VARIABLE, /* names: the variable, then fields */
	GONODE_CHAIN,	 /* kids: one operand; names: fields of it */
	GONODE_BOOL,	 /* value */
	GONODE_NUMBER,	 /* value, as_int */
	GONODE_STRING,	 /* value */
};

struct gonode {
	enum gonode_kind kind;
	size_t pos;	  /* into the template */
	const char *text; /* as written, into the template */
	size_t len;
	struct strlist names;
	json_t *value;
	bool is_int; /* NUMBER: as_int is its value where an int is wanted */
	json_int_t as_int;
	bool is_assign;	     /* PIPE: '=' instead of ':=' */
	struct gonode *next; /* sibling */
	struct gonode *kids, *last_kid;
	struct gonode *decl; /* PIPE: up to two variables */
	struct gonode *pipe, *body, *otherwise;
	struct gonode *next_made;
};

struct gotmpl {
	char *text;
	size_t len;
	struct gonode *root;
	struct gonode *made; /* every node */
};

/* The node as Go writes it in messages: ".Repository", "index .Tags 0". */
void gonode_print(struct buf *out, const struct gonode *node);

#endif

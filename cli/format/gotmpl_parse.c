/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_funcs.h"
#include "format/gotmpl_lex.h"
#include "format/gotmpl_literal.h"
#include "format/gotmpl_print.h"
#include "format/gotmpl_tree.h"
#include "format/utf8.h"

struct parser {
	struct gotmpl *tmpl;
	struct gotokens tokens;
	size_t at;     /* the next token */
	size_t seen;   /* the last one looked at: its line is named in messages */
	size_t action; /* token that opened the action in hand; SIZE_MAX outside */
	int depth;
	int ranges; /* open {{range}} blocks */
	struct strlist vars;
	struct error *err;
};

static const struct gotoken *peek(struct parser *p)
{
	if (p->at > p->seen)
		p->seen = p->at;
	return &p->tokens.items[p->at];
}

/* The end, or an error, comes again and again. */
static const struct gotoken *next(struct parser *p)
{
	const struct gotoken *token = peek(p);

	if (token->kind != GOTOKEN_EOF && token->kind != GOTOKEN_ERROR)
		p->at++;
	return token;
}

static const struct gotoken *peek_word(struct parser *p)
{
	while (peek(p)->kind == GOTOKEN_SPACE)
		next(p);
	return peek(p);
}

static size_t line_of(const struct parser *p, size_t token)
{
	size_t line = 1;

	for (size_t i = 0; i < p->tokens.items[token].pos; i++)
		line += p->tmpl->text[i] == '\n';
	return line;
}

static int fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int fail(struct parser *p, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	return err_set(p->err, ERR_TEMPLATE, "template: :%zu: %s", line_of(p, p->seen), text);
}

static void print_token(const struct parser *p, const struct gotoken *token, struct buf *out)
{
	const char *text = p->tmpl->text + token->pos, *cut = text;

	if (token->kind == GOTOKEN_EOF) {
		buf_puts(out, "EOF");
	} else if (token->kind >= GOTOKEN_DOT) {
		buf_printf(out, "<%.*s>", (int)token->len, text);
	} else if (token->len > 10) {
		for (int i = 0; i < 10 && cut < text + token->len; i++)
			utf8_next(&cut, text + token->len, NULL);
		goprint_quoted(out, text, (size_t)(cut - text), false);
		buf_puts(out, "...");
	} else {
		goprint_quoted(out, text, token->len, false);
	}
}

static int unexpected(struct parser *p, const struct gotoken *token, const char *context)
{
	auto_buf struct buf text = { 0 };

	if (token->kind == GOTOKEN_ERROR) {
		const char *message = p->tokens.message.data;
		size_t line = p->action == SIZE_MAX ? 0 : line_of(p, p->action);
		size_t len = strlen(message);

		if (line == 0 || line == line_of(p, (size_t)(token - p->tokens.items)))
			return fail(p, "%s", message);
		if (len > 7 && strcmp(message + len - 7, " action") == 0)
			return fail(p, "%s started at :%zu", message, line);
		return fail(p, "%s in action started at :%zu", message, line);
	}
	print_token(p, token, &text);
	return fail(p, "unexpected %s in %s", text.data, context);
}

static struct gonode *make_node(struct parser *p, enum gonode_kind kind,
				const struct gotoken *token)
{
	struct gonode *node = xcalloc(1, sizeof(*node));

	node->kind = kind;
	node->pos = token->pos;
	node->text = p->tmpl->text + token->pos;
	node->len = token->len;
	node->next_made = p->tmpl->made;
	p->tmpl->made = node;
	return node;
}

static void add_kid(struct gonode *node, struct gonode *kid)
{
	if (node->last_kid)
		node->last_kid->next = kid;
	else
		node->kids = kid;
	node->last_kid = kid;
}

static void add_name(struct gonode *node, const char *name, size_t len)
{
	auto_buf struct buf text = { 0 };

	buf_append(&text, name, len);
	strlist_take(&node->names, buf_take(&text));
}

/* Blocks and parentheses nest through here. */
static int enter(struct parser *p)
{
	if (p->depth >= GOTMPL_MAX_DEPTH)
		return err_set(p->err, ERR_LIMIT, "template: :%zu: nested deeper than %d levels",
			       line_of(p, p->seen), GOTMPL_MAX_DEPTH);
	p->depth++;
	return 0;
}

static struct gonode *parse_pipeline(struct parser *p, const char *context, enum gotoken_kind end);

static struct gonode *parse_variable(struct parser *p, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_VARIABLE, token);

	add_name(node, node->text, node->len);
	for (size_t i = 0; i < p->vars.nr; i++)
		if (strcmp(p->vars.items[i], node->names.items[0]) == 0)
			return node;
	fail(p, "undefined variable \"%s\"", node->names.items[0]);
	return NULL;
}

static struct gonode *parse_number(struct parser *p, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_NUMBER, token);
	struct goliteral_number number;
	const char *problem = goliteral_number(node->text, node->len, &number);
	auto_buf struct buf text = { 0 };

	if (problem) {
		goprint_quoted(&text, node->text, node->len, false);
		fail(p, "%s%s", problem, text.data);
		return NULL;
	}
	node->value = number.value;
	node->is_int = number.is_int;
	node->as_int = number.as_int;
	return node;
}

static struct gonode *parse_char(struct parser *p, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_NUMBER, token);
	long rune = goliteral_char(node->text, node->len);

	if (rune == GOLITERAL_INVALID) {
		fail(p, "invalid syntax");
		return NULL;
	}
	if (rune < 0) {
		fail(p, "malformed character constant: %.*s", (int)node->len, node->text);
		return NULL;
	}
	node->value = json_integer(rune);
	node->is_int = true;
	node->as_int = rune;
	return node;
}

static struct gonode *parse_string(struct parser *p, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_STRING, token);
	auto_buf struct buf text = { 0 };

	if (!goliteral_string(node->text, node->len, &text)) {
		fail(p, "invalid syntax");
		return NULL;
	}
	node->value = govalue_string(text.data, text.len).json;
	return node;
}

static struct gonode *parse_ident(struct parser *p, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_IDENT, token);

	if (gofunc_find(node->text, node->len, false))
		return node;
	fail(p, "function \"%.*s\" not defined", (int)node->len, node->text);
	return NULL;
}

static struct gonode *parse_parens(struct parser *p)
{
	struct gonode *pipe;

	if (enter(p) < 0)
		return NULL;
	pipe = parse_pipeline(p, "parenthesized pipeline", GOTOKEN_RPAREN);
	p->depth--;
	return pipe;
}

/* Returns -1; 0 when the next token starts no term; 1 with *ret. */
static int parse_term(struct parser *p, struct gonode **ret)
{
	const struct gotoken *token = peek_word(p);

	switch (token->kind) {
	case GOTOKEN_IDENT:
		*ret = parse_ident(p, next(p));
		break;
	case GOTOKEN_DOT:
		*ret = make_node(p, GONODE_DOT, next(p));
		break;
	case GOTOKEN_NIL:
		*ret = make_node(p, GONODE_NIL, next(p));
		break;
	case GOTOKEN_VARIABLE:
		*ret = parse_variable(p, next(p));
		break;
	case GOTOKEN_FIELD:
		*ret = make_node(p, GONODE_FIELD, next(p));
		add_name(*ret, (*ret)->text + 1, (*ret)->len - 1);
		break;
	case GOTOKEN_BOOL:
		*ret = make_node(p, GONODE_BOOL, next(p));
		(*ret)->value = json_boolean(*(*ret)->text == 't');
		break;
	case GOTOKEN_NUMBER:
		*ret = parse_number(p, next(p));
		break;
	case GOTOKEN_CHAR_CONST:
		*ret = parse_char(p, next(p));
		break;
	case GOTOKEN_STRING:
	case GOTOKEN_RAW_STRING:
		*ret = parse_string(p, next(p));
		break;
	case GOTOKEN_LPAREN:
		next(p);
		*ret = parse_parens(p);
		break;
	default:
		return 0;
	}
	return *ret ? 1 : -1;
}

/* A term and the fields taken of it. Returns as parse_term. */
static int parse_operand(struct parser *p, struct gonode **ret)
{
	struct gonode *chain;
	int got = parse_term(p, ret);

	if (got <= 0 || peek(p)->kind != GOTOKEN_FIELD)
		return got;
	switch ((*ret)->kind) {
	case GONODE_BOOL:
	case GONODE_STRING:
	case GONODE_NUMBER:
	case GONODE_NIL:
	case GONODE_DOT: {
		auto_buf struct buf text = { 0 };

		while (peek(p)->kind == GOTOKEN_FIELD)
			next(p);
		goprint_quoted(&text, (*ret)->text, (*ret)->len, false);
		return fail(p, "unexpected . after term %s", text.data);
	}
	case GONODE_FIELD:
	case GONODE_VARIABLE:
		chain = *ret;
		chain->pos = peek(p)->pos; /* so Go points at the second name */
		break;
	default:
		chain = make_node(p, GONODE_CHAIN, peek(p));
		add_kid(chain, *ret);
	}
	while (peek(p)->kind == GOTOKEN_FIELD) {
		const struct gotoken *token = next(p);

		add_name(chain, p->tmpl->text + token->pos + 1, token->len - 1);
	}
	*ret = chain;
	return 1;
}

/* Operands up to a '|' or the end of the pipeline; takes the '|'. */
static struct gonode *parse_command(struct parser *p)
{
	struct gonode *command = make_node(p, GONODE_COMMAND, peek_word(p)), *operand;

	for (;;) {
		const struct gotoken *token;
		int got = parse_operand(p, &operand);

		if (got < 0)
			return NULL;
		if (got)
			add_kid(command, operand);
		token = next(p);
		if (token->kind == GOTOKEN_SPACE)
			continue;
		if (token->kind == GOTOKEN_RIGHT || token->kind == GOTOKEN_RPAREN) {
			p->at--;
		} else if (token->kind != GOTOKEN_PIPE) {
			unexpected(p, token, "operand");
			return NULL;
		}
		break;
	}
	if (!command->kids) {
		fail(p, "empty command");
		return NULL;
	}
	return command;
}

static void add_decl(struct parser *p, struct gonode *pipe, const struct gotoken *token)
{
	struct gonode *node = make_node(p, GONODE_VARIABLE, token), **last = &pipe->decl;

	add_name(node, node->text, node->len);
	while (*last)
		last = &(*last)->next;
	*last = node;
	strlist_add(&p->vars, node->names.items[0]);
}

/* "$x :=", "$x =" or, for range, "$i, $x :=" */
static int parse_decl(struct parser *p, struct gonode *pipe, const char *context)
{
	while (peek_word(p)->kind == GOTOKEN_VARIABLE) {
		size_t back = p->at;
		const struct gotoken *variable = next(p), *token = peek_word(p);

		if (token->kind == GOTOKEN_ASSIGN || token->kind == GOTOKEN_DECLARE) {
			pipe->is_assign = token->kind == GOTOKEN_ASSIGN;
			next(p);
			add_decl(p, pipe, variable);
			return 0;
		}
		if (token->kind != GOTOKEN_CHAR || p->tmpl->text[token->pos] != ',') {
			p->at = back;
			return 0;
		}
		next(p);
		add_decl(p, pipe, variable);
		if (strcmp(context, "range") != 0 || pipe->decl->next)
			return fail(p, "too many declarations in %s", context);
		token = peek_word(p);
		if (token->kind != GOTOKEN_VARIABLE && token->kind != GOTOKEN_RIGHT &&
		    token->kind != GOTOKEN_RPAREN)
			return fail(p, "range can only initialize variables");
	}
	return 0;
}

static int check_pipeline(struct parser *p, const struct gonode *pipe, const char *context)
{
	int stage = 2;

	if (!pipe->kids)
		return fail(p, "missing value for %s", context);
	for (const struct gonode *command = pipe->kids->next; command; command = command->next) {
		switch (command->kids->kind) {
		case GONODE_BOOL:
		case GONODE_DOT:
		case GONODE_NIL:
		case GONODE_NUMBER:
		case GONODE_STRING:
			return fail(p, "non executable command in pipeline stage %d", stage);
		default:
			stage++;
		}
	}
	return 0;
}

static bool starts_command(enum gotoken_kind kind)
{
	switch (kind) {
	case GOTOKEN_BOOL:
	case GOTOKEN_CHAR_CONST:
	case GOTOKEN_DOT:
	case GOTOKEN_FIELD:
	case GOTOKEN_IDENT:
	case GOTOKEN_NUMBER:
	case GOTOKEN_NIL:
	case GOTOKEN_RAW_STRING:
	case GOTOKEN_STRING:
	case GOTOKEN_VARIABLE:
	case GOTOKEN_LPAREN:
		return true;
	default:
		return false;
	}
}

static struct gonode *parse_pipeline(struct parser *p, const char *context, enum gotoken_kind end)
{
	struct gonode *pipe = make_node(p, GONODE_PIPE, peek_word(p));

	if (parse_decl(p, pipe, context) < 0)
		return NULL;
	for (;;) {
		const struct gotoken *token = peek_word(p);
		struct gonode *command;

		if (token->kind == end) {
			next(p);
			return check_pipeline(p, pipe, context) < 0 ? NULL : pipe;
		}
		if (!starts_command(token->kind)) {
			unexpected(p, token, context);
			return NULL;
		}
		command = parse_command(p);
		if (!command)
			return NULL;
		add_kid(pipe, command);
	}
}

static struct gonode *parse_item(struct parser *p);

/* Up to {{end}} or {{else}}, which becomes *ret_stop. */
static struct gonode *parse_list(struct parser *p, struct gonode **ret_stop)
{
	struct gonode *list = make_node(p, GONODE_LIST, peek_word(p));

	while (peek_word(p)->kind != GOTOKEN_EOF) {
		struct gonode *item = parse_item(p);

		if (!item)
			return NULL;
		if (item->kind == GONODE_END || item->kind == GONODE_ELSE) {
			*ret_stop = item;
			return list;
		}
		add_kid(list, item);
	}
	fail(p, "unexpected EOF");
	return NULL;
}

static int parse_block(struct parser *p, struct gonode *node, const char *context);

/* What follows {{else}}; an {{else if}} shares the {{end}} of its if. */
static int parse_else(struct parser *p, struct gonode *node, enum gotoken_kind again,
		      const char *context)
{
	struct gonode *stop;

	if (peek(p)->kind == again) {
		struct gonode *inner = make_node(p, node->kind, next(p));

		node->otherwise = make_node(p, GONODE_LIST, peek(p));
		add_kid(node->otherwise, inner);
		return parse_block(p, inner, context);
	}
	node->otherwise = parse_list(p, &stop);
	if (!node->otherwise)
		return -1;
	if (stop->kind != GONODE_END)
		return fail(p, "expected end; found {{else}}");
	return 0;
}

static int parse_block_inside(struct parser *p, struct gonode *node, const char *context)
{
	struct gonode *stop;

	node->pipe = parse_pipeline(p, context, GOTOKEN_RIGHT);
	if (!node->pipe)
		return -1;
	p->ranges += node->kind == GONODE_RANGE;
	node->body = parse_list(p, &stop);
	p->ranges -= node->kind == GONODE_RANGE;
	if (!node->body)
		return -1;
	if (stop->kind == GONODE_END)
		return 0;
	if (node->kind == GONODE_IF)
		return parse_else(p, node, GOTOKEN_IF, context);
	if (node->kind == GONODE_WITH)
		return parse_else(p, node, GOTOKEN_WITH, context);
	return parse_else(p, node, GOTOKEN_ERROR, context);
}

/* The keyword is past. */
static int parse_block(struct parser *p, struct gonode *node, const char *context)
{
	size_t nr_vars = p->vars.nr;
	int ret;

	if (enter(p) < 0)
		return -1;
	ret = parse_block_inside(p, node, context);
	p->depth--;
	while (p->vars.nr > nr_vars)
		free(p->vars.items[--p->vars.nr]);
	return ret;
}

static struct gonode *parse_block_of(struct parser *p, enum gonode_kind kind, const char *context)
{
	struct gonode *node = make_node(p, kind, next(p));

	return parse_block(p, node, context) < 0 ? NULL : node;
}

/* {{end}}, {{else}}, {{break}}, {{continue}} */
static struct gonode *parse_bare(struct parser *p, enum gonode_kind kind, const char *context)
{
	struct gonode *node = make_node(p, kind, next(p));
	const struct gotoken *token = peek_word(p);

	/* {{else if}}: the word stays, parse_else() looks for it */
	if (kind == GONODE_ELSE && (token->kind == GOTOKEN_IF || token->kind == GOTOKEN_WITH))
		return node;
	if (next(p)->kind != GOTOKEN_RIGHT) {
		unexpected(p, token, context);
		return NULL;
	}
	if ((kind == GONODE_BREAK || kind == GONODE_CONTINUE) && p->ranges == 0) {
		fail(p, "%s outside {{range}}", context);
		return NULL;
	}
	return node;
}

/* "{{" is past. */
static struct gonode *parse_action(struct parser *p)
{
	const struct gotoken *token = peek_word(p);
	struct gonode *node;

	switch (token->kind) {
	case GOTOKEN_IF:
		return parse_block_of(p, GONODE_IF, "if");
	case GOTOKEN_RANGE:
		return parse_block_of(p, GONODE_RANGE, "range");
	case GOTOKEN_WITH:
		return parse_block_of(p, GONODE_WITH, "with");
	case GOTOKEN_ELSE:
		return parse_bare(p, GONODE_ELSE, "else");
	case GOTOKEN_END:
		return parse_bare(p, GONODE_END, "end");
	case GOTOKEN_BREAK:
		return parse_bare(p, GONODE_BREAK, "{{break}}");
	case GOTOKEN_CONTINUE:
		return parse_bare(p, GONODE_CONTINUE, "{{continue}}");
	default:
		node = make_node(p, GONODE_ACTION, token);
		node->pipe = parse_pipeline(p, "command", GOTOKEN_RIGHT);
		return node->pipe ? node : NULL;
	}
}

static struct gonode *parse_item(struct parser *p)
{
	size_t at = (size_t)(peek_word(p) - p->tokens.items);
	const struct gotoken *token = next(p);
	struct gonode *node;

	switch (token->kind) {
	case GOTOKEN_TEXT:
		return make_node(p, GONODE_TEXT, token);
	case GOTOKEN_LEFT:
		p->action = at;
		node = parse_action(p);
		p->action = SIZE_MAX;
		return node;
	default:
		unexpected(p, token, "input");
		return NULL;
	}
}

static int parse_all(struct parser *p)
{
	p->tmpl->root = make_node(p, GONODE_LIST, peek(p));
	while (peek(p)->kind != GOTOKEN_EOF) {
		struct gonode *item = parse_item(p);

		if (!item)
			return -1;
		if (item->kind == GONODE_END || item->kind == GONODE_ELSE)
			return fail(p, "unexpected {{%s}}",
				    item->kind == GONODE_END ? "end" : "else");
		add_kid(p->tmpl->root, item);
	}
	return 0;
}

int gotmpl_parse(const char *text, struct gotmpl **ret, struct error *err)
{
	auto_gotmpl struct gotmpl *tmpl = NULL;
	struct parser p = { .action = SIZE_MAX, .err = err };
	size_t len = strlen(text);
	int result;

	if (len > GOTMPL_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "template: longer than %d bytes", GOTMPL_MAX_BYTES);
	tmpl = xcalloc(1, sizeof(*tmpl));
	tmpl->text = xstrdup(text);
	tmpl->len = len;
	p.tmpl = tmpl;
	strlist_add(&p.vars, "$");
	gotokens_lex(tmpl->text, len, &p.tokens);
	result = parse_all(&p);
	gotokens_done(&p.tokens);
	strlist_done(&p.vars);
	if (result == 0)
		*ret = take_ptr(tmpl);
	return result;
}

void gotmpl_free(struct gotmpl *tmpl)
{
	if (!tmpl)
		return;
	while (tmpl->made) {
		struct gonode *node = tmpl->made;

		tmpl->made = node->next_made;
		strlist_done(&node->names);
		json_decref(node->value);
		free(node);
	}
	free(tmpl->text);
	free(tmpl);
}

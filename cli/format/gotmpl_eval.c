/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_funcs.h"
#include "format/gotmpl_print.h"
#include "format/gotmpl_tree.h"

/*
 * Steps one run may take: loops inside loops need no output to be endless. A
 * step is a node, or BYTES_PER_STEP of text that a function reads or makes.
 */
#define MAX_STEPS      3000000u
#define BYTES_PER_STEP 64u

enum jump { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE };

struct variable {
	const char *name; /* borrowed from the tree */
	struct govalue value;
};

struct state {
	const struct gotmpl *tmpl;
	const struct gonode *at; /* where an error is */
	unsigned flags;
	struct buf *out;
	size_t max_len; /* of out */
	size_t steps;
	enum jump jump;
	struct variable *vars;
	size_t nr_vars, cap_vars;
	struct error *err;
};

static int fail(struct state *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int fail(struct state *s, const char *fmt, ...)
{
	size_t line = 1, line_start = 0;
	auto_buf struct buf where = { 0 };
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	for (size_t i = 0; i < s->at->pos; i++) {
		if (s->tmpl->text[i] != '\n')
			continue;
		line++;
		line_start = i + 1;
	}
	gonode_print(&where, s->at);
	return err_set(s->err, ERR_TEMPLATE, "template: :%zu:%zu: executing \"\" at <%.512s>: %s",
		       line, s->at->pos - line_start, where.data ? where.data : "", text);
}

static int charge(struct state *s, size_t bytes)
{
	s->steps += 1 + bytes / BYTES_PER_STEP;
	if (s->steps > MAX_STEPS || s->out->len > s->max_len)
		return err_set(s->err, ERR_LIMIT, "template: %s",
			       s->steps > MAX_STEPS ? "it takes too long" : "too much output");
	return 0;
}

/* Takes value. */
static void push(struct state *s, const char *name, struct govalue value)
{
	if (s->nr_vars == s->cap_vars) {
		s->cap_vars = s->cap_vars ? 2 * s->cap_vars : 16;
		s->vars = xrealloc(s->vars, s->cap_vars * sizeof(*s->vars));
	}
	s->vars[s->nr_vars++] = (struct variable){ .name = name, .value = value };
}

static void pop_to(struct state *s, size_t nr)
{
	while (s->nr_vars > nr)
		govalue_done(&s->vars[--s->nr_vars].value);
}

/* Takes value. */
static void set_variable(struct variable *variable, struct govalue value)
{
	govalue_done(&variable->value);
	variable->value = value;
}

static struct variable *find_variable(struct state *s, const char *name)
{
	for (size_t i = s->nr_vars; i > 0; i--)
		if (strcmp(s->vars[i - 1].name, name) == 0)
			return &s->vars[i - 1];
	fail(s, "undefined variable: %s", name);
	return NULL;
}

static int eval_pipe(struct state *s, const struct govalue *dot, const struct gonode *pipe,
		     struct govalue *ret);
static int eval_operand(struct state *s, const struct govalue *dot, const struct gonode *node,
			struct govalue *ret);

/* The operands of one call: the first node is the function or field itself. */
struct call {
	const struct govalue *dot;
	const struct gonode *args;   /* behind the first; NULL for none */
	const struct govalue *final; /* what a '|' brings; NULL for nothing */
	const struct gonode *node;   /* for errors */
};

static size_t nr_operands(const struct call *call)
{
	size_t nr = call->final != NULL;

	for (const struct gonode *arg = call->args; arg; arg = arg->next)
		nr++;
	return nr;
}

static const char *param_name(char param)
{
	return param == 's' ? "string" : param == 'i' ? "int" : "interface {}";
}

/* May the value be passed where param is wanted? */
static int check_operand(struct state *s, const struct govalue *value, char param)
{
	enum gokind kind = govalue_kind(value);

	if (param == 'a' || param == 'v' || (param == 's' && kind == GO_STRING) ||
	    (param == 'i' && kind == GO_INT))
		return 0;
	if (kind == GO_NONE)
		return fail(s, "invalid value; expected %s", param_name(param));
	return fail(s, "wrong type for value; expected %s; got %s", param_name(param),
		    govalue_type_name(value));
}

static int eval_arg(struct state *s, const struct govalue *dot, const struct gonode *node,
		    char param, struct govalue *ret)
{
	auto_buf struct buf text = { 0 };

	s->at = node;
	switch (node->kind) {
	case GONODE_NIL:
		if (param == 's' || param == 'i')
			return fail(s, "cannot assign nil to %s", param_name(param));
		*ret = (struct govalue){ 0 };
		return 0;
	case GONODE_BOOL:
	case GONODE_NUMBER:
	case GONODE_STRING:
		if (param == 'i' && node->kind == GONODE_NUMBER && node->is_int) {
			*ret = govalue_int(node->as_int);
			return 0;
		}
		if (param == 'i' || (param == 's' && node->kind != GONODE_STRING)) {
			gonode_print(&text, node);
			return fail(s, "expected %s; found %s", param == 'i' ? "integer" : "string",
				    text.data);
		}
		return eval_operand(s, dot, node, ret);
	default:
		if (eval_operand(s, dot, node, ret) < 0)
			return -1;
		return check_operand(s, ret, param);
	}
}

/* `and` and `or` stop at the operand that decides. */
static int eval_logic(struct state *s, const struct call *call, bool is_or, struct govalue *ret)
{
	struct govalue value = { 0 };

	for (const struct gonode *arg = call->args; arg; arg = arg->next) {
		govalue_done(&value);
		if (eval_arg(s, call->dot, arg, 'v', &value) < 0) {
			govalue_done(&value);
			return -1;
		}
		if (govalue_truth(&value) == is_or) {
			*ret = value;
			return 0;
		}
	}
	if (call->final) {
		govalue_done(&value);
		value = govalue_copy(call->final);
	}
	*ret = value;
	return 0;
}

static int check_count(struct state *s, const struct gofunc *func, size_t nr)
{
	size_t wanted = strcspn(func->params, "*");
	bool many = func->params[wanted] == '*';

	if (many && nr < wanted - 1)
		return fail(s, "wrong number of args for %s: want at least %zu got %zu", func->name,
			    wanted - 1, nr);
	if (!many && nr != wanted)
		return fail(s, "wrong number of args for %s: want %zu got %zu", func->name, wanted,
			    nr);
	return 0;
}

static char param_at(const struct gofunc *func, size_t i)
{
	size_t nr = strcspn(func->params, "*");

	return func->params[i < nr ? i : nr - 1];
}

static int fill_args(struct state *s, const struct call *call, const struct gofunc *func,
		     struct govalue *args)
{
	size_t i = 0;

	for (const struct gonode *arg = call->args; arg; arg = arg->next, i++)
		if (eval_arg(s, call->dot, arg, param_at(func, i), &args[i]) < 0)
			return -1;
	if (!call->final)
		return 0;
	args[i] = govalue_copy(call->final);
	return check_operand(s, &args[i], param_at(func, i));
}

static int call_with(struct state *s, const struct call *call, const struct gofunc *func,
		     const struct govalue *args, size_t nr, struct govalue *ret)
{
	struct error reason;
	size_t bytes = 0;

	for (size_t i = 0; i < nr; i++)
		bytes += json_string_length(args[i].json);
	if (charge(s, bytes) < 0)
		return -1;
	if (func->call(args, nr, ret, &reason) < 0) {
		s->at = call->node;
		return fail(s, "error calling %s: %s", func->name, reason.text);
	}
	bytes = json_is_object(ret->json) ? 0 : govalue_len(ret);
	if (bytes > GOTMPL_MAX_OUTPUT)
		return err_set(s->err, ERR_LIMIT, "template: too much output");
	return charge(s, bytes);
}

static int eval_call(struct state *s, const struct call *call, const struct gonode *ident,
		     struct govalue *ret)
{
	const struct gofunc *func = gofunc_find(ident->text, ident->len, s->flags & GOTMPL_HEADER);
	size_t nr = nr_operands(call);
	auto_free struct govalue *args = NULL;
	int result;

	s->at = ident;
	if (!func)
		return fail(s, "function \"%.*s\" not defined", (int)ident->len, ident->text);
	if (check_count(s, func, nr) < 0)
		return -1;
	if (!func->call)
		return eval_logic(s, call, func->name[0] == 'o', ret);
	args = xcalloc(nr, sizeof(*args));
	result = fill_args(s, call, func, args);
	if (result == 0)
		result = call_with(s, call, func, args, nr, ret);
	for (size_t i = 0; i < nr; i++)
		govalue_done(&args[i]);
	return result;
}

static bool is_method(const struct govalue *object, const char *name)
{
	const char *const *method = object->type ? object->type->methods : NULL;

	for (; method && *method; method++)
		if (strcmp(*method, name) == 0)
			return true;
	return false;
}

static int call_method(struct state *s, const struct call *call, const struct govalue *object,
		       const char *name, struct govalue *ret)
{
	auto_govalue struct govalue arg = { 0 };
	size_t nr = nr_operands(call);

	if (nr != 1)
		return fail(s, "wrong number of args for %s: want 1 got %zu", name, nr);
	if (call->final) {
		arg = govalue_copy(call->final);
		if (check_operand(s, &arg, 's') < 0)
			return -1;
	} else if (eval_arg(s, call->dot, call->args, 's', &arg) < 0) {
		return -1;
	}
	*ret = govalue_new(object->type->call(object->json, name, json_string_value(arg.json)),
			   NULL);
	return charge(s, 0);
}

static int eval_struct_field(struct state *s, const struct call *call, const struct govalue *object,
			     const char *name, struct govalue *ret)
{
	const struct gotmpl_field *field = govalue_find_field(object, name);
	size_t nr = nr_operands(call);

	if (!field)
		return fail(s, "can't evaluate field %s in type %s", name,
			    govalue_type_name(object));
	if (govalue_kind(object) == GO_POINTER)
		return fail(s, "nil pointer evaluating %s.%s", govalue_type_name(object), name);
	if (nr && object->type->is_row)
		return fail(s, "wrong number of args for %s: want 0 got %zu", name, nr);
	if (nr)
		return fail(s, "%s has arguments but cannot be invoked as function", name);
	*ret = govalue_field(object, field);
	return 0;
}

static int eval_entry(struct state *s, const struct call *call, const struct govalue *map,
		      const char *name, struct govalue *ret)
{
	if (nr_operands(call))
		return fail(s, "%s is not a method but has arguments", name);
	*ret = govalue_entry(map, name);
	if (!ret->json && (s->flags & GOTMPL_MISSING_KEY_ERROR))
		return fail(s, "map has no entry for key \"%s\"", name);
	return 0;
}

static int eval_field(struct state *s, const struct call *call, const struct govalue *receiver,
		      const char *name, struct govalue *ret)
{
	enum gokind kind = govalue_kind(receiver);

	if (kind == GO_NONE) {
		if (s->flags & GOTMPL_MISSING_KEY_ERROR)
			return fail(s, "nil data; no entry for key \"%s\"", name);
		return 0;
	}
	if (kind == GO_NIL)
		return fail(s, "nil pointer evaluating %s.%s", govalue_type_name(receiver), name);
	if (is_method(receiver, name))
		return call_method(s, call, receiver, name, ret);
	if (kind == GO_STRUCT || kind == GO_POINTER)
		return eval_struct_field(s, call, receiver, name, ret);
	if (kind == GO_MAP)
		return eval_entry(s, call, receiver, name, ret);
	return fail(s, "can't evaluate field %s in type %s", name,
		    receiver->boxed ? "interface {}" : govalue_type_name(receiver));
}

/* .A.B.C of start; the operands belong to the last name. */
static int eval_names(struct state *s, const struct call *call, const struct govalue *start,
		      char *const names[], size_t nr, struct govalue *ret)
{
	const struct call bare = { .dot = call->dot, .node = call->node };
	struct govalue value = govalue_copy(start);

	for (size_t i = 0; i < nr; i++) {
		struct govalue field = { 0 };
		int result;

		result = eval_field(s, i + 1 == nr ? call : &bare, &value, names[i], &field);
		govalue_done(&value);
		value = field;
		if (result < 0) {
			govalue_done(&value);
			return -1;
		}
	}
	*ret = value;
	return 0;
}

static int eval_chain(struct state *s, const struct call *call, const struct gonode *chain,
		      struct govalue *ret)
{
	auto_govalue struct govalue start = { 0 };
	const struct gonode *operand = chain->kids;

	s->at = chain;
	if (eval_operand(s, call->dot, operand, &start) < 0)
		return -1;
	return eval_names(s, call, &start, chain->names.items, chain->names.nr, ret);
}

static int refuse_operands(struct state *s, const struct call *call, const struct gonode *first)
{
	auto_buf struct buf text = { 0 };

	if (!call->args && !call->final)
		return 0;
	gonode_print(&text, first);
	return fail(s, "can't give argument to non-function %s", text.data);
}

static int eval_variable(struct state *s, const struct call *call, const struct gonode *node,
			 struct govalue *ret)
{
	const struct variable *variable;

	s->at = node;
	variable = find_variable(s, node->names.items[0]);
	if (!variable)
		return -1;
	if (node->names.nr == 1) {
		if (refuse_operands(s, call, node) < 0)
			return -1;
		*ret = govalue_copy(&variable->value);
		return 0;
	}
	return eval_names(s, call, &variable->value, node->names.items + 1, node->names.nr - 1,
			  ret);
}

static int eval_constant(struct state *s, const struct gonode *node, struct govalue *ret)
{
	static const struct gotmpl_type *const types[] = {
		[JSON_INTEGER] = &gotmpl_int,	[JSON_REAL] = &gotmpl_float,
		[JSON_STRING] = &gotmpl_string, [JSON_TRUE] = &gotmpl_bool,
		[JSON_FALSE] = &gotmpl_bool,
	};

	if (!node->value)
		return fail(s, "%.*s overflows int", (int)node->len, node->text);
	*ret = govalue_new(json_incref(node->value), types[json_typeof(node->value)]);
	return 0;
}

/* One term with its operands. */
static int eval_first(struct state *s, const struct call *call, const struct gonode *first,
		      struct govalue *ret)
{
	switch (first->kind) {
	case GONODE_FIELD:
		s->at = first;
		return eval_names(s, call, call->dot, first->names.items, first->names.nr, ret);
	case GONODE_CHAIN:
		return eval_chain(s, call, first, ret);
	case GONODE_IDENT:
		return eval_call(s, call, first, ret);
	case GONODE_VARIABLE:
		return eval_variable(s, call, first, ret);
	case GONODE_PIPE:
		if (refuse_operands(s, call, first) < 0)
			return -1;
		return eval_pipe(s, call->dot, first, ret);
	default:
		break;
	}
	s->at = first;
	if (refuse_operands(s, call, first) < 0)
		return -1;
	if (first->kind == GONODE_NIL)
		return fail(s, "nil is not a command");
	if (first->kind == GONODE_DOT) {
		*ret = govalue_copy(call->dot);
		return 0;
	}
	return eval_constant(s, first, ret);
}

static int eval_operand(struct state *s, const struct govalue *dot, const struct gonode *node,
			struct govalue *ret)
{
	const struct call call = { .dot = dot, .node = node };

	if (charge(s, 0) < 0)
		return -1;
	s->at = node;
	return eval_first(s, &call, node, ret);
}

static int eval_command(struct state *s, const struct govalue *dot, const struct gonode *command,
			const struct govalue *final, struct govalue *ret)
{
	const struct gonode *first = command->kids;
	const struct call call = {
		.dot = dot,
		.args = first->next,
		.final = final,
		.node = first->kind == GONODE_IDENT ? command : first,
	};

	if (charge(s, 0) < 0)
		return -1;
	return eval_first(s, &call, first, ret);
}

static int eval_decl(struct state *s, const struct gonode *pipe, const struct govalue *value)
{
	for (const struct gonode *decl = pipe->decl; decl; decl = decl->next) {
		struct variable *variable;

		if (!pipe->is_assign) {
			push(s, decl->names.items[0], govalue_copy(value));
			continue;
		}
		variable = find_variable(s, decl->names.items[0]);
		if (!variable)
			return -1;
		set_variable(variable, govalue_copy(value));
	}
	return 0;
}

static int eval_pipe(struct state *s, const struct govalue *dot, const struct gonode *pipe,
		     struct govalue *ret)
{
	struct govalue value = { 0 };

	s->at = pipe;
	for (const struct gonode *command = pipe->kids; command; command = command->next) {
		struct govalue result = { 0 };
		int done = eval_command(s, dot, command, command == pipe->kids ? NULL : &value,
					&result);

		govalue_done(&value);
		value = result;
		if (done < 0) {
			govalue_done(&value);
			return -1;
		}
		value.boxed = false; /* here Go digs into interfaces */
		if (govalue_kind(&value) == GO_NIL)
			govalue_done(&value);
	}
	if (eval_decl(s, pipe, &value) < 0) {
		govalue_done(&value);
		return -1;
	}
	*ret = value;
	return 0;
}

static int walk(struct state *s, const struct govalue *dot, const struct gonode *node);

static int walk_list(struct state *s, const struct govalue *dot, const struct gonode *list)
{
	for (const struct gonode *node = list->kids; node && s->jump == JUMP_NONE;
	     node = node->next)
		if (walk(s, dot, node) < 0)
			return -1;
	return 0;
}

static int walk_if_or_with(struct state *s, const struct govalue *dot, const struct gonode *node)
{
	auto_govalue struct govalue value = { 0 };
	size_t mark = s->nr_vars;
	int ret = eval_pipe(s, dot, node->pipe, &value);

	if (ret == 0 && govalue_truth(&value))
		ret = walk_list(s, node->kind == GONODE_WITH ? &value : dot, node->body);
	else if (ret == 0 && node->otherwise)
		ret = walk_list(s, dot, node->otherwise);
	pop_to(s, mark);
	return ret;
}

/* Sets the declared variables of a range: "$x" is the element, "$i, $x" both. */
static int set_range_vars(struct state *s, const struct gonode *pipe, const struct govalue *index,
			  const struct govalue *elem)
{
	const struct gonode *first = pipe->decl, *second = first ? first->next : NULL;
	struct variable *variable;

	if (!first)
		return 0;
	if (!pipe->is_assign) {
		set_variable(&s->vars[s->nr_vars - 1], govalue_copy(elem));
		if (second)
			set_variable(&s->vars[s->nr_vars - 2], govalue_copy(index));
		return 0;
	}
	variable = find_variable(s, first->names.items[0]);
	if (!variable)
		return -1;
	set_variable(variable, govalue_copy(second ? index : elem));
	variable = second ? find_variable(s, second->names.items[0]) : variable;
	if (variable && second)
		set_variable(variable, govalue_copy(elem));
	return variable ? 0 : -1;
}

/* Returns 1 after a {{break}}. */
static int walk_once(struct state *s, const struct gonode *range, const struct govalue *index,
		     const struct govalue *elem)
{
	size_t mark = s->nr_vars;
	bool stop;
	int ret;

	if (charge(s, 0) < 0 || set_range_vars(s, range->pipe, index, elem) < 0)
		return -1;
	ret = walk_list(s, elem, range->body);
	pop_to(s, mark);
	stop = s->jump == JUMP_BREAK;
	s->jump = JUMP_NONE;
	return ret < 0 ? -1 : stop;
}

static int walk_items(struct state *s, const struct gonode *range, const struct govalue *list)
{
	int ret = 0;

	for (size_t i = 0; i < govalue_len(list) && ret == 0; i++) {
		auto_govalue struct govalue index = govalue_int((json_int_t)i);
		auto_govalue struct govalue elem = govalue_item(list, i);

		ret = walk_once(s, range, &index, &elem);
	}
	return ret < 0 ? -1 : 0;
}

static int walk_entries(struct state *s, const struct gonode *range, const struct govalue *map)
{
	size_t nr;
	auto_free const char **keys = govalue_sorted_keys(map->json, &nr);
	int ret = charge(s, 8 * nr);

	for (size_t i = 0; i < nr && ret == 0; i++) {
		auto_govalue struct govalue key = govalue_string(keys[i], strlen(keys[i]));
		auto_govalue struct govalue elem = govalue_entry(map, keys[i]);

		ret = walk_once(s, range, &key, &elem);
	}
	return ret < 0 ? -1 : 0;
}

static int walk_numbers(struct state *s, const struct gonode *range, const struct govalue *count)
{
	int ret = 0;

	for (json_int_t i = 0; i < json_integer_value(count->json) && ret == 0; i++) {
		auto_govalue struct govalue number = govalue_int(i);

		ret = walk_once(s, range, &number, &number);
	}
	return ret < 0 ? -1 : 0;
}

static int walk_over(struct state *s, const struct govalue *dot, const struct gonode *range,
		     const struct govalue *value)
{
	auto_buf struct buf text = { 0 };

	switch (govalue_kind(value)) {
	case GO_LIST:
		if (govalue_len(value))
			return walk_items(s, range, value);
		break;
	case GO_MAP:
		if (govalue_len(value))
			return walk_entries(s, range, value);
		break;
	case GO_INT:
		if (json_integer_value(value->json) > 0)
			return walk_numbers(s, range, value);
		break;
	case GO_NONE:
	case GO_NIL:
		break;
	default:
		goprint_value(&text, value);
		return fail(s, "range can't iterate over %s", text.data ? text.data : "");
	}
	return range->otherwise ? walk_list(s, dot, range->otherwise) : 0;
}

static int walk_range(struct state *s, const struct govalue *dot, const struct gonode *range)
{
	auto_govalue struct govalue value = { 0 };
	size_t mark = s->nr_vars;
	int ret = eval_pipe(s, dot, range->pipe, &value);

	if (ret == 0)
		ret = walk_over(s, dot, range, &value);
	pop_to(s, mark);
	return ret;
}

static int walk_action(struct state *s, const struct govalue *dot, const struct gonode *node)
{
	auto_govalue struct govalue value = { 0 };
	size_t len = s->out->len;

	if (eval_pipe(s, dot, node->pipe, &value) < 0)
		return -1;
	if (!node->pipe->decl)
		goprint_value(s->out, &value);
	return charge(s, s->out->len - len);
}

static int walk(struct state *s, const struct govalue *dot, const struct gonode *node)
{
	s->at = node;
	switch (node->kind) {
	case GONODE_TEXT:
		buf_append(s->out, node->text, node->len);
		return charge(s, node->len);
	case GONODE_ACTION:
		return walk_action(s, dot, node);
	case GONODE_IF:
	case GONODE_WITH:
		return walk_if_or_with(s, dot, node);
	case GONODE_RANGE:
		return walk_range(s, dot, node);
	case GONODE_BREAK:
	case GONODE_CONTINUE:
		s->jump = node->kind == GONODE_BREAK ? JUMP_BREAK : JUMP_CONTINUE;
		return 0;
	default:
		return walk_list(s, dot, node);
	}
}

int gotmpl_run(const struct gotmpl *tmpl, json_t *data, const struct gotmpl_type *type,
	       unsigned flags, struct buf *ret, struct error *err)
{
	struct govalue dot = govalue_new(json_incref(data), type);
	struct state s = {
		.tmpl = tmpl,
		.at = tmpl->root,
		.flags = flags,
		.out = ret,
		.max_len = ret->len + GOTMPL_MAX_OUTPUT,
		.err = err,
	};
	int result;

	push(&s, "$", govalue_copy(&dot));
	result = walk(&s, &dot, tmpl->root);
	pop_to(&s, 0);
	free(s.vars);
	govalue_done(&dot);
	return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotmpl_tree.h"

static void print_names(struct buf *out, const struct gonode *node, const char *before)
{
	for (size_t i = 0; i < node->names.nr; i++) {
		buf_puts(out, i == 0 ? before : ".");
		buf_puts(out, node->names.items[i]);
	}
}

static void print_operand(struct buf *out, const struct gonode *node)
{
	if (node->kind == GONODE_PIPE)
		buf_putc(out, '(');
	gonode_print(out, node);
	if (node->kind == GONODE_PIPE)
		buf_putc(out, ')');
}

static void print_pipe(struct buf *out, const struct gonode *pipe)
{
	for (const struct gonode *decl = pipe->decl; decl; decl = decl->next) {
		gonode_print(out, decl);
		buf_puts(out, decl->next ? ", " : pipe->is_assign ? " = " : " := ");
	}
	for (const struct gonode *command = pipe->kids; command; command = command->next) {
		gonode_print(out, command);
		if (command->next)
			buf_puts(out, " | ");
	}
}

void gonode_print(struct buf *out, const struct gonode *node)
{
	switch (node->kind) {
	case GONODE_PIPE:
		print_pipe(out, node);
		break;
	case GONODE_COMMAND:
		for (const struct gonode *arg = node->kids; arg; arg = arg->next) {
			print_operand(out, arg);
			if (arg->next)
				buf_putc(out, ' ');
		}
		break;
	case GONODE_FIELD:
		print_names(out, node, ".");
		break;
	case GONODE_VARIABLE:
		print_names(out, node, "");
		break;
	case GONODE_CHAIN:
		print_operand(out, node->kids);
		print_names(out, node, ".");
		break;
	case GONODE_ACTION:
		buf_puts(out, "{{");
		gonode_print(out, node->pipe);
		buf_puts(out, "}}");
		break;
	default:
		buf_append(out, node->text, node->len);
	}
}

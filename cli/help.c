/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void help_usage_line(const struct command *command, bool by_top, struct buf *ret)
{
	auto_free char *path = command_path(command, by_top);

	buf_puts(ret, path);
	if (*command->synopsis)
		buf_printf(ret, " %s", command->synopsis);
}

void help_hint(const char *usage_line, const char *path, struct buf *ret)
{
	if (usage_line)
		buf_printf(ret, "\n\nUsage:  %s", usage_line);
	buf_printf(ret, "\n\nRun '%s --help' for more information\n", path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct opt *const *)a)->name, (*(const struct opt *const *)b)->name);
}

/* The visible rows, sorted. Returns new, NULL terminated. */
static const struct opt **sorted(const struct opt *opts)
{
	const struct opt **ret;
	size_t nr = 0;

	for (const struct opt *opt = opts; opt && opt->name; opt++)
		nr++;
	ret = xcalloc(nr + 1, sizeof(*ret));
	nr = 0;
	for (const struct opt *opt = opts; opt && opt->name; opt++)
		if (!opt->hidden)
			ret[nr++] = opt;
	qsort(ret, nr, sizeof(*ret), by_name);
	return ret;
}

/* "  -f, --filter filter" */
static char *left_side(const struct opt *opt)
{
	auto_buf struct buf ret = { 0 };

	if (opt->letter)
		buf_printf(&ret, "  -%c, ", opt->letter);
	else
		buf_puts(&ret, "      ");
	buf_printf(&ret, "--%s", opt->name);
	if (opt->placeholder)
		buf_printf(&ret, " %s", opt->placeholder);
	return buf_take(&ret);
}

static void right_side(const struct opt *opt, int column, struct buf *ret)
{
	for (const char *c = opt->help; *c; c++) {
		buf_putc(ret, *c);
		if (*c == '\n')
			buf_printf(ret, "%*s", column, "");
	}
	if (opt->preset) {
		const char *quote = opt->kind == OPT_STRING || opt->kind == OPT_PATH ? "\"" : "";

		buf_printf(ret, " (default %s%s%s)", quote, opt->preset, quote);
	}
}

void help_options(const struct opt *opts, struct buf *ret)
{
	auto_free const struct opt **rows = sorted(opts);
	size_t column = 0;

	for (size_t i = 0; rows[i]; i++) {
		auto_free char *left = left_side(rows[i]);

		if (strlen(left) > column)
			column = strlen(left);
	}
	column += 3;
	for (size_t i = 0; rows[i]; i++) {
		auto_free char *left = left_side(rows[i]);

		buf_printf(ret, "%-*s", (int)column, left);
		right_side(rows[i], (int)column, ret);
		buf_putc(ret, '\n');
	}
}

void help_aliases(const struct command *command, struct buf *ret)
{
	if (!command->top && !command->aliases)
		return;
	auto_free char *path = command_path(command, false);

	buf_puts(ret, path);
	for (const char *at = command->aliases; at && *at;) {
		size_t len = strcspn(at, " ");

		buf_puts(ret, ", " PROGRAM " ");
		if (command->group)
			buf_printf(ret, "%s ", command->group);
		buf_append(ret, at, len);
		at += len + (at[len] == ' ');
	}
	if (command->top)
		buf_printf(ret, ", " PROGRAM " %s", command->top);
}

void help_command(const struct command *command, bool by_top, struct buf *ret)
{
	auto_buf struct buf aliases = { 0 };
	auto_buf struct buf options = { 0 };

	buf_puts(ret, "Usage:  ");
	help_usage_line(command, by_top, ret);
	buf_printf(ret, "\n\n%s\n", command->summary);
	if (command->details)
		buf_printf(ret, "\n%s\n", command->details);
	help_aliases(command, &aliases);
	if (aliases.len)
		buf_printf(ret, "\nAliases:\n  %s\n", aliases.data);
	help_options(command->options, &options);
	if (options.len)
		buf_printf(ret, "\nOptions:\n%s", options.data);
}

#define NAME_WIDTH 12 /* of the command lists; a longer name moves its own line only */

static void list_line(const char *name, const char *summary, struct buf *ret)
{
	buf_printf(ret, "  %-*s %s\n", NAME_WIDTH, name, summary);
}

static void add_line(const char *name, const char *summary, struct strlist *ret)
{
	auto_buf struct buf line = { 0 };

	list_line(name, summary, &line);
	strlist_take(ret, buf_take(&line));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_sorted(struct strlist *lines, struct buf *ret)
{
	if (lines->nr)
		qsort(lines->items, lines->nr, sizeof(*lines->items), by_text);
	for (size_t i = 0; i < lines->nr; i++)
		buf_puts(ret, lines->items[i]);
}

static bool in_group(const struct command *command, const struct command_group *group)
{
	return !command->hidden && command->group && strcmp(command->group, group->name) == 0;
}

void help_group(const struct command_group *group, struct buf *ret)
{
	auto_strlist struct strlist lines = { 0 };

	buf_printf(ret, "Usage:  " PROGRAM " %s COMMAND\n\n%s\n\nCommands:\n", group->name,
		   group->summary);
	for (const struct command *const *at = command_table; *at; at++)
		if (in_group(*at, group))
			add_line((*at)->name, (*at)->summary, &lines);
	put_sorted(&lines, ret);
	buf_printf(ret,
		   "\nRun '" PROGRAM " %s COMMAND --help' for more information on a command.\n",
		   group->name);
}

/* The name at top level, or NULL for what is found in a group only. */
static const char *top_name(const struct command *command)
{
	if (command->hidden)
		return NULL;
	return command->group ? command->top : command->name;
}

static void top_commands(bool common, struct buf *ret)
{
	auto_strlist struct strlist lines = { 0 };

	for (const struct command *const *at = command_table; *at; at++)
		if (top_name(*at) && (*at)->common == common)
			add_line(top_name(*at), (*at)->summary, &lines);
	put_sorted(&lines, ret);
}

void help_top(struct buf *ret)
{
	buf_puts(ret, "Usage:  " PROGRAM " [OPTIONS] COMMAND\n\n"
		      "Container images as block devices, without a daemon\n\n"
		      "Common Commands:\n");
	top_commands(true, ret);
	buf_puts(ret, "\nManagement Commands:\n");
	for (const struct command_group *group = command_groups; group->name; group++)
		list_line(group->name, group->summary, ret);
	buf_puts(ret, "\nCommands:\n");
	top_commands(false, ret);
	buf_puts(ret, "\nGlobal Options:\n");
	help_options(global_options, ret);
	buf_puts(ret, "\nRun '" PROGRAM " COMMAND --help' for more information on a command.\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "man.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "help.h"

/* Text as roff reads it back: backslashes, hyphens of options, dots that start a line. */
static void roff(const char *text, struct buf *ret)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			buf_puts(ret, "\\&");
		if (*text == '\\')
			buf_puts(ret, "\\e");
		else if (*text == '-')
			buf_puts(ret, "\\-");
		else
			buf_putc(ret, *text);
		line_start = *text == '\n';
	}
}

/* Text of several lines, kept as such. */
static void lines(const char *text, struct buf *ret)
{
	for (;;) {
		size_t len = strcspn(text, "\n");
		auto_free char *line = xasprintf("%.*s", (int)len, text);

		roff(line, ret);
		if (!text[len])
			return;
		buf_puts(ret, "\n.br\n");
		text += len + 1;
	}
}

static void heading(const char *page, const char *summary, struct buf *ret)
{
	buf_puts(ret, ".TH \"");
	for (const char *c = page; *c; c++)
		buf_putc(ret, (char)toupper((unsigned char)*c));
	buf_puts(ret, "\" 1 \"\" \"" PROGRAM "\" \"" PROGRAM " commands\"\n.SH NAME\n");
	roff(page, ret);
	buf_puts(ret, " \\- ");
	roff(summary, ret);
	buf_putc(ret, '\n');
}

static void option_list(const struct opt *opts, struct buf *ret)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++) {
		if (opt->hidden)
			continue;
		buf_puts(ret, ".TP\n\\fB");
		if (opt->letter)
			buf_printf(ret, "\\-%c\\fR, \\fB", opt->letter);
		buf_puts(ret, "\\-\\-");
		roff(opt->name, ret);
		buf_puts(ret, "\\fR");
		if (opt->placeholder) {
			buf_puts(ret, " \\fI");
			roff(opt->placeholder, ret);
			buf_puts(ret, "\\fR");
		}
		buf_putc(ret, '\n');
		lines(opt->help, ret);
		if (opt->preset) {
			buf_puts(ret, " (default ");
			roff(opt->preset, ret);
			buf_putc(ret, ')');
		}
		buf_putc(ret, '\n');
	}
}

char *man_page_name(const struct command *command)
{
	char *ret = command_path(command, false);

	for (char *c = ret; *c; c++)
		if (*c == ' ')
			*c = '-';
	return ret;
}

void man_command(const struct command *command, struct buf *ret)
{
	auto_free char *page = man_page_name(command);
	auto_buf struct buf usage = { 0 };
	auto_buf struct buf aliases = { 0 };

	heading(page, command->summary, ret);
	help_usage_line(command, false, &usage);
	buf_puts(ret, ".SH SYNOPSIS\n");
	roff(usage.data, ret);
	buf_puts(ret, "\n.SH DESCRIPTION\n");
	roff(command->summary, ret);
	buf_puts(ret, ".\n");
	if (command->details) {
		buf_puts(ret, ".PP\n");
		roff(command->details, ret);
		buf_putc(ret, '\n');
	}
	help_aliases(command, &aliases);
	if (aliases.len) {
		buf_puts(ret, ".SH ALIASES\n");
		roff(aliases.data, ret);
		buf_putc(ret, '\n');
	}
	if (command->options) {
		buf_puts(ret, ".SH OPTIONS\n");
		option_list(command->options, ret);
	}
	buf_puts(ret, ".SH SEE ALSO\n.BR " PROGRAM " (1)\n");
}

void man_program(struct buf *ret)
{
	heading(PROGRAM, "container images as block devices, without a daemon", ret);
	buf_puts(ret, ".SH SYNOPSIS\n" PROGRAM " [OPTIONS] COMMAND\n.SH OPTIONS\n");
	option_list(global_options, ret);
	buf_puts(ret, ".SH COMMANDS\n");
	for (const struct command *const *at = command_table; *at; at++) {
		auto_free char *page = man_page_name(*at);

		if ((*at)->hidden)
			continue;
		buf_puts(ret, ".TP\n.BR ");
		roff(page, ret);
		buf_puts(ret, " (1)\n");
		roff((*at)->summary, ret);
		buf_putc(ret, '\n');
	}
	buf_puts(ret, ".SH FILES\n.TP\n/etc/veneer/veneer.json\nThe configuration.\n"
		      ".TP\n/var/lib/veneer\nThe store, unless \\-\\-root or the "
		      "configuration says otherwise.\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absent.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli.h"
#include "cmd.h"
#include "help.h"
#include "man.h"

struct help_opts {
	const char *man_dir;
};

static int write_page(int dir_fd, const char *page, const struct buf *text, struct error *err)
{
	auto_free char *name = xasprintf("%s.1", page);

	return io_replace_file(dir_fd, name, text->data, text->len, 0644, err);
}

/* All man pages into a folder: what the build installs. */
static int write_man(const char *dir, struct error *err)
{
	auto_buf struct buf text = { 0 };
	auto_fd int dir_fd = -1;

	if (io_make_dirs(dir, 0755, err) < 0)
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, errno, "open '%s'", dir);
	man_program(&text);
	if (write_page(dir_fd, PROGRAM, &text, err) < 0)
		return -1;
	for (const struct command *const *at = command_table; *at; at++) {
		auto_free char *page = man_page_name(*at);

		if ((*at)->hidden)
			continue;
		buf_reset(&text);
		man_command(*at, &text);
		if (write_page(dir_fd, page, &text, err) < 0)
			return -1;
	}
	return 0;
}

static int run_help(struct cli *cli, const void *values, struct error *err)
{
	const struct help_opts *opts = values;
	auto_buf struct buf text = { 0 };
	auto_free char *refusal = NULL;
	struct command_match match;

	if (opts->man_dir)
		return write_man(opts->man_dir, err);
	command_find(cli->words, &match);
	if (match.unknown && (refusal = absent_refusal(cli->words)) != NULL)
		return err_set(err, ERR_UNSUPPORTED, "%s", refusal);
	if (match.unknown || (match.nr_words && cli->words[match.nr_words])) {
		auto_buf struct buf topic = { 0 };

		for (size_t i = 0; i < cli->nr_words; i++)
			buf_printf(&topic, "%s%s", i ? " " : "", cli->words[i]);
		return err_set(err, ERR_USAGE, "unknown help topic: %s", topic.data);
	}
	if (match.command)
		help_command(match.command, match.by_top, &text);
	else if (match.group)
		help_group(match.group, &text);
	else
		help_top(&text);
	fputs(text.data, stdout);
	return 0;
}

static const struct opt help_options_[] = {
	{
		.name = "man",
		.kind = OPT_PATH,
		.placeholder = "dir",
		.help = "Write the manual pages into a folder instead",
		.offset = offsetof(struct help_opts, man_dir),
		.hidden = true,
	},
	{ 0 },
};

const struct command cmd_help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "Help about a command",
	.max_words = -1,
	.options = help_options_,
	.options_size = sizeof(struct help_opts),
	.run = run_help,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"
#include "cmd.h"
#include "run/commit.h"
#include "store.h"

struct commit_opts {
	struct strlist changes;
	const char *author;
	const char *message;
	bool pause;
	bool no_pause;
};

static int run_commit(struct cli *cli, const void *values, struct error *err)
{
	const struct commit_opts *opts = values;
	auto_store struct store *store = NULL;
	const struct commit_args args = {
		.operand = cli->words[0],
		.reference = cli->nr_words > 1 ? cli->words[1] : NULL,
		.author = opts->author,
		.message = opts->message,
		.changes = (const char *const *)opts->changes.items,
		.pause = opts->pause && !opts->no_pause,
	};
	struct digest id;

	if (cli_open_store(cli, &store, err) < 0 || commit_container(store, &args, &id, err) < 0)
		return -1;
	printf("%s\n", id.text);
	return 0;
}

static const struct opt commit_options[] = {
	OPT_VALUE(OPT_STRING, "author", 'a', commit_opts, author, "string",
		  "Author (e.g., \"John Hannibal Smith\n<hannibal@a-team.com>\")"),
	OPT_VALUE(OPT_LIST, "change", 'c', commit_opts, changes, "list",
		  "Apply Dockerfile instruction to the created image"),
	OPT_VALUE(OPT_STRING, "message", 'm', commit_opts, message, "string", "Commit message"),
	OPT_FLAG("no-pause", 0, commit_opts, no_pause, "Disable pausing container during commit"),
	{
		.name = "pause",
		.letter = 'p',
		.kind = OPT_BOOL,
		.help = "Pause container during commit",
		.offset = offsetof(struct commit_opts, pause),
		.preset = "true",
		.hidden = true,
		.deprecated = "and enabled by default. Use --no-pause to disable pausing during "
			      "commit.",
	},
	{ 0 },
};

const struct command cmd_commit = {
	.group = "container",
	.name = "commit",
	.top = "commit",
	.synopsis = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Create a new image from a container's changes",
	.min_words = 1,
	.max_words = 2,
	.stop_at_word = true,
	.options = commit_options,
	.options_size = sizeof(struct commit_opts),
	.needs = NEEDS_POOL,
	.run = run_commit,
};

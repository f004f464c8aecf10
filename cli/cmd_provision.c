/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "cli.h"
#include "cmd.h"
#include "fetch.h"
#include "provision/provision.h"
#include "store.h"

struct provision_opts {
	bool dry_run, update, rollback, release, no_mount;
};

/* One run: what says something needs the file that it is about. */
struct run {
	struct cli *cli;
	struct store *store;
	const char *file;
};

static int fetch(void *ctx, const char *name, struct error *err)
{
	struct run *run = ctx;

	return fetch_image(run->cli, run->store, name, NULL, true, err);
}

static void say(void *ctx, const char *text)
{
	const struct run *run = ctx;

	printf("%s: %s\n", path_base(run->file), text);
	cli_flush();
}

static int apply(struct run *run, const struct provision_opts *opts, struct error *err)
{
	const struct provision_args args = {
		.dry_run = opts->dry_run,
		.update = opts->update,
		.rollback = opts->rollback,
		.release = opts->release,
		.no_mount = opts->no_mount,
		.fetch = fetch,
		.say = say,
		.ctx = run,
	};
	auto_plan struct plan plan = { 0 };
	int changed;

	if (plan_read(run->file, &plan, err) < 0)
		return err_add(err, "provision '%s'", run->file);
	changed = provision_apply(run->store, &plan, &args, err);
	if (changed < 0)
		return err_add(err, "provision '%s'", run->file);
	if (!changed)
		say(run, "nothing to do");
	return 0;
}

static int is_plan(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), end = strlen(PLAN_SUFFIX);

	return *entry->d_name != '.' && len > end &&
	       strcmp(entry->d_name + len - end, PLAN_SUFFIX) == 0;
}

/* By name; a folder that is not there has none. */
static int list_plans(struct strlist *ret, struct error *err)
{
	struct dirent **names = NULL;
	int nr = scandir(PLAN_FOLDER, &names, is_plan, alphasort);

	if (nr < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "folder '" PLAN_FOLDER "'");
	for (int i = 0; i < nr; i++) {
		strlist_take(ret, xasprintf(PLAN_FOLDER "/%s", names[i]->d_name));
		free(names[i]);
	}
	free(names);
	return 0;
}

/* A broken file stops only itself. */
static int run_provision(struct cli *cli, const void *values, struct error *err)
{
	auto_strlist struct strlist files = { 0 };
	auto_store struct store *store = NULL;

	if (cli->nr_words == 0 && list_plans(&files, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		strlist_add(&files, cli->words[i]);
	if (files.nr && cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < files.nr; i++) {
		struct run run = { cli, store, files.items[i] };

		if (apply(&run, values, err) < 0 && cli_fail(cli, err) < 0)
			return -1;
	}
	return 0;
}

static int check_provision(const struct cli *cli, const void *values, struct error *err)
{
	const struct provision_opts *opts = values;

	(void)cli;
	if (opts->update + opts->rollback + opts->release > 1)
		return err_set(
			err, ERR_USAGE,
			"conflicting options: only one of --update, --rollback and --release "
			"is possible");
	return 0;
}

static const struct opt provision_options[] = {
	OPT_FLAG("dry-run", 0, provision_opts, dry_run, "Only say what would be done"),
	OPT_FLAG("no-mount", 0, provision_opts, no_mount,
		 "Attach what is to be mounted, for somebody else to mount"),
	OPT_FLAG("release", 0, provision_opts, release,
		 "Unmount and detach the volumes, and nothing else"),
	OPT_FLAG("rollback", 0, provision_opts, rollback,
		 "Give the volumes back what they were before the last --update"),
	OPT_FLAG("update", 0, provision_opts, update,
		 "Make volumes anew whose image is another one, and keep the\n"
		 "old ones as NAME.previous"),
	{ 0 },
};

const struct command cmd_provision = {
	.name = "provision",
	.synopsis = "[OPTIONS] [FILE...]",
	.summary = "Bring images and volumes to what files want, and say what was changed",
	.details =
		"Without a file those in " PLAN_FOLDER " count, by name. What is there already is\n"
		"left; a volume is only ever made anew with --update.",
	.max_words = -1,
	.options = provision_options,
	.options_size = sizeof(struct provision_opts),
	.needs = NEEDS_POOL,
	.fetches = true,
	.check = check_provision,
	.run = run_provision,
};

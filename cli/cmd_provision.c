/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cmd.h"
#include "fetch.h"
#include "provision/plans.h"
#include "provision/provision.h"
#include "store.h"

struct provision_opts {
	bool dry_run, update, rollback, release, no_mount;
};

/* One run: what says something needs the plan that it is about. */
struct run {
	struct cli *cli;
	struct store *store;
	const struct named_plan *plan;
};

static int fetch(void *ctx, const char *name, struct error *err)
{
	struct run *run = ctx;

	return fetch_image(run->cli, run->store, name, NULL, true, err);
}

static void say(void *ctx, const char *text)
{
	const struct run *run = ctx;

	printf("%s%s: %s\n", run->plan->name, run->plan->of_file ? PLANS_SUFFIX : "", text);
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
	int changed;

	if (run->plan->broken) {
		*err = run->plan->err;
		return -1;
	}
	changed = provision_apply(run->store, &run->plan->plan, &args, err);
	if (changed < 0)
		return err_add(err, "provision '%s'", run->plan->source);
	if (!changed)
		say(run, "nothing to do");
	return 0;
}

/* A path, or the name of a plan of this server. */
static int add_word(struct plans *plans, struct plans *all, const char *word, struct error *err)
{
	struct named_plan *found;

	if (strchr(word, '/') || access(word, F_OK) == 0) {
		plans_add_file(plans, word);
		return 0;
	}
	if (!all->nr && plans_add_all(all, err) < 0)
		return -1;
	found = plans_find(all, word);
	if (!found)
		return err_set(err, ERR_NOT_FOUND,
			       "no such plan: %s: there is no file '" PLANS_FOLDER
			       "/%s" PLANS_SUFFIX "', and the kernel's command line has none",
			       word, word);
	plans_move(plans, found);
	return 0;
}

static int list_plans(struct cli *cli, struct plans *plans, struct error *err)
{
	auto_plans struct plans all = { 0 };

	if (cli->nr_words == 0)
		return plans_add_all(plans, err);
	for (size_t i = 0; i < cli->nr_words; i++)
		if (add_word(plans, &all, cli->words[i], err) < 0)
			return -1;
	return 0;
}

/* A broken plan stops only itself. */
static int run_provision(struct cli *cli, const void *values, struct error *err)
{
	auto_plans struct plans plans = { 0 };
	auto_store struct store *store = NULL;

	if (list_plans(cli, &plans, err) < 0 || (plans.nr && cli_open_store(cli, &store, err) < 0))
		return -1;
	for (size_t i = 0; i < plans.nr; i++) {
		struct run run = { cli, store, &plans.items[i] };

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
	.synopsis = "[OPTIONS] [FILE|NAME...]",
	.summary = "Bring images and volumes to what plans want, and say what was changed",
	.details =
		"A plan is a file, or has a name: NAME" PLANS_SUFFIX " in " PLANS_FOLDER ",\n"
		"or kernel:1 for the first word veneer.pull=IMAGE or veneer.volume=NAME,... on the\n"
		"kernel's command line. Without one all of these count. What is there already is\n"
		"left; a volume is only ever made anew with --update.",
	.max_words = -1,
	.options = provision_options,
	.options_size = sizeof(struct provision_opts),
	.needs = NEEDS_POOL,
	.fetches = true,
	.check = check_provision,
	.run = run_provision,
};

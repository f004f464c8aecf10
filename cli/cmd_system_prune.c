/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cmd.h"
#include "containerfilter.h"
#include "filters.h"
#include "prompt.h"
#include "prune.h"
#include "store.h"

struct prune_opts {
	bool all;
	bool force;
	bool volumes;
	struct strlist filters;
};

/* The filters as each part understands them. */
struct wishes {
	struct strlist filters;
	struct image_filter images;
	bool cache; /* not when a label is asked for: steps have none */
};

static void wishes_done(struct wishes *wishes)
{
	strlist_done(&wishes->filters);
	image_filter_done(&wishes->images);
}
#define auto_wishes __attribute__((cleanup(wishes_done)))

/* What containers do not understand is refused before anything goes. */
static int read_wishes(const struct cli *cli, const struct prune_opts *opts, struct wishes *ret,
		       struct error *err)
{
	auto_container_filter struct container_filter containers = { 0 };

	prune_filters(cli, &opts->filters, &ret->filters);
	if (container_filter_parse(NULL, &ret->filters, NULL, true, &containers, err) < 0 ||
	    filters_for_prune(&ret->filters, &ret->images, err) < 0)
		return -1;
	ret->cache = !ret->images.labels.nr && !ret->images.not_labels.nr;
	return 0;
}

static void put_warning(const struct prune_opts *opts, const struct wishes *wishes, struct buf *ret)
{
	buf_printf(ret, "WARNING! This will remove:\n  - all stopped containers\n  - %s\n",
		   opts->all ? PRUNE_ALL_IMAGES : "all dangling images");
	if (opts->volumes)
		buf_printf(ret, "  - %s\n", prune_which_volumes(false));
	if (wishes->cache)
		buf_printf(ret, "  - %s build cache\n", opts->all ? "all" : "unused");
	if (wishes->filters.nr)
		buf_puts(ret, "\n  Items to be pruned will be filtered with:\n");
	for (size_t i = 0; i < wishes->filters.nr; i++)
		buf_printf(ret, "  - %s\n", wishes->filters.items[i]);
	buf_putc(ret, '\n');
}

static int prune(struct cli *cli, const struct prune_opts *opts, const struct wishes *wishes,
		 struct error *err)
{
	int64_t until_ns = wishes->images.has_until ? wishes->images.until_ns : INT64_MAX;
	auto_store struct store *store = NULL;
	int64_t freed_bytes = 0;

	/* In this order: a container that is gone needs its image no more. */
	if (cli_open_store(cli, &store, err) < 0 ||
	    prune_containers(store, &wishes->filters, &freed_bytes, err) < 0 ||
	    (opts->volumes && prune_volumes(store, false, &freed_bytes, err) < 0) ||
	    prune_images(store, opts->all, &wishes->images, &freed_bytes, err) < 0)
		return -1;
	if (wishes->cache && prune_cache(store, opts->all, until_ns, &freed_bytes, err) < 0)
		return -1;
	prune_print_total(freed_bytes);
	return 0;
}

static int run_prune(struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;
	auto_wishes struct wishes wishes = { .images = IMAGE_FILTER_NONE };
	auto_buf struct buf warning = { 0 };
	bool yes = opts->force;

	if (read_wishes(cli, opts, &wishes, err) < 0)
		return -1;
	put_warning(opts, &wishes, &warning);
	if (!yes && prompt_confirm(stdout, STDIN_FILENO, warning.data, &yes, err) < 0)
		return -1;
	return yes ? prune(cli, opts, &wishes, err) : 0;
}

/* They have neither labels nor a time that Docker would compare. */
static int check_prune(const struct cli *cli, const void *values, struct error *err)
{
	const struct prune_opts *opts = values;

	(void)cli;
	if (opts->volumes && opts->filters.nr)
		return err_set(err, ERR_UNSUPPORTED,
			       "--volumes with --filter is not supported: '" PROGRAM
			       " volume prune' removes volumes alone");
	return 0;
}

static bool prune_reads_stdin(const struct cli *cli, const void *values)
{
	const struct prune_opts *opts = values;

	(void)cli;
	return !opts->force;
}

static const struct opt prune_options[] = {
	OPT_FLAG("all", 'a', prune_opts, all, "Remove all unused images not just dangling ones"),
	OPT_VALUE(OPT_FILTER, "filter", 0, prune_opts, filters, "filter",
		  "Provide filter values (e.g. \"label=<key>=<value>\")"),
	OPT_FLAG("force", 'f', prune_opts, force, "Do not prompt for confirmation"),
	OPT_FLAG("volumes", 0, prune_opts, volumes, "Prune anonymous volumes"),
	{ 0 },
};

const struct command cmd_system_prune = {
	.group = "system",
	.name = "prune",
	.synopsis = "[OPTIONS]",
	.summary = "Remove unused data",
	.details = "Stopped containers, then dangling images, then the build cache that no image\n"
		   "has; with -a all images without a container, and all of the build cache.",
	.options = prune_options,
	.options_size = sizeof(struct prune_opts),
	.needs = NEEDS_POOL,
	.check = check_prune,
	.reads_stdin = prune_reads_stdin,
	.run = run_prune,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "dockerconf.h"
#include "filters.h"
#include "format/human.h"
#include "imagerows.h"
#include "imagetree.h"
#include "listing.h"
#include "store.h"

struct images_opts {
	bool all;
	bool digests;
	bool no_trunc;
	bool quiet;
	bool tree;
	const char *format;
	struct strlist filters;
};

#define TABLE_END "{{.ID}}\t" IMAGE_ROW_CREATED "\t{{.Size}}"
#define QUIET_RAW "image_id: {{.ID}}"
#define RAW_END	  "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"

static const struct listing_kind plain_listing = {
	.type = &image_row_type,
	.headers = image_row_headers,
	.table = "{{.Repository}}\t{{.Tag}}\t" TABLE_END,
	.quiet = "{{.ID}}",
	.raw = "repository: {{.Repository}}\ntag: {{.Tag}}\n" RAW_END,
	.quiet_raw = QUIET_RAW,
};

static const struct listing_kind digest_listing = {
	.type = &image_row_type,
	.headers = image_row_headers,
	.table = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t" TABLE_END,
	.quiet = "{{.ID}}",
	.raw = "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\n" RAW_END,
	.quiet_raw = QUIET_RAW,
};

/* The images to show: filtered, and without the steps in between of a build. */
static int select_images(struct cli *cli, const struct images_opts *opts, struct store *store,
			 struct image_list *list, struct error *err)
{
	auto_image_filter struct image_filter filter = IMAGE_FILTER_NONE;
	size_t kept = 0;

	if (filters_for_list(store, &opts->filters, &filter, err) < 0)
		return -1;
	if (cli->nr_words)
		strlist_add(&filter.references, cli->words[0]);
	if (image_list(store, list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->nr; i++) {
		struct image *image = &list->items[i];
		bool between = image->nr_refs == 0 && image->has_children;
		int match = 0;

		if (opts->all || !between)
			match = image_filter_match(store, &filter, image, err);
		if (match < 0)
			return -1;
		if (match == 0) {
			image_done(image);
			continue;
		}
		if (kept < i) {
			list->items[kept] = *image;
			*image = (struct image){ 0 };
		}
		kept++;
	}
	list->nr = kept;
	return 0;
}

static int print_rows(const struct images_opts *opts, struct listing *output,
		      const struct image_list *list, struct error *err)
{
	auto_image_rows struct image_rows rows = { 0 };
	struct timespec now = human_now();
	bool digests = opts->digests || listing_wants(output, ".Digest");

	for (size_t i = 0; i < list->nr; i++)
		image_rows_add(&rows, &list->items[i], digests);
	for (size_t i = 0; i < rows.nr; i++)
		if (listing_row(output, image_row_json(&rows.items[i], &now, opts->no_trunc), err) <
		    0)
			return -1;
	listing_print(output);
	return 0;
}

static int print_tree(struct store *store, const struct image_list *list, struct error *err)
{
	auto_free struct image_usage *usage = xcalloc(list->nr, sizeof(*usage));
	auto_buf struct buf text = { 0 };
	struct winsize size = { .ws_col = 80 };

	if (usage_images(store, list, usage, err) < 0)
		return -1;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	image_tree_text(list, usage, isatty(STDOUT_FILENO), size.ws_col, &text);
	fputs(text.data, stdout);
	return 0;
}

/* `images ls` is a slip of the hand: the words stand in for `image ls`. */
static void suggest_command(struct cli *cli)
{
	const char *word = cli->words[0];
	const char *const path[] = { "image", word, NULL };
	struct command_match match;

	command_find(path, &match);
	if (!match.command)
		return;
	auto_free char *text = xasprintf(
		"\nNo images found matching \"%s\": did you mean \"" PROGRAM " image %s\"?", word,
		word);

	cli_say(text);
}

static int check_images(const struct cli *cli, const void *values, struct error *err)
{
	const struct images_opts *opts = values;
	const char *wrong = NULL;

	(void)cli;
	if (!opts->tree)
		return 0;
	if (opts->quiet)
		wrong = "quiet";
	else if (opts->no_trunc)
		wrong = "no-trunc";
	else if (opts->digests)
		wrong = "show-digest";
	else if (opts->format)
		wrong = "format";
	if (wrong)
		return err_set(err, ERR_USAGE, "--%s is not yet supported with --tree", wrong);
	return 0;
}

/* The format of the options, or of Docker's configuration; with a digest column if asked. */
static char *choose_format(struct cli *cli, const struct images_opts *opts)
{
	auto_dockerconf struct dockerconf conf = { 0 };
	const char *format = opts->format;

	if (!format || !*format)
		cli_read_dockerconf(cli, &conf);
	if (conf.images_format && !opts->quiet)
		format = conf.images_format;
	if (!format)
		return xstrdup("table");
	if (opts->digests && strncmp(format, "table ", 6) == 0 && !strstr(format, "{{.Digest}}"))
		return xasprintf("%s\t{{.Digest}}", format);
	return xstrdup(format);
}

static int run_images(struct cli *cli, const void *values, struct error *err)
{
	const struct images_opts *opts = values;
	auto_free char *format = choose_format(cli, opts);
	auto_image_list struct image_list list = { 0 };
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;

	if (listing_open(opts->digests ? &digest_listing : &plain_listing, format, opts->quiet,
			 &output, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 || select_images(cli, opts, store, &list, err) < 0)
		return -1;
	if (opts->tree)
		return print_tree(store, &list, err);
	if (print_rows(opts, output, &list, err) < 0)
		return -1;
	if (list.nr == 0 && cli->nr_words)
		suggest_command(cli);
	return 0;
}

static const struct opt images_options[] = {
	OPT_FLAG("all", 'a', images_opts, all,
		 "Show all images (default hides intermediate images)"),
	OPT_FLAG("digests", 0, images_opts, digests, "Show digests"),
	OPT_VALUE(OPT_FILTER, "filter", 'f', images_opts, filters, "filter",
		  "Filter output based on conditions provided"),
	OPT_VALUE(OPT_STRING, "format", 0, images_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_FLAG("no-trunc", 0, images_opts, no_trunc, "Don't truncate output"),
	OPT_FLAG("quiet", 'q', images_opts, quiet, "Only show image IDs"),
	OPT_FLAG("tree", 0, images_opts, tree, "List images with disk usage, as a tree"),
	{ 0 },
};

const struct command cmd_images = {
	.group = "image",
	.name = "ls",
	.aliases = "list",
	.top = "images",
	.synopsis = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.max_words = 1,
	.common = true,
	.options = images_options,
	.options_size = sizeof(struct images_opts),
	.needs = NEEDS_STORE,
	.check = check_images,
	.run = run_images,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "containerfilter.h"
#include "containertext.h"
#include "dockerconf.h"
#include "format/human.h"
#include "listing.h"
#include "run/changes.h"
#include "run/container.h"
#include "store.h"

struct ps_opts {
	bool all, latest, no_trunc, quiet, size;
	int64_t last;
	const char *format;
	struct strlist filters;
};

#define TABLE \
	"{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
#define RAW                                                                    \
	"container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\n"    \
	"created_at: {{.CreatedAt}}\nstate: {{.State}}\nstatus: {{.Status}}\n" \
	"names: {{.Names}}\nlabels: {{.Labels}}\nports: {{.Ports}}\n"

static const struct listing_kind plain_listing = {
	.type = &container_type,
	.headers = container_headers,
	.table = TABLE,
	.quiet = "{{.ID}}",
	.raw = RAW,
};

static const struct listing_kind size_listing = {
	.type = &container_type,
	.headers = container_headers,
	.table = TABLE "\t{{.Size}}",
	.quiet = "{{.ID}}",
	.raw = RAW "size: {{.Size}}\n",
};

static int print_one(struct store *store, const struct ps_opts *opts,
		     const struct container_row *row, const json_t *document,
		     struct listing *output, struct error *err)
{
	struct timespec now = human_now();
	auto_free char *image = NULL, *platform = NULL;
	struct container_view view = {
		.row = row,
		.document = document,
		.file_bytes = -1,
		.no_trunc = opts->no_trunc,
	};

	if (container_image_text(store, row, opts->no_trunc, &image, &view.image_bytes, &platform,
				 err) < 0)
		return -1;
	view.image = image;
	view.platform = platform;
	if ((opts->size || listing_wants(output, ".Size")) &&
	    container_file_bytes(store, row, &view.file_bytes, err) < 0)
		return -1;
	return listing_row(output, container_row_json(&view, &now), err);
}

static int print_rows(struct store *store, const struct ps_opts *opts,
		      const struct container_rows *rows, const struct container_filter *filter,
		      struct listing *output, struct error *err)
{
	int64_t left = opts->latest ? 1 : opts->last > 0 ? opts->last : INT64_MAX;
	bool all = opts->all || left != INT64_MAX || container_filter_wants_stopped(filter);

	for (size_t i = 0; i < rows->nr && left > 0; i++) {
		const struct container_row *row = &rows->items[i];
		json_auto_t *document = NULL;
		int match;

		if (!all && row->state != CONTAINER_RUNNING)
			continue;
		if (container_document(row, &document, err) < 0)
			return -1;
		match = container_filter_match(filter, row, document, err);
		if (match < 0 || (match && print_one(store, opts, row, document, output, err) < 0))
			return -1;
		left -= match;
	}
	listing_print(output);
	return 0;
}

static char *choose_format(struct cli *cli, const struct ps_opts *opts)
{
	auto_dockerconf struct dockerconf conf = { 0 };

	if (opts->format && *opts->format)
		return xstrdup(opts->format);
	cli_read_dockerconf(cli, &conf);
	return xstrdup(conf.ps_format && !opts->quiet ? conf.ps_format : "table");
}

static int run_ps(struct cli *cli, const void *values, struct error *err)
{
	const struct ps_opts *opts = values;
	auto_free char *format = choose_format(cli, opts);
	auto_container_filter struct container_filter filter = { 0 };
	auto_container_rows struct container_rows rows = { 0 };
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;

	if (listing_open(opts->size ? &size_listing : &plain_listing, format, opts->quiet, &output,
			 err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 || container_list(store, &rows, err) < 0 ||
	    container_filter_parse(store, &opts->filters, &rows, false, &filter, err) < 0)
		return -1;
	return print_rows(store, opts, &rows, &filter, output, err);
}

static const struct opt ps_options[] = {
	OPT_FLAG("all", 'a', ps_opts, all, "Show all containers (default shows just running)"),
	OPT_VALUE(OPT_FILTER, "filter", 'f', ps_opts, filters, "filter",
		  "Filter output based on conditions provided"),
	OPT_VALUE(OPT_STRING, "format", 0, ps_opts, format, "string", LISTING_FORMAT_HELP),
	{
		.name = "last",
		.letter = 'n',
		.kind = OPT_INT,
		.placeholder = "int",
		.help = "Show n last created containers (includes all states)",
		.offset = offsetof(struct ps_opts, last),
		.preset = "-1",
	},
	OPT_FLAG("latest", 'l', ps_opts, latest,
		 "Show the latest created container (includes all states)"),
	OPT_FLAG("no-trunc", 0, ps_opts, no_trunc, "Don't truncate output"),
	OPT_FLAG("quiet", 'q', ps_opts, quiet, "Only display container IDs"),
	OPT_FLAG("size", 's', ps_opts, size, "Display total file sizes"),
	{ 0 },
};

const struct command cmd_ps = {
	.group = "container",
	.name = "ls",
	.aliases = "list ps",
	.top = "ps",
	.synopsis = "[OPTIONS]",
	.summary = "List containers",
	.common = true,
	.options = ps_options,
	.options_size = sizeof(struct ps_opts),
	.needs = NEEDS_STORE,
	.run = run_ps,
};

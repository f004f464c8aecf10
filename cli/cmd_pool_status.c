/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "inspection.h"
#include "inventory.h"
#include "listing.h"
#include "monitorview.h"
#include "poolview.h"
#include "store.h"

struct status_opts {
	const char *format;
};

static int run_status(struct cli *cli, const void *values, struct error *err)
{
	const struct status_opts *opts = values;
	auto_store struct store *store = NULL;
	auto_buf struct buf text = { 0 };
	struct error problem;
	json_t *view;

	if (cli_open_store(cli, &store, err) < 0 || poolview_read(store, &view, &problem, err) < 0)
		return -1;
	if (monitorview_add(store, &cli->settings->pressure, view, err) < 0) {
		json_decref(view);
		return -1;
	}
	if (opts->format && *opts->format) {
		if (inspection_one(opts->format, view, &poolview_type, err) < 0)
			return -1;
	} else {
		poolview_text(view, &text);
		monitorview_text(view, &text);
		json_decref(view);
		fputs(text.data, stdout);
	}
	if (!problem.kind)
		return 0;
	*err = problem;
	return -1;
}

static const struct opt status_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', status_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_pool_status = {
	.group = "pool",
	.name = "status",
	.synopsis = "[OPTIONS]",
	.summary = "Show space, mode and health of the pool",
	.options = status_options,
	.options_size = sizeof(struct status_opts),
	.needs = NEEDS_POOL,
	.run = run_status,
};

struct ls_opts {
	const char *format;
	bool no_trunc;
	bool quiet;
};

static const struct gotmpl_field volume_fields[] = {
	{ "ID", &gotmpl_string },   { "InPool", &gotmpl_string }, { "Kind", &gotmpl_string },
	{ "Name", &gotmpl_string }, { "State", &gotmpl_string },  { 0 },
};

static const struct gotmpl_type volume_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*pool.volumeContext",
	.fields = volume_fields,
	.is_row = true,
};

static const struct listing_kind volume_listing = {
	.type = &volume_type,
	.headers =
		(const struct listing_header[]){
			{ "ID", "THIN ID" },
			{ "InPool", "IN POOL" },
			{ "Kind", "KIND" },
			{ "Name", "NAME" },
			{ "State", "STATE" },
			{ 0 },
		},
	.table = "{{.ID}}\t{{.Kind}}\t{{.State}}\t{{.Name}}",
	.quiet = "{{.ID}}",
};

static json_t *volume_json(const struct inventory_item *item, bool no_trunc)
{
	char id[16];
	const char *name = item->name;
	struct human_text brief = human_short_id(name);

	snprintf(id, sizeof(id), "%" PRIu32, item->thin_id);
	if (!no_trunc && strncmp(name, "sha256:", 7) == 0)
		name = brief.text;
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "ID", id, "InPool",
			 item->in_pool ? "true" : "false", "Kind", item->kind, "Name", name,
			 "State", item->in_pool ? item->state : "missing");
}

static int run_ls(struct cli *cli, const void *values, struct error *err)
{
	const struct ls_opts *opts = values;
	auto_inventory struct inventory inventory = { 0 };
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;

	if (listing_open(&volume_listing, opts->format, opts->quiet, &output, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 || inventory_read(store, &inventory, err) < 0)
		return -1;
	for (size_t i = 0; i < inventory.nr; i++)
		if (listing_row(output, volume_json(&inventory.items[i], opts->no_trunc), err) < 0)
			return -1;
	listing_print(output);
	return 0;
}

static const struct opt ls_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, ls_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_FLAG("no-trunc", 0, ls_opts, no_trunc, "Don't truncate output"),
	OPT_FLAG("quiet", 'q', ls_opts, quiet, "Only show thin ids"),
	{ 0 },
};

const struct command cmd_pool_ls = {
	.group = "pool",
	.name = "ls",
	.aliases = "list",
	.synopsis = "[OPTIONS]",
	.summary = "List the thin ids of the pool and what they are",
	.options = ls_options,
	.options_size = sizeof(struct ls_opts),
	.needs = NEEDS_POOL,
	.run = run_ls,
};

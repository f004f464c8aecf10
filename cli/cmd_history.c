/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "db/rows.h"
#include "format/human.h"
#include "image/image.h"
#include "listing.h"
#include "oci/config.h"
#include "store.h"

struct history_opts {
	bool human;
	bool no_trunc;
	bool quiet;
	const char *format;
};

#define MISSING "<missing>"
/* 2000-01-01: what is not younger has no credible time. */
#define EPOCH_NS (INT64_C(946684800) * 1000000000)

static const struct gotmpl_field history_fields[] = {
	{ "Comment", &gotmpl_string },
	{ "CreatedAt", &gotmpl_string },
	{ "CreatedBy", &gotmpl_string },
	{ "CreatedSince", &gotmpl_string },
	{ "ID", &gotmpl_string },
	{ "Size", &gotmpl_string },
	{ 0 },
};

static const struct gotmpl_type history_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*image.historyContext",
	.fields = history_fields,
	.is_row = true,
};

static const struct listing_header history_headers[] = {
	{ "Comment", "COMMENT" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedBy", "CREATED BY" },
	{ "CreatedSince", "CREATED" },
	{ "ID", "IMAGE" },
	{ "Size", "SIZE" },
	{ 0 },
};

static const struct listing_kind human_listing = {
	.type = &history_type,
	.headers = history_headers,
	.table = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
	.quiet = "{{.ID}}",
};

static const struct listing_kind exact_listing = {
	.type = &history_type,
	.headers = history_headers,
	.table = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
	.quiet = "{{.ID}}",
};

static json_t *row_json(const struct image_history *entry, const char *id, int64_t size_bytes,
			const struct history_opts *opts)
{
	struct timespec created = human_time_from_ns(entry->has_created ? entry->created_ns : 0);
	struct timespec now = human_now();
	auto_free char *by =
		human_created_by(entry->created_by ? entry->created_by : "", opts->no_trunc);
	struct human_text at = human_time_rfc3339(&created);
	struct human_text since = human_since(&created, &now);
	struct human_text size = human_size(size_bytes, HUMAN_LIST);

	if (!opts->human) {
		since = at;
		snprintf(size.text, sizeof(size.text), "%jd", (intmax_t)size_bytes);
	} else if (!entry->has_created || entry->created_ns <= EPOCH_NS) {
		since = (struct human_text){ "N/A" };
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Comment",
			 entry->comment ? entry->comment : "", "CreatedAt", at.text, "CreatedBy",
			 by, "CreatedSince", since.text, "ID",
			 opts->no_trunc || strcmp(id, MISSING) == 0 ? id : human_short_id(id).text,
			 "Size", size.text);
}

/* Content bytes of each layer, base first; 0 for one that is not stored. Returns new. */
static int64_t *layer_sizes(struct store *store, const struct image_config *config,
			    struct error *err)
{
	auto_free int64_t *sizes = xcalloc(config->nr_layers, sizeof(*sizes));
	struct digest chain = { 0 };

	for (size_t i = 0; i < config->nr_layers; i++) {
		auto_layer_row struct layer_row row = { 0 };
		int found;

		chain_id_next(&chain, &config->diff_ids[i], &chain);
		found = rows_layer_get(store->db, &chain, &row, err);
		if (found < 0)
			return NULL;
		sizes[i] = found ? row.content_bytes : 0;
	}
	return take_ptr(sizes);
}

/* How many entries the history of an image has. */
static int count_entries(struct store *store, const struct image *image, size_t *ret,
			 struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	auto_buf struct buf text = { 0 };

	if (image_read_config(store, image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, &config, err) < 0)
		return -1;
	*ret = config.nr_history;
	return 0;
}

/* The ids of the image and its recorded parents, each beside its newest entry. */
static int lineage(struct store *store, const struct image *image, size_t max, struct strlist *ret,
		   struct error *err)
{
	struct digest next = image->parent;

	strlist_add(ret, image->id.text);
	while (ret->nr < max && digest_is_set(&next)) {
		auto_image struct image parent = { 0 };
		struct error ignored;
		size_t nr;

		if (image_find(store, next.text, &parent, NULL, &ignored) < 0) {
			if (ignored.kind == ERR_NOT_FOUND)
				return 0;
			*err = ignored;
			return -1;
		}
		if (count_entries(store, &parent, &nr, err) < 0)
			return -1;
		while (ret->nr + nr < max)
			strlist_add(ret, MISSING);
		strlist_add(ret, parent.id.text);
		next = parent.parent;
	}
	return 0;
}

/* Entries that made a layer; the parser has checked that there are not more than layers. */
static size_t filled_entries(const struct image_config *config)
{
	size_t nr = 0;

	for (size_t i = 0; i < config->nr_history; i++)
		nr += !config->history[i].empty_layer;
	return nr;
}

static int print_history(struct store *store, const struct image *image,
			 const struct history_opts *opts, struct listing *output, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	auto_strlist struct strlist ids = { 0 };
	auto_free int64_t *sizes = NULL;
	auto_buf struct buf text = { 0 };
	size_t layer;

	if (image_read_config(store, image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, &config, err) < 0 ||
	    lineage(store, image, config.nr_history, &ids, err) < 0)
		return -1;
	sizes = layer_sizes(store, &config, err);
	if (!sizes)
		return -1;
	layer = filled_entries(&config);
	for (size_t i = 0; i < config.nr_history; i++) {
		const struct image_history *entry = &config.history[config.nr_history - 1 - i];
		const char *id = i < ids.nr ? ids.items[i] : MISSING;
		int64_t size_bytes = 0;

		if (!entry->empty_layer)
			size_bytes = sizes[--layer];
		if (listing_row(output, row_json(entry, id, size_bytes, opts), err) < 0)
			return -1;
	}
	listing_print(output);
	return 0;
}

static int run_history(struct cli *cli, const void *values, struct error *err)
{
	const struct history_opts *opts = values;
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;
	auto_image struct image image = { 0 };

	if (listing_open(opts->human ? &human_listing : &exact_listing, opts->format, opts->quiet,
			 &output, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 ||
	    image_find(store, cli->words[0], &image, NULL, err) < 0)
		return -1;
	return print_history(store, &image, opts, output, err);
}

static const struct opt history_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, history_opts, format, "string", LISTING_FORMAT_HELP),
	{
		.name = "human",
		.letter = 'H',
		.kind = OPT_BOOL,
		.help = "Print sizes and dates in human readable format",
		.offset = offsetof(struct history_opts, human),
		.preset = "true",
	},
	OPT_FLAG("no-trunc", 0, history_opts, no_trunc, "Don't truncate output"),
	OPT_FLAG("quiet", 'q', history_opts, quiet, "Only show image IDs"),
	{ 0 },
};

const struct command cmd_history = {
	.group = "image",
	.name = "history",
	.top = "history",
	.synopsis = "[OPTIONS] IMAGE",
	.summary = "Show the history of an image",
	.min_words = 1,
	.max_words = 1,
	.options = history_options,
	.options_size = sizeof(struct history_opts),
	.needs = NEEDS_STORE,
	.run = run_history,
};

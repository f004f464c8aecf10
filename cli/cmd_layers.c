/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "image/usage.h"
#include "listing.h"
#include "store.h"

struct layers_opts {
	bool human;
	bool no_trunc;
	bool quiet;
	const char *format;
};

static const struct gotmpl_field layer_fields[] = {
	{ "ChainID", &gotmpl_string },	 { "ContentSize", &gotmpl_string },
	{ "CreatedAt", &gotmpl_string }, { "CreatedBy", &gotmpl_string },
	{ "DiffID", &gotmpl_string },	 { "FreedSize", &gotmpl_string },
	{ "Images", &gotmpl_string },	 { "OwnSize", &gotmpl_string },
	{ "Parent", &gotmpl_string },	 { "TarSize", &gotmpl_string },
	{ "ThinID", &gotmpl_string },	 { 0 },
};

static const struct gotmpl_type layer_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*layer.layerContext",
	.fields = layer_fields,
	.is_row = true,
};

static const struct listing_kind layer_listing = {
	.type = &layer_type,
	.headers =
		(const struct listing_header[]){
			{ "ChainID", "CHAIN ID" },
			{ "ContentSize", "CONTENT SIZE" },
			{ "CreatedAt", "CREATED AT" },
			{ "CreatedBy", "CREATED BY" },
			{ "DiffID", "DIFF ID" },
			{ "FreedSize", "FREED" },
			{ "Images", "IMAGES" },
			{ "OwnSize", "OWN SIZE" },
			{ "Parent", "PARENT" },
			{ "TarSize", "TAR SIZE" },
			{ "ThinID", "THIN ID" },
			{ 0 },
		},
	.table = "{{.ChainID}}\t{{.DiffID}}\t{{.CreatedBy}}\t{{.TarSize}}\t{{.OwnSize}}\t"
		 "{{.Images}}\t{{.FreedSize}}",
	.quiet = "{{.ChainID}}",
};

static struct human_text size_text(int64_t bytes, bool human)
{
	struct human_text exact;

	if (human)
		return human_size(bytes, HUMAN_TOTAL);
	snprintf(exact.text, sizeof(exact.text), "%" PRId64, bytes);
	return exact;
}

static struct human_text id_text(const struct digest *id, bool no_trunc)
{
	struct human_text full;

	if (!no_trunc)
		return human_short_id(id->text);
	snprintf(full.text, sizeof(full.text), "%s", id->text);
	return full;
}

static json_t *row_json(const struct layer_info *layer, const struct layers_opts *opts)
{
	struct timespec created = human_time_from_ns(layer->created_ns);
	auto_free char *by = human_created_by(layer->created_by, opts->no_trunc);
	struct human_text thin = size_text(layer->thin_id, false);
	struct human_text images = size_text(layer->nr_images, false);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ChainID",
			 id_text(&layer->chain_id, opts->no_trunc).text, "ContentSize",
			 size_text(layer->content_bytes, opts->human).text, "CreatedAt",
			 human_time_local(&created).text, "CreatedBy", by, "DiffID",
			 id_text(&layer->diff_id, opts->no_trunc).text, "FreedSize",
			 size_text(layer->freed_bytes, opts->human).text, "Images", images.text,
			 "OwnSize", size_text(layer->own_bytes, opts->human).text, "Parent",
			 id_text(&layer->parent, opts->no_trunc).text, "TarSize",
			 size_text(layer->tar_bytes, opts->human).text, "ThinID", thin.text);
}

static void print_total(const char *label, int64_t bytes, bool human)
{
	printf("%-18s %s\n", label, size_text(bytes, human).text);
}

/* What the pool's data blocks are used for; the sum is the number of `pool status`. */
static void print_totals(const struct layer_list *list, bool of_image, bool human)
{
	int64_t own_bytes = 0, freed_bytes = 0;

	for (size_t i = 0; i < list->nr; i++) {
		own_bytes += list->items[i].own_bytes;
		freed_bytes += list->items[i].freed_bytes;
	}
	putchar('\n');
	print_total("Layers:", own_bytes, human);
	if (of_image) {
		print_total("Freed by removal:", freed_bytes, human);
		return;
	}
	print_total("Template:", list->template_bytes, human);
	print_total("Writable views:", list->view_bytes, human);
	print_total("Containers:", list->container_bytes, human);
	print_total("Named volumes:", list->volume_bytes, human);
	print_total("In work:", list->work_bytes, human);
	print_total("Data used:",
		    own_bytes + list->template_bytes + list->view_bytes + list->work_bytes +
			    list->volume_bytes + list->container_bytes,
		    human);
}

static int run_layers(struct cli *cli, const void *values, struct error *err)
{
	const struct layers_opts *opts = values;
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;
	auto_image struct image image = { 0 };
	struct layer_list list = { 0 };
	bool of_image = cli->nr_words > 0;
	int result = 0;

	if (listing_open(&layer_listing, opts->format, opts->quiet, &output, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 ||
	    (of_image && image_find(store, cli->words[0], &image, NULL, err) < 0) ||
	    usage_layers(store, of_image ? &image : NULL, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr && result == 0; i++)
		result = listing_row(output, row_json(&list.items[i], opts), err);
	if (result == 0)
		listing_print(output);
	if (result == 0 && !opts->quiet && (!opts->format || strcmp(opts->format, "table") == 0))
		print_totals(&list, of_image, opts->human);
	layer_list_done(&list);
	return result;
}

static const struct opt layers_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, layers_opts, format, "string", LISTING_FORMAT_HELP),
	{
		.name = "human",
		.letter = 'H',
		.kind = OPT_BOOL,
		.help = "Print sizes in human readable format",
		.offset = offsetof(struct layers_opts, human),
		.preset = "true",
	},
	OPT_FLAG("no-trunc", 0, layers_opts, no_trunc, "Don't truncate output"),
	OPT_FLAG("quiet", 'q', layers_opts, quiet, "Only show chain ids"),
	{ 0 },
};

const struct command cmd_layers = {
	.name = "layers",
	.synopsis = "[OPTIONS] [IMAGE]",
	.summary = "Show the layers of an image, or all, with their true sizes",
	.details = "OWN SIZE is what the layer has in the pool and its parent has not. FREED is\n"
		   "what removing the image would give back; without IMAGE, what removing the\n"
		   "layer with everything above it would.",
	.max_words = 1,
	.options = layers_options,
	.options_size = sizeof(struct layers_opts),
	.needs = NEEDS_POOL,
	.run = run_layers,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cacherows.h"
#include "cli.h"
#include "cmd.h"
#include "containertext.h"
#include "format/human.h"
#include "image/usage.h"
#include "image/view.h"
#include "imagerows.h"
#include "inspection.h"
#include "listing.h"
#include "poolview.h"
#include "run/container.h"
#include "run/localvolume.h"
#include "store.h"

struct df_opts {
	bool verbose;
	const char *format;
};

static const struct gotmpl_type df_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.diskUsageImagesContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Active", &gotmpl_string },
			{ "Reclaimable", &gotmpl_string },
			{ "Size", &gotmpl_string },
			{ "TotalCount", &gotmpl_string },
			{ "Type", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

static const struct listing_kind df_listing = {
	.type = &df_type,
	.headers =
		(const struct listing_header[]){
			{ "Active", "ACTIVE" },
			{ "Reclaimable", "RECLAIMABLE" },
			{ "Size", "SIZE" },
			{ "TotalCount", "TOTAL" },
			{ "Type", "TYPE" },
			{ 0 },
		},
	.table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
	.raw = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\n"
	       "reclaimable: {{.Reclaimable}}\n",
};

static const struct listing_kind df_image_listing = {
	.type = &image_row_type,
	.headers = image_row_headers,
	.table = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t" IMAGE_ROW_CREATED "\t{{.Size}}\t"
		 "{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
};

static const struct gotmpl_type volume_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.volumeContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Driver", &gotmpl_string },
			{ "Links", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "Size", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

static const struct listing_kind containers_listing = {
	.type = &container_type,
	.headers = container_headers,
	.table = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t"
		 "{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
};
static const struct listing_kind volumes_listing = {
	.type = &volume_type,
	.headers =
		(const struct listing_header[]){
			{ "Driver", "DRIVER" },
			{ "Links", "LINKS" },
			{ "Name", "VOLUME NAME" },
			{ "Size", "SIZE" },
			{ 0 },
		},
	.table = "{{.Name}}\t{{.Links}}\t{{.Size}}",
};
static const struct gotmpl_type view_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*view.viewContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Access", &gotmpl_string },
			{ "CreatedSince", &gotmpl_string },
			{ "ImageID", &gotmpl_string },
			{ "Kind", &gotmpl_string },
			{ "State", &gotmpl_string },
			{ "Target", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

static const struct listing_kind view_listing = {
	.type = &view_type,
	.headers =
		(const struct listing_header[]){
			{ "Access", "ACCESS" },
			{ "CreatedSince", "CREATED" },
			{ "ImageID", "IMAGE ID" },
			{ "Kind", "KIND" },
			{ "State", "STATE" },
			{ "Target", "TARGET" },
			{ 0 },
		},
	.table = "{{.Target}}\t{{.Kind}}\t{{.ImageID}}\t{{.Access}}\t{{.CreatedSince}}\t{{.State}}",
};

/* What the catalogue says, read once. */
struct df {
	struct image_list images;
	struct image_usage *usage; /* one for each image */
	int64_t total_bytes;	   /* each layer once */
	struct container_rows containers;
	int64_t *own_bytes; /* one for each container */
	struct local_volume_list volumes;
	struct build_cache_list cache;
};

static void df_done(struct df *df)
{
	image_list_done(&df->images);
	free(df->usage);
	container_rows_done(&df->containers);
	free(df->own_bytes);
	local_volume_list_done(&df->volumes);
	build_cache_list_done(&df->cache);
	*df = (struct df){ 0 };
}
#define auto_df __attribute__((cleanup(df_done)))

static int df_read(struct store *store, struct df *ret, struct error *err)
{
	if (image_list(store, &ret->images, err) < 0)
		return -1;
	ret->usage = xcalloc(ret->images.nr, sizeof(*ret->usage));
	if (usage_images(store, &ret->images, ret->usage, err) < 0 ||
	    usage_total(store, &ret->total_bytes, err) < 0 ||
	    container_list(store, &ret->containers, err) < 0 ||
	    local_volume_list(store, &ret->volumes, err) < 0 ||
	    build_cache_list(store, &ret->cache, err) < 0)
		return -1;
	ret->own_bytes = xcalloc(ret->containers.nr, sizeof(*ret->own_bytes));
	for (size_t i = 0; i < ret->containers.nr; i++)
		if (container_own_bytes(store, &ret->containers.items[i], &ret->own_bytes[i], err) <
		    0)
			return -1;
	return 0;
}

/* Steps in between of a build are no images of their own here. */
static bool is_shown(const struct image *image)
{
	return image->nr_refs > 0 || !image->has_children;
}

static json_t *type_json(const char *type, size_t total, size_t active, int64_t size_bytes,
			 const char *reclaimable)
{
	char total_text[24], active_text[24];

	snprintf(total_text, sizeof(total_text), "%zu", total);
	snprintf(active_text, sizeof(active_text), "%zu", active);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Active", active_text, "Reclaimable",
			 reclaimable, "Size", human_size(size_bytes, HUMAN_TOTAL).text,
			 "TotalCount", total_text, "Type", type);
}

/* "11.63MB (70%)"; nothing is no part of nothing. */
static char *reclaimable(int64_t free_bytes, int64_t total_bytes)
{
	struct human_text size = human_size(free_bytes, HUMAN_TOTAL);

	if (total_bytes <= 0)
		return xstrdup(size.text);
	return xasprintf("%s (%" PRId64 "%%)", size.text,
			 (int64_t)((__int128)free_bytes * 100 / total_bytes));
}

static json_t *images_json(const struct df *df)
{
	size_t total = 0, active = 0;
	auto_free char *text = NULL;
	int64_t free_bytes = 0;

	for (size_t i = 0; i < df->images.nr; i++) {
		if (!is_shown(&df->images.items[i]))
			continue;
		total++;
		if (df->usage[i].nr_containers)
			active++;
		else
			free_bytes += df->usage[i].size_bytes - df->usage[i].shared_bytes;
	}
	text = reclaimable(free_bytes, df->total_bytes);
	return type_json("Images", total, active, df->total_bytes, text);
}

static json_t *containers_json(const struct df *df)
{
	int64_t total_bytes = 0, free_bytes = 0;
	auto_free char *text = NULL;
	size_t active = 0;

	for (size_t i = 0; i < df->containers.nr; i++) {
		bool running = df->containers.items[i].state == CONTAINER_RUNNING;

		active += running;
		total_bytes += df->own_bytes[i];
		free_bytes += running ? 0 : df->own_bytes[i];
	}
	text = reclaimable(free_bytes, total_bytes);
	return type_json("Containers", df->containers.nr, active, total_bytes, text);
}

static json_t *volumes_json(const struct df *df)
{
	int64_t total_bytes = 0, free_bytes = 0;
	auto_free char *text = NULL;
	size_t active = 0;

	for (size_t i = 0; i < df->volumes.nr; i++) {
		const struct local_volume *volume = &df->volumes.items[i];

		active += volume->nr_containers > 0;
		total_bytes += volume->size_bytes;
		free_bytes += volume->nr_containers > 0 ? 0 : volume->size_bytes;
	}
	text = reclaimable(free_bytes, total_bytes);
	return type_json("Local Volumes", df->volumes.nr, active, total_bytes, text);
}

/* Docker's "active" is what a build uses at this moment. */
static json_t *cache_json(const struct df *df)
{
	int64_t bytes = cache_own_bytes(&df->cache);

	return type_json("Build Cache", df->cache.nr, 0, bytes,
			 human_size(bytes, HUMAN_TOTAL).text);
}

static int print_summary(const struct df *df, const char *format, struct error *err)
{
	auto_listing struct listing *output = NULL;

	if (listing_open(&df_listing, format, false, &output, err) < 0 ||
	    listing_row(output, images_json(df), err) < 0 ||
	    listing_row(output, containers_json(df), err) < 0 ||
	    listing_row(output, volumes_json(df), err) < 0 ||
	    listing_row(output, cache_json(df), err) < 0)
		return -1;
	listing_print(output);
	return 0;
}

static void put_size(json_t *row, const char *field, int64_t bytes)
{
	json_object_set_new(row, field, json_string(human_size(bytes, HUMAN_TOTAL).text));
}

/* The row of its first name. */
static json_t *image_json(const struct image *image, const struct image_usage *usage, bool no_trunc)
{
	auto_image_rows struct image_rows rows = { 0 };
	struct timespec now = human_now();
	char containers[24];
	json_t *ret;

	image_rows_add(&rows, image, false);
	ret = image_row_json(&rows.items[0], &now, no_trunc);
	snprintf(containers, sizeof(containers), "%" PRId64, usage->nr_containers);
	json_object_set_new(ret, "Containers", json_string(containers));
	json_object_set_new(ret, "Digest", json_string("")); /* Docker does not look for it here */
	put_size(ret, "SharedSize", usage->shared_bytes);
	put_size(ret, "UniqueSize", usage->unique_bytes);
	return ret;
}

/* The title, a blank line, the table of rows, which it takes. */
static int print_table(const char *title, const struct listing_kind *kind, json_t *rows,
		       struct error *err)
{
	json_auto_t *owned = rows;
	auto_listing struct listing *output = NULL;

	if (listing_open(kind, NULL, false, &output, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(owned); i++)
		if (listing_row(output, json_incref(json_array_get(owned, i)), err) < 0)
			return -1;
	printf("%s\n\n", title);
	listing_print(output);
	return 0;
}

static json_t *image_rows_json(const struct df *df, bool no_trunc)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < df->images.nr; i++)
		if (is_shown(&df->images.items[i]))
			json_array_append_new(
				rows, image_json(&df->images.items[i], &df->usage[i], no_trunc));
	return rows;
}

static json_t *volume_rows_json(const struct df *df)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < df->volumes.nr; i++) {
		const struct local_volume *volume = &df->volumes.items[i];
		auto_free char *links = xasprintf("%" PRId64, volume->nr_containers);
		json_t *row = json_pack("{s:s, s:s, s:s}", "Driver", "local", "Links", links,
					"Name", volume->name);

		put_size(row, "Size", volume->size_bytes);
		json_array_append_new(rows, row);
	}
	return rows;
}

static int print_views(struct store *store, struct error *err)
{
	auto_view_list struct view_list views = { 0 };
	struct timespec now = human_now();
	json_t *rows;

	if (view_list(store, &views, err) < 0)
		return -1;
	rows = json_array();
	for (size_t i = 0; i < views.nr; i++) {
		const struct view *view = &views.items[i];
		struct timespec created = human_time_from_ns(view->created_ns);

		json_array_append_new(
			rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Target", view->target,
					"Kind", view->attached ? "attached" : "mounted", "ImageID",
					human_short_id(view->image.text).text, "Access",
					view->writable ? "rw" : "ro", "CreatedSince",
					human_since(&created, &now).text, "State",
					view->active ? "active" : "inactive"));
	}
	return print_table("\nMounted and attached images:", &view_listing, rows, err);
}

static int print_pool(struct store *store, struct error *err)
{
	auto_buf struct buf text = { 0 };
	json_auto_t *view = NULL;
	struct error problem;

	if (poolview_read(store, &view, &problem, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	poolview_text(view, &text);
	printf("\nPool space usage:\n\n%s", text.data);
	if (!problem.kind)
		return 0;
	*err = problem;
	return -1;
}

static int container_rows_json(struct store *store, const struct df *df, bool no_trunc,
			       json_t **ret, struct error *err)
{
	json_auto_t *rows = json_array();
	struct timespec now = human_now();

	for (size_t i = 0; i < df->containers.nr; i++) {
		const struct container_row *row = &df->containers.items[i];
		json_auto_t *document = NULL;
		auto_free char *image = NULL, *platform = NULL;
		struct container_view view = { .row = row,
					       .file_bytes = df->own_bytes[i],
					       .no_trunc = no_trunc };

		if (container_document(row, &document, err) < 0 ||
		    container_image_text(store, row, no_trunc, &image, &view.image_bytes, &platform,
					 err) < 0)
			return -1;
		view.document = document;
		view.image = image;
		view.platform = platform;
		json_array_append_new(rows, container_row_json(&view, &now));
	}
	*ret = json_incref(rows);
	return 0;
}

static int print_containers(struct store *store, const struct df *df, struct error *err)
{
	json_t *rows;

	if (container_rows_json(store, df, false, &rows, err) < 0)
		return -1;
	return print_table("\nContainers space usage:", &containers_listing, rows, err);
}

static int print_cache(const struct df *df, struct error *err)
{
	auto_free char *title =
		xasprintf("\nBuild cache usage: %s",
			  human_size(cache_own_bytes(&df->cache), HUMAN_TOTAL).text);

	return print_table(title, &cache_listing, cache_rows_json(&df->cache, false), err);
}

static int print_verbose(struct store *store, const struct df *df, struct error *err)
{
	if (print_table("Images space usage:", &df_image_listing, image_rows_json(df, false), err) <
		    0 ||
	    print_containers(store, df, err) < 0 ||
	    print_table("\nLocal Volumes space usage:", &volumes_listing, volume_rows_json(df),
			err) < 0 ||
	    print_cache(df, err) < 0 || print_views(store, err) < 0)
		return -1;
	return print_pool(store, err);
}

static const struct gotmpl_type df_images_type = {
	.kind = GOTMPL_LIST,
	.name = "[]*formatter.imageContext",
	.elem = &image_row_type,
};

/* -v with a template: all lists in one object. */
static const struct gotmpl_type verbose_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.diskUsageContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "Images", &df_images_type },
			{ "Containers", &gotmpl_any },
			{ "Volumes", &gotmpl_any },
			{ "BuildCache", &gotmpl_any },
			{ 0 },
		},
};

static int run_df(struct cli *cli, const void *values, struct error *err)
{
	const struct df_opts *opts = values;
	bool table = !opts->format || !*opts->format || strcmp(opts->format, "table") == 0;
	auto_store struct store *store = NULL;
	auto_df struct df df = { 0 };
	json_t *containers;

	if (cli_open_store(cli, &store, err) < 0 || df_read(store, &df, err) < 0)
		return -1;
	if (!opts->verbose)
		return print_summary(&df, opts->format, err);
	if (table)
		return print_verbose(store, &df, err);
	if (container_rows_json(store, &df, true, &containers, err) < 0)
		return -1;
	return inspection_one(opts->format,
			      json_pack("{s:o, s:o, s:o, s:o}", "Images",
					image_rows_json(&df, true), "Containers", containers,
					"Volumes", volume_rows_json(&df), "BuildCache",
					cache_rows_json(&df.cache, true)),
			      &verbose_type, err);
}

static const struct opt df_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, df_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_FLAG("verbose", 'v', df_opts, verbose, "Show detailed information on space usage"),
	{ 0 },
};

const struct command cmd_system_df = {
	.group = "system",
	.name = "df",
	.synopsis = "[OPTIONS]",
	.summary = "Show disk usage",
	.options = df_options,
	.options_size = sizeof(struct df_opts),
	.needs = NEEDS_STORE,
	.run = run_df,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "containerjson.h"
#include "db/rows.h"
#include "image/image.h"
#include "imagejson.h"
#include "inspection.h"
#include "pool/pool.h"
#include "run/changes.h"
#include "run/container.h"
#include "run/life.h"
#include "store.h"

#define TYPES "\"container\", \"image\""

struct inspect_opts {
	const char *format;
	const char *type;
	bool size;
};

/* The names of a thin id; without a pool only its number. size_bytes 0: the pool's. */
static int describe_volume(struct store *store, uint32_t thin_id, uint64_t size_bytes,
			   struct imagejson_device *ret, struct error *err)
{
	auto_pool struct pool *pool = NULL;

	snprintf(ret->id, sizeof(ret->id), "%" PRIu32, thin_id);
	if (pool_open(store->root.path, &pool, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	snprintf(ret->name, sizeof(ret->name), "veneer-%s-%" PRIu32, pool_config(pool)->store_id,
		 thin_id);
	snprintf(ret->size, sizeof(ret->size), "%" PRIu64,
		 size_bytes ? size_bytes : pool_config(pool)->volume_bytes);
	return 0;
}

/* Where the top layer is; what is not known stays "". */
static int find_device(struct store *store, const struct image *image, struct imagejson_device *ret,
		       struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	int found;

	*ret = (struct imagejson_device){ 0 };
	if (!digest_is_set(&image->top))
		return 0;
	found = rows_layer_get(store->db, &image->top, &row, err);
	if (found <= 0)
		return found;
	return describe_volume(store, row.thin_id, 0, ret, err);
}

/* @any_kind: what is no name of an image might have named something else */
static int find_image(struct store *store, const char *operand, bool any_kind, struct image *ret,
		      struct error *err)
{
	if (image_find(store, operand, ret, NULL, err) == 0)
		return 0;
	if (any_kind &&
	    (err->kind == ERR_NOT_FOUND || err->kind == ERR_USAGE || err->kind == ERR_UNSUPPORTED))
		err_set(err, ERR_NOT_FOUND, "error: no such object: %s", operand);
	return -1;
}

static int inspect_image(struct store *store, const char *operand, bool any_kind,
			 struct inspection *output, struct error *err)
{
	auto_image struct image image = { 0 };
	auto_image_config struct image_config config = { 0 };
	auto_buf struct buf text = { 0 };
	struct imagejson_device device;

	if (find_image(store, operand, any_kind, &image, err) < 0 ||
	    image_read_config(store, &image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, &config, err) < 0 ||
	    find_device(store, &image, &device, err) < 0)
		return -1;
	return inspection_add(output, imagejson_new(&image, &config, &device), &imagejson_type,
			      err);
}

static int inspect_all(struct cli *cli, const char *format, bool any_kind, struct error *err)
{
	auto_inspection struct inspection *output = NULL;
	auto_store struct store *store = NULL;

	if (inspection_open(format, &output, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		if (inspect_image(store, cli->words[i], any_kind, output, err) < 0 &&
		    cli_fail(cli, err) < 0)
			return -1;
	}
	inspection_print(output);
	return 0;
}

static int run_image_inspect(struct cli *cli, const void *values, struct error *err)
{
	const struct inspect_opts *opts = values;

	return inspect_all(cli, opts->format, false, err);
}

static int show_container(struct store *store, const struct container_row *row, bool size,
			  struct inspection *output, struct error *err)
{
	json_auto_t *document = NULL;
	struct containerjson_facts facts = { .file_bytes = -1 };
	auto_free char *log = NULL;
	auto_image struct image image = { 0 };
	struct error ignored;

	if (container_document(row, &document, err) < 0 ||
	    describe_volume(store, row->thin_id, row->size_bytes, &facts.device, err) < 0 ||
	    (size && container_file_bytes(store, row, &facts.file_bytes, err) < 0))
		return -1;
	if (image_find(store, row->image.text, &image, NULL, &ignored) == 0)
		facts.image_bytes = image.size_bytes;
	log = life_log_path(store, row);
	facts.log_path = log;
	facts.store_root = store->root.path;
	return inspection_add(output, containerjson_new(row, document, &facts), &containerjson_type,
			      err);
}

static int inspect_container(struct store *store, const char *operand, bool size,
			     struct inspection *output, struct error *err)
{
	auto_container_row struct container_row row = { 0 };

	return container_find(store, operand, &row, err) < 0
		       ? -1
		       : show_container(store, &row, size, output, err);
}

static int inspect_containers(struct cli *cli, const char *format, bool size, struct error *err)
{
	auto_inspection struct inspection *output = NULL;
	auto_store struct store *store = NULL;

	if (inspection_open(format, &output, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (inspect_container(store, cli->words[i], size, output, err) < 0 &&
		    cli_fail(cli, err) < 0)
			return -1;
	inspection_print(output);
	return 0;
}

static int run_container_inspect(struct cli *cli, const void *values, struct error *err)
{
	const struct inspect_opts *opts = values;

	return inspect_containers(cli, opts->format, opts->size, err);
}

/* A container before an image, as Docker does. */
static int inspect_any(struct cli *cli, const struct inspect_opts *opts, struct error *err)
{
	auto_inspection struct inspection *output = NULL;
	auto_store struct store *store = NULL;

	if (inspection_open(opts->format, &output, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		const char *word = cli->words[i];
		auto_container_row struct container_row row = { 0 };
		int result = container_find(store, word, &row, err);

		if (result == 0) {
			result = show_container(store, &row, opts->size, output, err);
		} else if (err->kind == ERR_NOT_FOUND || err->kind == ERR_USAGE) {
			result = inspect_image(store, word, true, output, err);
			if (result == 0 && opts->size)
				cli_say("WARNING: --size ignored for image");
		}
		if (result < 0 && cli_fail(cli, err) < 0)
			return -1;
	}
	inspection_print(output);
	return 0;
}

static int run_inspect(struct cli *cli, const void *values, struct error *err)
{
	const struct inspect_opts *opts = values;

	if (!opts->type)
		return inspect_any(cli, opts, err);
	if (strcmp(opts->type, "container") == 0)
		return inspect_containers(cli, opts->format, opts->size, err);
	if (inspect_all(cli, opts->format, false, err) < 0)
		return -1;
	for (size_t i = cli->failures.nr; opts->size && i < cli->nr_words; i++)
		cli_say("WARNING: --size ignored for image");
	return 0;
}

static int check_inspect(const struct cli *cli, const void *values, struct error *err)
{
	const struct inspect_opts *opts = values;

	(void)cli;
	if (!opts->type)
		return 0;
	if (!*opts->type)
		return err_set(err, ERR_USAGE, "type is empty: must be one of " TYPES);
	if (strcmp(opts->type, "container") != 0 && strcmp(opts->type, "image") != 0)
		return err_set(err, ERR_USAGE, "unknown type: \"%s\": must be one of " TYPES,
			       opts->type);
	return 0;
}

static const struct opt image_inspect_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', inspect_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_image_inspect = {
	.group = "image",
	.name = "inspect",
	.synopsis = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Display detailed information on one or more images",
	.min_words = 1,
	.max_words = -1,
	.options = image_inspect_options,
	.options_size = sizeof(struct inspect_opts),
	.needs = NEEDS_STORE,
	.run = run_image_inspect,
};

static const struct opt inspect_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', inspect_opts, format, "string", OBJECT_FORMAT_HELP),
	OPT_FLAG("size", 's', inspect_opts, size,
		 "Display total file sizes if the type is container"),
	OPT_VALUE(OPT_STRING, "type", 0, inspect_opts, type, "string",
		  "Only inspect objects of the given type"),
	{ 0 },
};

const struct command cmd_inspect = {
	.name = "inspect",
	.synopsis = "[OPTIONS] NAME|ID [NAME|ID...]",
	.summary = "Return low-level information on objects",
	.min_words = 1,
	.max_words = -1,
	.options = inspect_options,
	.options_size = sizeof(struct inspect_opts),
	.needs = NEEDS_STORE,
	.check = check_inspect,
	.run = run_inspect,
};

static const struct opt container_inspect_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', inspect_opts, format, "string", OBJECT_FORMAT_HELP),
	OPT_FLAG("size", 's', inspect_opts, size, "Display total file sizes"),
	{ 0 },
};

const struct command cmd_container_inspect = {
	.group = "container",
	.name = "inspect",
	.synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Display detailed information on one or more containers",
	.min_words = 1,
	.max_words = -1,
	.options = container_inspect_options,
	.options_size = sizeof(struct inspect_opts),
	.needs = NEEDS_STORE,
	.run = run_container_inspect,
};

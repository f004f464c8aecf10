/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of --cache-from. One that is not there, or carries no keys, is no
 * reason to fail: its steps are done, and the user is told.
 */
#include "base/cleanup.h"
#include "build/builder.h"
#include "image/image.h"
#include "limits.h"
#include "store.h"

/* Seen at once in the vertex, and once more behind a build that went well. */
static void warn(struct builder *builder, unsigned vertex, const char *name, const char *text)
{
	auto_free char *line = xasprintf("WARNING: %s", text);

	builder->events->note(builder->events->ctx, vertex, line);
	buf_printf(&builder->report->warnings, "[Warning] --cache-from %s: %s\n", name, text);
}

/* Returns 1 with its config, 0 when it is neither in the store nor at its registry, or -1. */
static int read_image(struct builder *builder, const char *name, struct image_config *ret,
		      struct error *err)
{
	struct store *store = builder->store;
	auto_image struct image image = { 0 };
	auto_buf struct buf text = { 0 };

	if (builder_find_image(builder, name, &builder->wanted, false, 0, &image, err) < 0)
		return err->kind == ERR_NOT_FOUND || err->kind == ERR_DENIED ||
				       err->kind == ERR_REMOTE
			       ? 0
			       : -1;
	if (image_read_config(store, &image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, ret, err) < 0)
		return -1;
	return 1;
}

static int import(struct builder *builder, unsigned vertex, const char *name, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	auto_free char *missing = NULL;
	int got = read_image(builder, name, &config, err);

	if (got < 0)
		return err_add(err, "--cache-from %s", name);
	if (got == 0) {
		missing = xasprintf("%s: nothing is taken from it", err->text);
		warn(builder, vertex, name, missing);
	} else if (cachefrom_add(&builder->elsewhere, &config) == 0) {
		warn(builder, vertex, name,
		     "the image carries no keys of steps, as only those do that veneer built; "
		     "nothing is taken from it");
	}
	return 0;
}

int builder_import_caches(struct builder *builder, struct error *err)
{
	const struct strlist *names = &builder->options->cache_from;

	if (builder->options->no_cache)
		return 0;
	if (names->nr > LIMIT_CACHE_IMAGES)
		return err_set(err, ERR_LIMIT, "--cache-from names %zu images, more than %d",
			       names->nr, LIMIT_CACHE_IMAGES);
	for (size_t i = 0; i < names->nr; i++) {
		auto_free char *text =
			xasprintf("importing cache manifest from %s", names->items[i]);
		unsigned vertex = builder_begin(builder, text);
		int result = import(builder, vertex, names->items[i], err);

		builder_end(builder, vertex, result, err);
		if (result < 0)
			return -1;
	}
	return 0;
}

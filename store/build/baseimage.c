/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that a build takes from: of the store, or else of their registry.
 */
#include <string.h>

#include "base/cleanup.h"
#include "build/builder.h"
#include "db/rows_image.h"
#include "store.h"

static bool was_fetched(const struct builder *builder, const char *name)
{
	for (size_t i = 0; i < builder->fetched.nr; i++)
		if (strcmp(builder->fetched.items[i], name) == 0)
			return true;
	return false;
}

static int fetch(struct builder *builder, const char *name, const struct platform *platform,
		 struct error *err)
{
	const struct build_options *options = builder->options;
	char text[PLATFORM_TEXT_SIZE];

	if (options->fetch(options->fetch_ctx, name, platform_text(platform, text), err) < 0)
		return -1;
	strlist_add(&builder->fetched, name);
	return 0;
}

/* What was fetched, and where that is shown. */
static void tell(const struct builder *builder, const struct image *image, const char *name,
		 unsigned vertex)
{
	auto_free char *note = xasprintf("resolve %s (%s) done", name, image->id.text);

	if (vertex)
		builder->events->note(builder->events->ctx, vertex, note);
}

static int find(struct builder *builder, const char *name, struct image *ret, struct error *err)
{
	struct db *db = builder->store->db;
	auto_tx struct db_tx tx = { 0 };

	if (image_find(builder->store, name, ret, NULL, err) < 0)
		return -1;
	/* Losing that in a power cut does not matter. */
	if (db_begin_unsynced(&tx, db, err) < 0 ||
	    rows_image_used(db, &ret->id, ret->used_ns, err) < 0 || db_commit(&tx, err) < 0) {
		image_done(ret);
		return -1;
	}
	return 0;
}

int builder_find_image(struct builder *builder, const char *name, const struct platform *platform,
		       bool refresh, unsigned vertex, struct image *ret, struct error *err)
{
	refresh = refresh && builder->options->fetch && !was_fetched(builder, name);
	if (!refresh) {
		if (find(builder, name, ret, err) == 0)
			return 0;
		if (err->kind != ERR_NOT_FOUND)
			return -1;
	}
	if (!builder->options->fetch)
		return -1;
	if (fetch(builder, name, platform, err) < 0 || find(builder, name, ret, err) < 0)
		return -1;
	tell(builder, ret, name, vertex);
	return 0;
}

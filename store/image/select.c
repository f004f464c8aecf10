/* SPDX-License-Identifier: Apache-2.0 */
#include "image/select.h"

#include "base/cleanup.h"
#include "oci/reference.h"
#include "store.h"

/* Canonical names of a repository, those with a digest too. */
static int list_names(struct store *store, const struct reference *ref, struct strlist *ret,
		      struct error *err)
{
	auto_free char *repository = reference_familiar_name(ref);
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db,
		       "SELECT name FROM reference WHERE repository = ?1"
		       " ORDER BY tag IS NULL, tag, digest",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, repository);
	return db_texts(stmt, ret, err);
}

static int take_one(struct store *store, const char *operand, image_select_fn *take, void *ctx,
		    struct error *err)
{
	auto_image struct image image = { 0 };
	auto_reference struct reference ref = { 0 };
	auto_free char *name = NULL;
	struct error impossible;

	if (image_find(store, operand, &image, &name, err) < 0)
		return -1;
	/* What was asked for by digest has no tag to be saved by. */
	if (name && (reference_parse(name, &ref, &impossible) < 0 || digest_is_set(&ref.digest)))
		take(ctx, &image, NULL);
	else
		take(ctx, &image, name);
	return 0;
}

int image_select(struct store *store, const char *operand, image_select_fn *take, void *ctx,
		 struct error *err)
{
	auto_strlist struct strlist names = { 0 };
	auto_reference struct reference ref = { 0 };
	struct error no_name;

	if (!reference_is_id(operand, NULL) && reference_parse(operand, &ref, &no_name) == 0 &&
	    !ref.tag && !digest_is_set(&ref.digest) && list_names(store, &ref, &names, err) < 0)
		return -1;
	if (!names.nr)
		return take_one(store, operand, take, ctx, err);
	for (size_t i = 0; i < names.nr; i++)
		if (take_one(store, names.items[i], take, ctx, err) < 0)
			return -1;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "blob/blob.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "limits.h"
#include "oci/reference.h"
#include "store.h"

static void ref_done(struct image_ref *ref)
{
	free(ref->repository);
	free(ref->tag);
	free(ref->digest);
}

void image_done(struct image *image)
{
	for (size_t i = 0; i < image->nr_refs; i++)
		ref_done(&image->refs[i]);
	free(image->refs);
	free(image->architecture);
	free(image->os);
	*image = (struct image){ 0 };
}

void image_drop_refs(struct image *image, size_t kept)
{
	while (image->nr_refs > kept)
		ref_done(&image->refs[--image->nr_refs]);
}

void image_list_done(struct image_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		image_done(&list->items[i]);
	free(list->items);
	*list = (struct image_list){ 0 };
}

#define IMAGE_COLUMNS                                                                           \
	"i.id, i.top, i.parent, i.created_ns, i.tagged_ns, i.size_bytes, i.architecture, i.os," \
	" EXISTS (SELECT 1 FROM image c WHERE c.parent = i.id), i.used_ns, i.pulled"

static void read_image(struct db_stmt *stmt, struct image *ret)
{
	*ret = (struct image){ 0 };
	db_digest(stmt, 0, &ret->id);
	db_digest(stmt, 1, &ret->top);
	db_digest(stmt, 2, &ret->parent);
	ret->has_created = !db_is_null(stmt, 3);
	ret->created_ns = db_int(stmt, 3);
	ret->tagged_ns = db_int(stmt, 4);
	ret->size_bytes = db_int(stmt, 5);
	ret->architecture = xstrdup(db_text(stmt, 6));
	ret->os = xstrdup(db_text(stmt, 7));
	ret->has_children = db_int(stmt, 8) != 0;
	ret->used_ns = db_int(stmt, 9);
	ret->pulled = db_int(stmt, 10) != 0;
}

/* Columns repository, tag, digest from first on. */
static void read_ref(struct db_stmt *stmt, int first, struct image *image)
{
	struct image_ref *ref;

	image->refs = xrealloc(image->refs, (image->nr_refs + 1) * sizeof(*image->refs));
	ref = &image->refs[image->nr_refs++];
	ref->repository = xstrdup(db_text(stmt, first));
	ref->tag = db_is_null(stmt, first + 1) ? NULL : xstrdup(db_text(stmt, first + 1));
	ref->digest = db_is_null(stmt, first + 2) ? NULL : xstrdup(db_text(stmt, first + 2));
}

static int read_refs(struct db *db, struct image *image, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db,
		       "SELECT repository, tag, digest FROM reference WHERE image = ?1"
		       " ORDER BY tag IS NULL, repository, tag, digest",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, image->id.text);
	while ((got = db_step(stmt, err)) > 0)
		read_ref(stmt, 0, image);
	return got;
}

static int read_all(struct db *db, struct image_list *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	size_t cap = 0;
	int got;

	if (db_prepare(db,
		       "SELECT " IMAGE_COLUMNS " FROM image i"
		       " ORDER BY i.created_ns IS NULL, i.created_ns DESC, i.id",
		       &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		if (ret->nr == cap) {
			cap = cap ? cap * 2 : 64;
			ret->items = xrealloc(ret->items, cap * sizeof(*ret->items));
		}
		read_image(stmt, &ret->items[ret->nr++]);
	}
	return got;
}

static int compare_ids(const void *a, const void *b)
{
	const struct image *const *x = a, *const *y = b;

	return strcmp((*x)->id.text, (*y)->id.text);
}

/* NULL comes last. */
static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return !a - !b;
	return strcmp(a, b);
}

static int compare_refs(const void *a, const void *b)
{
	const struct image_ref *x = a, *y = b;
	int order = !x->tag - !y->tag;

	if (!order)
		order = strcmp(x->repository, y->repository);
	if (!order)
		order = compare_texts(x->tag, y->tag);
	return order ? order : compare_texts(x->digest, y->digest);
}

/* One scan in the table's own order: matching and sorting here is cheaper than a join there. */
static int read_all_refs(struct db *db, struct image_list *list, struct error *err)
{
	auto_free struct image **by_id = xcalloc(list->nr, sizeof(struct image *));
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	for (size_t i = 0; i < list->nr; i++)
		by_id[i] = &list->items[i];
	if (list->nr)
		qsort(by_id, list->nr, sizeof(*by_id), compare_ids);
	if (db_prepare(db, "SELECT image, repository, tag, digest FROM reference", &stmt, err) < 0)
		return -1;
	while ((got = db_step(stmt, err)) > 0) {
		struct image wanted, *key = &wanted, **found = NULL;

		db_digest(stmt, 0, &wanted.id);
		if (list->nr)
			found = bsearch(&key, by_id, list->nr, sizeof(*by_id), compare_ids);
		if (found) /* else an image that came between the two reads */
			read_ref(stmt, 1, *found);
	}
	for (size_t i = 0; i < list->nr; i++) {
		if (list->items[i].nr_refs > 1)
			qsort(list->items[i].refs, list->items[i].nr_refs,
			      sizeof(*list->items[i].refs), compare_refs);
	}
	return got < 0 ? -1 : 0;
}

int image_list(struct store *store, struct image_list *ret, struct error *err)
{
	if (read_all(store->db, ret, err) < 0)
		return -1;
	return read_all_refs(store->db, ret, err);
}

/* Runs a query with one bound text that yields at most one image of interest. */
static int find_one(struct db *db, const char *sql, const char *value, struct image *ret,
		    struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(db, sql, &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, value);
	got = db_step(stmt, err);
	if (got <= 0)
		return got;
	read_image(stmt, ret);
	got = db_step(stmt, err);
	if (got > 0) { /* an ambiguous prefix counts as not found */
		image_done(ret);
		return 0;
	}
	if (got < 0 || read_refs(db, ret, err) < 0) {
		image_done(ret);
		return -1;
	}
	return 1;
}

#define FIND_IMAGE "SELECT " IMAGE_COLUMNS " FROM image i "

static int find_by_name(struct db *db, const char *operand, struct image *ret, char **ret_name,
			struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *key = NULL;
	int got;

	if (reference_parse(operand, &ref, err) < 0)
		return -1;
	reference_default_tag(&ref);
	key = reference_key(&ref);
	got = find_one(db, FIND_IMAGE "WHERE i.id = (SELECT image FROM reference WHERE name = ?1)",
		       key, ret, err);
	if (got > 0 && ret_name)
		*ret_name = take_ptr(key);
	return got;
}

static int find_by_prefix(struct db *db, const char *operand, struct image *ret, struct error *err)
{
	auto_free char *pattern = NULL;
	const char *digits;

	if (!reference_is_id_prefix(operand, &digits) || !digits)
		return 0;
	pattern = xasprintf(DIGEST_PREFIX "%s*", digits);
	return find_one(db, FIND_IMAGE "WHERE i.id GLOB ?1 LIMIT 2", pattern, ret, err);
}

static int not_found(const char *operand, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *name = NULL;
	struct error not_a_name;

	if (reference_is_id(operand, NULL) || reference_parse(operand, &ref, &not_a_name) < 0)
		return err_set(err, ERR_NOT_FOUND, "No such image: %s", operand);
	reference_default_tag(&ref);
	name = reference_familiar(&ref);
	return err_set(err, ERR_NOT_FOUND, "No such image: %s", name);
}

int image_find(struct store *store, const char *operand, struct image *ret, char **ret_name,
	       struct error *err)
{
	struct digest id;
	int got;

	if (ret_name)
		*ret_name = NULL;
	if (reference_is_id(operand, &id)) {
		got = find_one(store->db, FIND_IMAGE "WHERE i.id = ?1", id.text, ret, err);
	} else {
		got = find_by_name(store->db, operand, ret, ret_name, err);
		if (got == 0)
			got = find_by_prefix(store->db, operand, ret, err);
	}
	if (got == 0)
		return not_found(operand, err);
	return got < 0 ? -1 : 0;
}

int image_read_config(struct store *store, const struct image *image, struct buf *ret,
		      struct error *err)
{
	return blob_read(&store->root, &image->id, LIMIT_JSON_BYTES, ret, err);
}

int64_t image_created_ns(const struct image *image)
{
	return image->has_created ? image->created_ns : INT64_MIN;
}

char *image_ref_text(const struct image_ref *ref)
{
	if (ref->tag)
		return xasprintf("%s:%s", ref->repository, ref->tag);
	return xasprintf("%s@%s", ref->repository, ref->digest);
}

bool image_ref_is(const struct image_ref *ref, const char *canonical_name)
{
	auto_free char *text = image_ref_text(ref);
	auto_reference struct reference parsed = { 0 };
	auto_free char *key = NULL;
	struct error err;

	if (reference_parse(text, &parsed, &err) < 0)
		return false;
	key = reference_key(&parsed);
	return strcmp(key, canonical_name) == 0;
}

int image_set_tag(struct store *store, const struct reference *ref, const struct digest *image,
		  struct digest *ret_moved_from, struct error *err)
{
	auto_free char *key = reference_key(ref);
	auto_free char *repository = reference_familiar_name(ref);
	bool by_digest = digest_is_set(&ref->digest);
	struct reference_row row = {
		.name = key,
		.repository = repository,
		.tag = by_digest ? NULL : ref->tag,
		.digest = by_digest ? ref->digest.text : NULL,
	};

	return rows_reference_set(store->db, &row, image, ret_moved_from, err);
}

/* Docker says which of the two names is wrong. */
static int check_source(const char *source, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	if (reference_is_id(source, NULL) || reference_parse(source, &ref, err) == 0)
		return 0;
	return err_add(err, "error parsing reference: \"%s\" is not a valid repository/tag",
		       source);
}

int image_tag(struct store *store, const char *source, const char *target, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_image struct image image = { 0 };
	auto_tx struct db_tx tx = { 0 };
	struct digest moved_from;

	if (check_source(source, err) < 0 || reference_parse_target(target, &ref, err) < 0)
		return -1;
	if (db_begin(&tx, store->db, err) < 0 || image_find(store, source, &image, NULL, err) < 0 ||
	    image_set_tag(store, &ref, &image.id, &moved_from, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

int64_t image_thin(struct store *store, const struct image *image, struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	int got;

	if (!digest_is_set(&image->top))
		return rows_template(store->db, err);
	got = rows_layer_get(store->db, &image->top, &row, err);
	if (got == 0)
		return err_set(err, ERR_CORRUPT,
			       "layer %s of image %s is not in the catalogue: run 'veneer check'",
			       image->top.text, image->id.text);
	return got < 0 ? -1 : (int64_t)row.thin_id;
}

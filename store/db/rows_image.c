/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows_image.h"

#include "db/rows.h"

static int put_image(struct db *db, const struct image_row *row, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	const char *top = row->nr_layers ? row->chain_ids[row->nr_layers - 1].text : NULL;

	if (db_prepare(db,
		       "INSERT OR IGNORE INTO image"
		       " (id, top, parent, created_ns, size_bytes, architecture, os, used_ns)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ifnull(?6, ''), ifnull(?7, ''), ?8)",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, row->id.text);
	db_bind_text(stmt, 2, top);
	db_bind_text(stmt, 3, row->parent.text);
	if (row->has_created)
		db_bind_int(stmt, 4, row->created_ns);
	db_bind_int(stmt, 5, row->size_bytes);
	db_bind_text(stmt, 6, row->architecture);
	db_bind_text(stmt, 7, row->os);
	db_bind_int(stmt, 8, rows_now_ns());
	return db_step(stmt, err) < 0 ? -1 : db_changes(db);
}

int rows_image_put(struct db *db, const struct image_row *row, struct error *err)
{
	int added = put_image(db, row, err);

	if (added <= 0)
		return added;
	for (size_t i = 0; i < row->nr_layers; i++) {
		if (db_exec(db, err,
			    "INSERT INTO image_layer (image, position, chain_id)"
			    " VALUES (?1, ?2, ?3)",
			    "did", &row->id, (int64_t)i, &row->chain_ids[i]) < 0)
			return -1;
	}
	/* The build cache need not hold them any more: they go when the image goes. */
	return db_exec(db, err,
		       "UPDATE build_step SET held = 0 WHERE held AND chain_id IN"
		       " (SELECT chain_id FROM image_layer WHERE image = ?1)",
		       "d", &row->id);
}

int rows_image_used(struct db *db, const struct digest *id, int64_t known_ns, struct error *err)
{
	int64_t now_ns = rows_now_ns();

	/* A clock that was set back counts, too. */
	if (known_ns <= now_ns && now_ns - known_ns < ROWS_IMAGE_USE_NS)
		return 0;
	return db_exec(db, err, "UPDATE image SET used_ns = ?1 WHERE id = ?2", "id", now_ns, id);
}

int rows_image_pulled(struct db *db, const struct digest *id, struct error *err)
{
	return db_exec(db, err, "UPDATE image SET pulled = 1 WHERE id = ?1 AND NOT pulled", "d",
		       id);
}

static int get_holder(struct db *db, const char *name, struct digest *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	*ret = (struct digest){ 0 };
	if (db_prepare(db, "SELECT image FROM reference WHERE name = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got > 0)
		db_digest(stmt, 0, ret);
	return got < 0 ? -1 : 0;
}

int rows_reference_set(struct db *db, const struct reference_row *row, const struct digest *image,
		       struct digest *ret_moved_from, struct error *err)
{
	if (get_holder(db, row->name, ret_moved_from, err) < 0)
		return -1;
	if (digest_equal(ret_moved_from, image))
		*ret_moved_from = (struct digest){ 0 };
	if (db_exec(db, err,
		    "INSERT INTO reference (name, repository, tag, digest, image)"
		    " VALUES (?1, ?2, ?3, ?4, ?5)"
		    " ON CONFLICT (name) DO UPDATE SET image = excluded.image",
		    "ssssd", row->name, row->repository, row->tag, row->digest, image) < 0)
		return -1;
	return db_exec(db, err, "UPDATE image SET tagged_ns = ?2 WHERE id = ?1", "di", image,
		       rows_now_ns());
}

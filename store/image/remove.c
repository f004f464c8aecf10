/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash safety: names and image rows go in one catalogue transaction together
 * with the intents for the layers that nothing else needs, and notes of the
 * blobs that lose their rows. Killed before its commit, nothing has happened;
 * after it, the layers are garbage that the journal removes, and the blobs are
 * garbage that blob/gc removes.
 */
#include "image/remove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "blob/gc.h"
#include "db/journal.h"
#include "db/recover.h"
#include "db/rows.h"
#include "store.h"

/* One removal on its way: everything up to finish() is inside tx. */
struct work {
	struct store *store;
	struct db_tx tx;
	uint64_t txid;
	struct removal *report;
};

static void work_done(struct work *work)
{
	db_rollback(&work->tx);
}
#define auto_work __attribute__((cleanup(work_done)))

void removal_done(struct removal *removal)
{
	for (size_t i = 0; i < removal->nr; i++)
		free(removal->steps[i].what);
	free(removal->steps);
	*removal = (struct removal){ 0 };
}

static void add_step(struct removal *report, bool deleted, char *what)
{
	report->steps = xrealloc(report->steps, (report->nr + 1) * sizeof(*report->steps));
	report->steps[report->nr++] = (struct removal_step){ .deleted = deleted, .what = what };
}

static int begin(struct work *work, struct error *err)
{
	if (db_begin(&work->tx, work->store->db, err) < 0)
		return -1;
	return journal_next_txid(work->store->db, &work->txid, err);
}

/* Marks the orphans, commits, deletes volumes and blobs. */
static int finish(struct work *work, struct error *err)
{
	auto_orphan_list struct orphan_list orphans = { 0 };
	struct store *store = work->store;

	if (recover_mark_orphans(store->db, work->txid, &orphans, err) < 0 ||
	    db_commit(&work->tx, err) < 0)
		return -1;
	crash_point("remove-committed");
	for (size_t i = 0; i < orphans.nr; i++) {
		const struct orphan *orphan = &orphans.items[i];

		add_step(work->report, true, xstrdup(orphan->chain_id.text));
		work->report->content_bytes += orphan->content_bytes;
		if (orphan->own_bytes != ROW_SIZE_UNKNOWN)
			work->report->pool_bytes += orphan->own_bytes;
	}
	if (orphans.nr && journal_fulfil(store->db, store->pool, work->txid, NULL, NULL, err) < 0)
		return -1;
	return gc_blobs(&store->root, store->db, err);
}

static int untag(struct work *work, const struct image_ref *ref, struct error *err)
{
	if (db_exec(work->store->db, err,
		    "DELETE FROM reference WHERE repository = ?1 AND tag IS NULLIF(?2, '')"
		    " AND digest IS NULLIF(?3, '')",
		    "sss", ref->repository, ref->tag, ref->digest) < 0)
		return -1;
	add_step(work->report, false, image_ref_text(ref));
	return 0;
}

struct container_use {
	char id[13];
	bool running;
};

/* Returns 1 and the first container of an image, one that runs before others; 0, or -1. */
static int find_container(struct store *store, const struct image *image, struct container_use *ret,
			  struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT id, state IN ('starting', 'running') FROM container"
		       " WHERE image = ?1 ORDER BY 2 DESC, created_ns LIMIT 1",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, image->id.text);
	got = db_step(stmt, err);
	if (got > 0) {
		snprintf(ret->id, sizeof(ret->id), "%s", db_text(stmt, 0));
		ret->running = db_int(stmt, 1) != 0;
	}
	return got;
}

static const char *users(struct store *store, const struct image *image, struct db_stmt **stmt,
			 struct error *err)
{
	if (db_prepare(store->db,
		       "SELECT kind = 'attach', target FROM view WHERE image = ?1 LIMIT 1", stmt,
		       err) < 0)
		return NULL;
	db_bind_text(*stmt, 1, image->id.text);
	switch (db_step(*stmt, err)) {
	case 0:
		return "";
	case 1:
		return db_int(*stmt, 0) ? "attached as '/dev/veneer/" : "mounted at '";
	default:
		return NULL;
	}
}

static int check_container(struct store *store, const struct image *image, bool force,
			   struct error *err)
{
	struct container_use use;
	int got = find_container(store, image, &use, err);

	if (got <= 0 || (force && !use.running))
		return got < 0 ? -1 : 0;
	return err_set(err, ERR_IN_USE,
		       "conflict: unable to delete %.12s (%s be forced) - image is being used by "
		       "%s container %s",
		       digest_hex(&image->id), use.running ? "cannot" : "must",
		       use.running ? "running" : "stopped", use.id);
}

/* Rule 3: what stands in the way of deleting. */
static int check_conflicts(struct store *store, const struct image *image, bool force,
			   struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	const char *use;

	if (image->has_children)
		return err_set(err, ERR_IN_USE,
			       "conflict: unable to delete %.12s (cannot be forced) - image has "
			       "dependent child images",
			       digest_hex(&image->id));
	use = users(store, image, &stmt, err);
	if (!use)
		return -1;
	if (*use)
		return err_set(
			err, ERR_IN_USE,
			"conflict: unable to delete %.12s (cannot be forced) - image is %s%s'",
			digest_hex(&image->id), use, db_text(stmt, 1));
	return check_container(store, image, force, err);
}

static int delete_image(struct work *work, const struct image *image, struct error *err)
{
	if (db_exec(work->store->db, err, "DELETE FROM image WHERE id = ?1", "d", &image->id) < 0)
		return -1;
	add_step(work->report, true, xstrdup(image->id.text));
	return 0;
}

/* Rule 4: untagged, childless, unused recorded parents, upward. */
static int delete_parents(struct work *work, const struct digest *first, struct error *err)
{
	struct digest next = *first;

	while (digest_is_set(&next)) {
		auto_image struct image parent = { 0 };
		struct error conflict;

		if (image_find(work->store, next.text, &parent, NULL, err) < 0)
			return err->kind == ERR_NOT_FOUND ? 0 : -1;
		if (parent.nr_refs || check_conflicts(work->store, &parent, false, &conflict) < 0)
			return 0;
		if (delete_image(work, &parent, err) < 0)
			return -1;
		next = parent.parent;
	}
	return 0;
}

static int delete_with_parents(struct work *work, const struct image *image, bool prune_parents,
			       struct error *err)
{
	for (size_t i = 0; i < image->nr_refs; i++) {
		if (untag(work, &image->refs[i], err) < 0)
			return -1;
	}
	if (delete_image(work, image, err) < 0)
		return -1;
	return prune_parents ? delete_parents(work, &image->parent, err) : 0;
}

static bool same_repository(const struct image *image)
{
	for (size_t i = 1; i < image->nr_refs; i++) {
		if (strcmp(image->refs[0].repository, image->refs[i].repository) != 0)
			return false;
	}
	return true;
}

static size_t count_tags(const struct image *image)
{
	size_t nr = 0;

	for (size_t i = 0; i < image->nr_refs; i++)
		nr += image->refs[i].tag != NULL;
	return nr;
}

/* Rule 2: the operand is an id. */
static int remove_by_id(struct work *work, const struct image *image, bool force,
			bool prune_parents, struct error *err)
{
	if (check_conflicts(work->store, image, force, err) < 0)
		return -1;
	if (!force && image->nr_refs && (count_tags(image) > 1 || !same_repository(image)))
		return err_set(err, ERR_IN_USE,
			       "conflict: unable to delete %.12s (must be forced) - image is "
			       "referenced in multiple repositories",
			       digest_hex(&image->id));
	return delete_with_parents(work, image, prune_parents, err);
}

static void drop_ref(struct image *image, size_t at)
{
	struct image_ref gone = image->refs[at];

	memmove(&image->refs[at], &image->refs[at + 1],
		(image->nr_refs - at - 1) * sizeof(*image->refs));
	image->nr_refs--;
	free(gone.repository);
	free(gone.tag);
	free(gone.digest);
}

static int untag_at(struct work *work, struct image *image, size_t at, struct error *err)
{
	if (untag(work, &image->refs[at], err) < 0)
		return -1;
	drop_ref(image, at);
	return 0;
}

/* Digest references of a repository go with its last tag. */
static int untag_digests(struct work *work, struct image *image, const char *repository,
			 struct error *err)
{
	for (size_t i = 0; i < image->nr_refs; i++) {
		if (image->refs[i].tag && strcmp(image->refs[i].repository, repository) == 0)
			return 0;
	}
	for (size_t i = 0; i < image->nr_refs;) {
		if (strcmp(image->refs[i].repository, repository) != 0)
			i++;
		else if (untag_at(work, image, i, err) < 0)
			return -1;
	}
	return 0;
}

/* Any container, running or not, keeps the last name of its image. */
static int check_name_use(struct store *store, const struct image *image, const char *name,
			  struct error *err)
{
	struct container_use use;
	int got = find_container(store, image, &use, err);

	if (got <= 0)
		return got;
	return err_set(err, ERR_IN_USE,
		       "conflict: unable to remove repository reference \"%s\" (must force) - "
		       "container %s is using its referenced image %.12s",
		       name, use.id, digest_hex(&image->id));
}

/* Rule 1: the operand is the name refs[at]. */
static int remove_by_name(struct work *work, struct image *image, size_t at, bool force,
			  bool prune_parents, struct error *err)
{
	auto_free char *repository = xstrdup(image->refs[at].repository);
	auto_free char *name = image_ref_text(&image->refs[at]);
	bool was_tag = image->refs[at].tag != NULL;
	auto_stmt struct db_stmt *stmt = NULL;
	struct error conflict;
	const char *use = users(work->store, image, &stmt, err);

	if (!use)
		return -1;
	if (!force && *use && image->nr_refs == 1)
		return err_set(
			err, ERR_IN_USE,
			"conflict: unable to remove repository reference \"%s\" (must force) "
			"- image %.12s is %s%s'",
			name, digest_hex(&image->id), use, db_text(stmt, 1));
	if (!force && image->nr_refs == 1 && check_name_use(work->store, image, name, err) < 0)
		return -1;
	if (untag_at(work, image, at, err) < 0 ||
	    (was_tag && untag_digests(work, image, repository, err) < 0))
		return -1;
	if (image->nr_refs || check_conflicts(work->store, image, force, &conflict) < 0)
		return 0;
	return delete_with_parents(work, image, prune_parents, err);
}

int image_remove(struct store *store, const char *operand, bool force, bool prune_parents,
		 struct removal *ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_work struct work work = { .store = store, .report = ret };
	auto_image struct image image = { 0 };
	auto_free char *name = NULL;
	size_t at = 0;

	if (operand[strspn(operand, " \t")] == '\0')
		return err_set(err, ERR_USAGE, "image name cannot be blank");
	/* Looking first costs nothing; the pool is opened only for an image that exists. */
	if (image_find(store, operand, &image, NULL, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND, "No such image: %s", operand);
		return -1;
	}
	image_done(&image);
	if (store_lock_pool(store, &held, err) < 0 || begin(&work, err) < 0 ||
	    image_find(store, operand, &image, &name, err) < 0)
		return -1;
	for (; name && at < image.nr_refs; at++) {
		if (image_ref_is(&image.refs[at], name))
			break;
	}
	if (name && at < image.nr_refs) {
		if (remove_by_name(&work, &image, at, force, prune_parents, err) < 0)
			return -1;
	} else if (remove_by_id(&work, &image, force, prune_parents, err) < 0) {
		return -1;
	}
	return finish(&work, err);
}

/* May this image go in a prune? 1, 0 or -1. */
static int prune_wants(struct store *store, bool all, const struct image_filter *filter,
		       struct image *image, struct error *err)
{
	struct error conflict;
	bool used = check_conflicts(store, image, false, &conflict) < 0;

	if (used && conflict.kind != ERR_IN_USE) {
		*err = conflict;
		return -1;
	}
	if (used || (!all && count_tags(image) > 0))
		return 0;
	return image_filter_match(store, filter, image, err);
}

/*
 * What nothing stands in the way of, once. @ret_parents: images that had a parent
 * are gone, in whose way nothing may stand now.
 */
static int prune_pass(struct work *work, bool all, const struct image_filter *filter,
		      bool *ret_parents, struct error *err)
{
	auto_image_list struct image_list list = { 0 };

	*ret_parents = false;
	if (image_list(work->store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		int wanted = prune_wants(work->store, all, filter, &list.items[i], err);

		if (wanted < 0 ||
		    (wanted && delete_with_parents(work, &list.items[i], true, err) < 0))
			return -1;
		*ret_parents |= wanted && digest_is_set(&list.items[i].parent);
	}
	return 0;
}

int image_prune(struct store *store, bool all, const struct image_filter *filter,
		struct removal *ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_work struct work work = { .store = store, .report = ret };
	auto_image_list struct image_list list = { 0 };
	bool again = true;

	/* An empty store needs no pool for that. */
	if (image_list(store, &list, err) < 0)
		return -1;
	if (!list.nr)
		return 0;
	if (store_lock_pool(store, &held, err) < 0 || begin(&work, err) < 0)
		return -1;
	while (again)
		if (prune_pass(&work, all, filter, &again, err) < 0)
			return -1;
	return finish(&work, err);
}

static int64_t last_use(const struct image *image)
{
	return image->used_ns > image->tagged_ns ? image->used_ns : image->tagged_ns;
}

static bool has_digest_in(const struct image *image, const char *repository)
{
	for (size_t i = 0; i < image->nr_refs; i++)
		if (image->refs[i].digest && strcmp(image->refs[i].repository, repository) == 0)
			return true;
	return false;
}

bool image_can_return(const struct image *image)
{
	for (size_t i = 0; i < image->nr_refs; i++)
		if (!has_digest_in(image, image->refs[i].repository))
			return false;
	return image->pulled && image->nr_refs;
}

/* Returns 1 with the image that can go and was used least recently, 0 without one, or -1. */
static int find_oldest(struct store *store, bool all, struct image_list *list, struct image **ret,
		       struct error *err)
{
	const struct image_filter any = IMAGE_FILTER_NONE;

	*ret = NULL;
	if (image_list(store, list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->nr; i++) {
		struct image *image = &list->items[i];
		int wanted;

		if ((*ret && last_use(image) >= last_use(*ret)) ||
		    (!all && !image_can_return(image)))
			continue;
		wanted = prune_wants(store, true, &any, image, err);
		if (wanted < 0)
			return -1;
		if (wanted)
			*ret = image;
	}
	return *ret != NULL;
}

/* Returns 1 when an image went, 0 when nothing was left to do, or -1. */
static int prune_one(struct store *store, bool all, uint64_t used_bytes, struct removal *ret,
		     struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_work struct work work = { .store = store, .report = ret };
	auto_image_list struct image_list list = { 0 };
	struct volume_pool_info info;
	struct image *image;
	int found;

	if (store_lock_active_pool(store, &held, err) < 0 ||
	    volume_pool_info(store->pool, &info, err) < 0)
		return -1;
	if (info.data_used_bytes <= used_bytes)
		return 0;
	if (begin(&work, err) < 0)
		return -1;
	found = find_oldest(store, all, &list, &image, err);
	if (found <= 0)
		return found;
	/* A parent was built here. */
	if (delete_with_parents(&work, image, all, err) < 0 || finish(&work, err) < 0)
		return -1;
	return 1;
}

int image_prune_oldest(struct store *store, bool all, uint64_t used_bytes, struct removal *ret,
		       struct error *err)
{
	int nr = 0, got;

	while ((got = prune_one(store, all, used_bytes, ret, err)) > 0)
		nr++;
	return got < 0 ? -1 : nr;
}

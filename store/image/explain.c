/* SPDX-License-Identifier: Apache-2.0 */
#include "image/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/shellword.h"
#include "db/db.h"
#include "image/view.h"
#include "limits.h"
#include "store.h"

#define DIGEST_PREFIX "sha256:"
#define OPERAND_MIN   2			 /* hex digits of a chain id */
#define DEEPEST	      (2 * LIMIT_LAYERS) /* thin ids below one; more is a damaged catalogue */
#define IMAGE_NAME(image)                                                             \
	"ifnull((SELECT repository || ':' || tag FROM reference WHERE image = " image \
	" AND tag IS NOT NULL ORDER BY 1 LIMIT 1), " image ")"

void explanation_done(struct explanation *explanation)
{
	free(explanation->kind);
	free(explanation->state);
	free(explanation->created_by);
	free(explanation->container);
	free(explanation->session);
	strlist_done(&explanation->images);
	strlist_done(&explanation->views);
	strlist_done(&explanation->containers);
	strlist_done(&explanation->parents);
	*explanation = (struct explanation){ 0 };
}

void need_list_done(struct need_list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->items[i].kind);
		free(list->items[i].what);
		free(list->items[i].release);
	}
	free(list->items);
	*list = (struct need_list){ 0 };
}

void need_list_add(struct need_list *list, const char *kind, char *what, char *release)
{
	list->items = xrealloc(list->items, (list->nr + 1) * sizeof(*list->items));
	list->items[list->nr++] = (struct need){
		.kind = xstrdup(kind),
		.what = what,
		.release = release,
	};
}

static int texts_of_id(struct store *store, const char *sql, uint32_t id, struct strlist *ret,
		       struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, sql, &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, id);
	return db_texts(stmt, ret, err);
}

static int read_row(struct store *store, struct explanation *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT t.kind, t.state, c.name, s.command FROM thin t"
		       " LEFT JOIN container c ON c.thin_id = t.id"
		       " LEFT JOIN session s ON s.id = t.session WHERE t.id = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, ret->thin_id);
	got = db_step(stmt, err);
	if (got < 0)
		return -1;
	ret->kind = xstrdup(got ? db_text(stmt, 0) : "unknown");
	ret->state = xstrdup(got ? db_text(stmt, 1) : "");
	if (got && !db_is_null(stmt, 2))
		ret->container = xstrdup(db_text(stmt, 2));
	if (got && !db_is_null(stmt, 3))
		ret->session = xstrdup(db_text(stmt, 3));
	return 0;
}

/* The thin id that this one was made from, 0 for none, or -1. A layer's is that of its parent. */
static int64_t origin_of(struct store *store, uint32_t id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db,
		       "SELECT iif(t.kind = 'layer', ifnull("
		       "  (SELECT p.thin_id FROM layer l JOIN layer p ON p.chain_id = l.parent"
		       "   WHERE l.thin_id = t.id),"
		       "  (SELECT id FROM thin WHERE kind = 'template' LIMIT 1)), t.origin)"
		       " FROM thin t WHERE t.id = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, id);
	return db_step(stmt, err) < 0 ? -1 : db_int(stmt, 0);
}

/* Is this id a layer, and the first one that was met? Then the explanation is of it. */
static int take_layer(struct store *store, uint32_t id, struct explanation *ret, char **ret_text,
		      struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT t.kind, l.chain_id, l.diff_id, l.created_by FROM thin t"
		       " LEFT JOIN layer l ON l.thin_id = t.id WHERE t.id = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, id);
	got = db_step(stmt, err);
	if (got < 0)
		return -1;
	if (!got)
		*ret_text = xasprintf("gone (thin id %u)", id);
	else
		*ret_text = xasprintf("%s%s%s (thin id %u)", db_text(stmt, 0),
				      db_is_null(stmt, 1) ? "" : " ", db_text(stmt, 1), id);
	if (got && !db_is_null(stmt, 1) && !digest_is_set(&ret->chain_id)) {
		db_digest(stmt, 1, &ret->chain_id);
		db_digest(stmt, 2, &ret->diff_id);
		ret->created_by = xstrdup(db_text(stmt, 3));
	}
	return 0;
}

static int walk_down(struct store *store, struct explanation *ret, struct error *err)
{
	auto_free char *self = NULL;
	int64_t id = ret->thin_id;

	if (take_layer(store, ret->thin_id, ret, &self, err) < 0)
		return -1;
	for (int i = 0; i < DEEPEST; i++) {
		char *text = NULL;

		id = origin_of(store, (uint32_t)id, err);
		if (id <= 0)
			return (int)id;
		if (take_layer(store, (uint32_t)id, ret, &text, err) < 0)
			return -1;
		strlist_take(&ret->parents, text);
	}
	return 0;
}

static int read_images(struct store *store, struct explanation *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (!digest_is_set(&ret->chain_id))
		return 0;
	if (db_prepare(store->db,
		       "SELECT " IMAGE_NAME("i.image") " FROM image_layer i WHERE i.chain_id = ?1"
						       " ORDER BY 1",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, ret->chain_id.text);
	return db_texts(stmt, &ret->images, err);
}

int explain_thin(struct store *store, uint32_t thin_id, struct explanation *ret, struct error *err)
{
	static const char views[] =
		"SELECT what FROM (SELECT iif(kind = 'attach', '" DEVLINK_DIR
		"/', '') || target AS what, created_ns FROM view WHERE thin_id = ?1"
		" UNION ALL SELECT '" DEVLINK_DIR "/' || name, created_ns FROM volume"
		"  WHERE thin_id = ?1) ORDER BY created_ns";
	static const char containers[] =
		"SELECT name FROM container WHERE thin_id <> ?1 AND (init_id = ?1"
		" OR init_id IN (SELECT id FROM thin WHERE origin = ?1 AND kind = 'init'))"
		" ORDER BY 1";

	*ret = (struct explanation){ .thin_id = thin_id };
	if (read_row(store, ret, err) < 0 || walk_down(store, ret, err) < 0 ||
	    read_images(store, ret, err) < 0 ||
	    texts_of_id(store, views, thin_id, &ret->views, err) < 0 ||
	    texts_of_id(store, containers, thin_id, &ret->containers, err) < 0)
		return -1;
	return 0;
}

/* Rows of kind, what, the command, and its operand or NULL. */
static int add_needs(struct store *store, const char *sql, const char *text, struct need_list *ret,
		     struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db, sql, &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, text);
	while ((got = db_step(stmt, err)) > 0) {
		auto_free char *operand = shellword(db_text(stmt, 3));

		need_list_add(ret, db_text(stmt, 0), xstrdup(db_text(stmt, 1)),
			      db_is_null(stmt, 3) ? xstrdup(db_text(stmt, 2))
						  : xasprintf("%s %s", db_text(stmt, 2), operand));
	}
	return got;
}

#define CONTAINER_COLUMNS                                                     \
	"SELECT iif(c.state IN ('starting', 'running'), 'running container'," \
	"  'container'), c.name, iif(c.state IN ('starting', 'running'),"     \
	"  'veneer rm -f', 'veneer rm'), c.name FROM container c "
#define VIEW_COLUMNS                                                                 \
	"SELECT iif(v.kind = 'attach', 'attachment', 'mount'),"                      \
	" iif(v.kind = 'attach', '" DEVLINK_DIR "/', '') || v.target,"               \
	" iif(v.kind = 'attach', 'veneer detach', 'veneer unmount'), v.target FROM " \
	"view v "

int explain_image_needs(struct store *store, const struct digest *image, struct need_list *ret,
			struct error *err)
{
	/* One name goes with the image; of several, each has to be taken away. */
	static const char tags[] =
		"SELECT 'tag', n, 'veneer rmi', n FROM"
		" (SELECT repository || iif(tag IS NULL, '@' || digest, ':' || tag) AS n,"
		"   count(*) OVER () AS nr FROM reference WHERE image = ?1) WHERE nr > 1"
		" ORDER BY n";
	static const char children[] =
		"SELECT 'child image', " IMAGE_NAME("id") ", 'veneer rmi', " IMAGE_NAME(
			"id") " FROM image WHERE parent = ?1 ORDER BY 2";
	static const char containers[] = CONTAINER_COLUMNS "WHERE c.image = ?1 ORDER BY 2";
	static const char views[] = VIEW_COLUMNS "WHERE v.image = ?1 ORDER BY 2";

	if (add_needs(store, containers, image->text, ret, err) < 0 ||
	    add_needs(store, views, image->text, ret, err) < 0 ||
	    add_needs(store, children, image->text, ret, err) < 0)
		return -1;
	return add_needs(store, tags, image->text, ret, err);
}

int explain_layer_needs(struct store *store, const struct digest *chain_id, struct need_list *ret,
			struct error *err)
{
	static const char *const sql[] = {
		CONTAINER_COLUMNS "JOIN thin i ON i.id = c.init_id"
				  " JOIN layer l ON l.thin_id = i.origin OR l.thin_id = i.id"
				  " WHERE l.chain_id = ?1 ORDER BY 2",
		VIEW_COLUMNS "JOIN thin t ON t.id = v.thin_id"
			     " JOIN layer l ON l.thin_id = t.id OR l.thin_id = t.origin"
			     " WHERE l.chain_id = ?1 ORDER BY 2",
		"SELECT 'image', " IMAGE_NAME("image") ", 'veneer rmi', " IMAGE_NAME(
			"image") " FROM image_layer WHERE chain_id = ?1 ORDER BY 2",
		"SELECT 'child layer', chain_id, 'veneer why-busy', chain_id FROM layer"
		" WHERE parent = ?1 ORDER BY 2",
		"SELECT 'build cache', what, 'veneer builder prune', NULL FROM build_step"
		" WHERE chain_id = ?1 AND held ORDER BY 2",
		"SELECT 'running command', s.command, 'wait until it ends', NULL FROM pin p"
		" JOIN session s ON s.id = p.session WHERE p.chain_id = ?1",
	};

	for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++)
		if (add_needs(store, sql[i], chain_id->text, ret, err) < 0)
			return -1;
	return 0;
}

int explain_find_layer(struct store *store, const char *operand, struct digest *ret,
		       uint32_t *ret_id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	const char *hex = operand;
	size_t len;
	int got;

	if (strncmp(hex, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0)
		hex += strlen(DIGEST_PREFIX);
	len = strlen(hex);
	if (len < OPERAND_MIN || hex[strspn(hex, "0123456789abcdef")])
		return 0;
	if (db_prepare(store->db,
		       "SELECT chain_id, thin_id, count(*) FROM layer"
		       " WHERE chain_id LIKE '" DIGEST_PREFIX "' || ?1 || '%'",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, hex);
	got = db_step(stmt, err);
	if (got <= 0 || db_int(stmt, 2) != 1)
		return got < 0 ? -1 : 0;
	db_digest(stmt, 0, ret);
	*ret_id = (uint32_t)db_int(stmt, 1);
	return 1;
}

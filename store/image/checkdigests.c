/* SPDX-License-Identifier: Apache-2.0 */
#include "image/checkdigests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "layer/seal.h"
#include "store.h"
#include "verity/list.h"

#define TREE_PREFIX "tree-"

/* 1: it belongs there; 0: it does not, and ret_why says why; -1. */
static int look_at_list(struct store *store, const char *name, struct error *ret_why,
			struct error *err)
{
	auto_free char *text = xasprintf(DIGEST_PREFIX "%s", name);
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;
	auto_layer_row struct layer_row row = { 0 };
	struct verity_of of;
	struct digest chain;
	int got;

	if (digest_parse(text, &chain, ret_why) < 0) {
		err_set(ret_why, ERR_CORRUPT, "it is no file of veneer");
		return 0;
	}
	got = rows_layer_get(store->db, &chain, &row, err);
	if (got <= 0) {
		err_set(ret_why, ERR_CORRUPT, "there is no such layer");
		return got;
	}
	/* One below without them, or with damaged ones, is that one's finding. */
	if (seal_of(store, &row, &of, ret_why) < 0) {
		if (ret_why->kind != ERR_NOT_FOUND && ret_why->kind != ERR_CORRUPT &&
		    ret_why->kind != ERR_LIMIT && ret_why->kind != ERR_UNSUPPORTED) {
			*err = *ret_why;
			return -1;
		}
		of.parent_unknown = true;
	}
	if (verity_list_open(&store->root, &of, &list, ret_why) == 0)
		return 1;
	if (ret_why->kind == ERR_CORRUPT || ret_why->kind == ERR_LIMIT)
		return 0;
	*err = *ret_why;
	return -1;
}

static int look_at_tree(struct store *store, const char *name, struct error *ret_why,
			struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db, "SELECT 1 FROM view WHERE verity AND 'tree-' || thin_id = ?1",
		       &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	err_set(ret_why, ERR_CORRUPT, "no view needs it");
	return db_step(stmt, err);
}

static int check_file(struct store *store, const char *name, bool repair,
		      void (*found)(void *ctx, bool mended, const char *text), void *ctx,
		      struct error *err)
{
	bool is_tree = strncmp(name, TREE_PREFIX, strlen(TREE_PREFIX)) == 0;
	auto_free char *path = xasprintf(VERITY_DIR "/%s", name);
	auto_free char *text = NULL;
	struct error why;
	int got = is_tree ? look_at_tree(store, name, &why, err)
			  : look_at_list(store, name, &why, err);

	if (got)
		return got < 0 ? -1 : 0;
	if (repair && unlinkat(store->root.fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", store->root.path, path);
	text = xasprintf("%s: %s%s", path, why.text, repair ? ": removed" : "");
	found(ctx, repair, text);
	return 0;
}

int check_digests(struct store *store, bool repair,
		  void (*found)(void *ctx, bool mended, const char *text), void *ctx,
		  struct error *err)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(store->root.fd, VERITY_DIR, &names);
	for (size_t i = 0; i < names.nr; i++) {
		if (check_file(store, names.items[i], repair, found, ctx, err) < 0)
			return -1;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/viewtree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/affected.h"
#include "layer/seal.h"
#include "store.h"
#include "verity/tree.h"

struct lists {
	struct verity_list *items; /* base first */
	size_t nr;
};

static void lists_done(struct lists *lists)
{
	for (size_t i = 0; i < lists->nr; i++)
		verity_list_done(&lists->items[i]);
	free(lists->items);
}
#define auto_lists __attribute__((cleanup(lists_done)))

static int open_list(struct store *store, const char *chain, struct verity_list *ret,
		     struct error *err)
{
	auto_layer_row struct layer_row row = { 0 };
	struct verity_of of;
	struct digest id;
	int got;

	if (digest_parse(chain, &id, err) < 0)
		return -1;
	got = rows_layer_take(store->db, store->session, &id, &row, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "layer %s is gone", chain);
	if (got > 0 && seal_of(store, &row, &of, err) == 0 &&
	    verity_list_open(&store->root, &of, ret, err) == 0)
		return 0;
	if (got > 0 && err->kind == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND,
			       "layer %s has no digests: 'veneer verify --add' makes them", chain);
	return -1;
}

static int open_lists(struct store *store, const struct image *image, struct lists *ret,
		      struct error *err)
{
	auto_strlist struct strlist chains = { 0 };

	if (affected_chains(store, &image->id, &chains, err) < 0)
		return -1;
	if (!chains.nr)
		return err_set(err, ERR_UNSUPPORTED, "the image has no layers to verify");
	ret->items = xcalloc(chains.nr, sizeof(*ret->items));
	for (size_t i = 0; i < chains.nr; i++) {
		if (open_list(store, chains.items[i], &ret->items[i], err) < 0)
			return -1;
		ret->nr++;
	}
	return 0;
}

static int write_tree(struct viewtree *tree, const struct lists *lists, uint64_t device_bytes,
		      struct error *err)
{
	const struct root *root = &tree->store->root;
	auto_fd int fd = -1;

	tree->temporary = xasprintf("tmp/%" PRId64 "-tree", tree->store->session);
	fd = openat(root->fd, tree->temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(err, errno, "create '%s/%s'", root->path, tree->temporary);
	errno = posix_fallocate(fd, 0, (off_t)tree_bytes(device_bytes));
	if (errno)
		return err_sys(err, errno, "make room for a hash tree of %" PRIu64 " bytes in '%s'",
			       tree_bytes(device_bytes), root->path);
	return tree_write(lists->items, lists->nr, device_bytes, fd, tree->root, err);
}

int viewtree_make(struct store *store, const struct image *image, struct viewtree *ret,
		  struct error *err)
{
	auto_viewtree struct viewtree tree = { .store = store };
	auto_lists struct lists lists = { 0 };
	struct volume_pool_info info;
	struct volume_pool *pool;

	if (store_existing_pool(store, &pool, err) < 0 || store_session(store, err) < 0 ||
	    volume_pool_info(pool, &info, err) < 0 || open_lists(store, image, &lists, err) < 0 ||
	    write_tree(&tree, &lists, info.volume_bytes, err) < 0)
		return err_add(err, "hash tree");
	*ret = tree;
	tree.temporary = NULL;
	return 0;
}

int viewtree_place(struct viewtree *tree, uint32_t thin_id, char **ret_path, struct error *err)
{
	const struct root *root = &tree->store->root;
	auto_free char *name = recover_tree_name(thin_id);

	if (!volume_is_verified(tree->store->pool, thin_id)) {
		if (renameat(root->fd, tree->temporary, root->fd, name) < 0)
			return err_sys(err, errno, "name the hash tree '%s/%s'", root->path, name);
		free(take_ptr(tree->temporary));
	}
	*ret_path = xasprintf("%s/%s", root->path, name);
	return 0;
}

void viewtree_done(struct viewtree *tree)
{
	if (tree->temporary)
		unlinkat(tree->store->root.fd, tree->temporary, 0);
	free(tree->temporary);
	tree->temporary = NULL;
}

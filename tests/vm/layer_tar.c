/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_tar - the tar of a layer that the store made itself, on stdout
 *
 * usage: layer-tar ROOT CHAIN_ID
 *
 * Fails when its digest is not the layer's DiffID.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/io.h"
#include "db/rows.h"
#include "layer/diff.h"
#include "layer/tar_emit.h"
#include "layer/work.h"
#include "store.h"

static int put(void *ctx, const void *data, size_t len, struct error *err)
{
	hasher_add(ctx, data, len);
	return io_write(STDOUT_FILENO, data, len, err);
}

static int emit(struct store *store, const struct layer_row *row, int64_t parent, struct error *err)
{
	auto_hasher struct hasher *hasher = hasher_new();
	auto_change_list struct change_list changes = { 0 };
	auto_volume struct volume *volume = NULL;
	auto_fd int fd = -1;
	const struct diff_args diff = {
		.pool = store->pool,
		.parent_id = (uint32_t)parent,
		.child_id = row->thin_id,
	};
	struct tar_emit_args args = { .changes = &changes, .write = put, .ctx = hasher };
	struct tar_emit_result result;
	struct digest digest;

	if (diff_volumes(&diff, &changes, err) < 0 ||
	    volume_activate_to_read(store->pool, row->thin_id, 0, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_VIEW, &fd, err) < 0)
		return -1;
	args.root_fd = fd;
	if (tar_emit(&args, &result, err) < 0)
		return -1;
	hasher_end(hasher, &digest);
	if (!digest_equal(&digest, &row->diff_id))
		return err_set(err, ERR_CORRUPT, "layer %s: its tar has digest %s, not %s",
			       row->chain_id.text, digest.text, row->diff_id.text);
	return 0;
}

static int run(char **argv, struct error *err)
{
	const struct store_options options = { .root = argv[1], .command = "layer-tar" };
	auto_store struct store *store = NULL;
	auto_layer_row struct layer_row row = { 0 };
	struct volume_pool *pool;
	struct digest chain;
	int64_t parent;
	int got;

	if (digest_parse(argv[2], &chain, err) < 0 || store_open(&options, &store, err) < 0 ||
	    store_pool(store, &pool, err) < 0)
		return -1;
	got = rows_layer_get(store->db, &chain, &row, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "no layer %s", chain.text);
	parent = got < 0 ? -1 : work_thin_of_chain(store, &row.parent, err);
	return parent < 0 ? -1 : emit(store, &row, parent, err);
}

int main(int argc, char **argv)
{
	struct error err;

	if (argc != 3)
		return 2;
	if (run(argv, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return 1;
}

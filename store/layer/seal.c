/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/seal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "store.h"
#include "verity/hash.h"
#include "volume.h"

struct seal {
	struct volume *volume; /* a device of its own */
	struct verity_run *runs;
	size_t nr_runs;
	struct verity_writer *writer;
	struct blocksums *known;
	struct hash_args args;
	pthread_t thread;
	bool running;
	int result;
	struct error err;
};

int seal_of(struct store *store, const struct layer_row *row, struct verity_of *ret,
	    struct error *err)
{
	auto_layer_row struct layer_row parent = { 0 };
	struct volume_pool_info info;
	int got;

	if (volume_pool_info(store->pool, &info, err) < 0)
		return -1;
	*ret = (struct verity_of){
		.chain = row->chain_id,
		.parent = row->parent,
		.thin_id = row->thin_id,
		.block_bytes = info.block_bytes,
	};
	if (!digest_is_set(&row->parent))
		return 0;
	got = rows_layer_get(store->db, &row->parent, &parent, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND, "parent layer %s is gone", row->parent.text);
	return got < 0 ? -1
		       : verity_list_root(&store->root, &row->parent, parent.thin_id,
					  ret->parent_root, err);
}

int seal_runs(struct store *store, const struct layer_row *row, struct verity_run **ret,
	      size_t *ret_nr, struct error *err)
{
	auto_volume_ranges struct volume_ranges ranges = { 0 };
	auto_layer_row struct layer_row parent = { 0 };
	struct volume_pool_info info;

	if (volume_pool_info(store->pool, &info, err) < 0 ||
	    (digest_is_set(&row->parent) &&
	     rows_layer_get(store->db, &row->parent, &parent, err) < 0) ||
	    volume_ranges(store->pool, parent.thin_id, row->thin_id, &ranges, err) < 0)
		return -1;
	*ret = xcalloc(ranges.nr + 1, sizeof(**ret));
	*ret_nr = ranges.nr;
	for (size_t i = 0; i < ranges.nr; i++)
		(*ret)[i] = (struct verity_run){
			ranges.items[i].start_bytes / info.block_bytes,
			ranges.items[i].len_bytes / info.block_bytes,
			ranges.items[i].dropped,
		};
	return 0;
}

uint64_t seal_device_bytes(struct store *store, const struct verity_run *runs, size_t nr,
			   uint64_t block_bytes)
{
	uint64_t end = nr ? (runs[nr - 1].start + runs[nr - 1].length) * block_bytes : 0;
	struct volume_pool_info info;
	struct error err;

	/* A volume of a size of its own may have blocks beyond the others' end. */
	if (volume_pool_info(store->pool, &info, &err) == 0 && end < info.volume_bytes)
		end = info.volume_bytes;
	return end;
}

static int put_piece(void *ctx, const struct hash_piece *piece, struct error *err)
{
	struct seal *seal = ctx;
	uint64_t nr = piece->length * verity_per_block(seal->args.block_bytes);

	for (uint64_t i = 0; i < nr; i++) {
		if (piece->unreadable[i])
			return err_set(err, ERR_IO, "what was just written cannot be read back");
	}
	return verity_write(seal->writer, piece->first, piece->length, piece->sums, err);
}

static void *run(void *ctx)
{
	struct seal *seal = ctx;
	unsigned char root[DIGEST_RAW_LEN];

	seal->result = hash_runs(&seal->args, &seal->err) < 0 ||
				       verity_finish(seal->writer, root, &seal->err) < 0
			       ? -1
			       : 0;
	return NULL;
}

static int start(struct store *store, const struct layer_row *row, const struct verity_of *of,
		 struct seal *seal, struct error *err)
{
	if (seal_runs(store, row, &seal->runs, &seal->nr_runs, err) < 0 ||
	    volume_activate_to_read(
		    store->pool, row->thin_id,
		    seal_device_bytes(store, seal->runs, seal->nr_runs, of->block_bytes),
		    &seal->volume, err) < 0 ||
	    verity_begin(&store->root, store->session, of, seal->runs, seal->nr_runs, &seal->writer,
			 err) < 0)
		return -1;
	seal->args = (struct hash_args){
		.device = volume_device(seal->volume),
		.block_bytes = of->block_bytes,
		.runs = seal->runs,
		.nr_runs = seal->nr_runs,
		.length = UINT64_MAX,
		.known = seal->known,
		.piece = put_piece,
		.ctx = seal,
	};
	crash_point("seal-begun");
	if (pthread_create(&seal->thread, NULL, run, seal) == 0)
		seal->running = true;
	else
		run(seal);
	return 0;
}

int seal_start(struct store *store, const struct layer_row *row, struct blocksums *known,
	       struct seal **ret, struct error *err)
{
	auto_seal struct seal *seal = xcalloc(1, sizeof(*seal));
	struct verity_of of;
	struct error why;

	*ret = NULL;
	seal->known = known;
	if (seal_of(store, row, &of, &why) < 0) {
		log_debug("layer %s gets no digests: %s", row->chain_id.text, why.text);
		return 0;
	}
	if (start(store, row, &of, seal, err) < 0)
		return err_add(err, "digests of layer %s", row->chain_id.text);
	*ret = take_ptr(seal);
	return 0;
}

int seal_wait(struct seal *seal, struct error *err)
{
	if (!seal)
		return 0;
	if (seal->running)
		pthread_join(seal->thread, NULL);
	seal->running = false;
	volume_free(take_ptr(seal->volume));
	crash_point("seal-made");
	if (seal->result == 0)
		return 0;
	*err = seal->err;
	return err_add(err, "digests of a layer");
}

int seal_publish(struct seal *seal, struct error *err)
{
	if (!seal)
		return 0;
	if (verity_publish(seal->writer, err) < 0)
		return -1;
	crash_point("seal-published");
	return 0;
}

void seal_free(struct seal *seal)
{
	if (!seal)
		return;
	if (seal->running)
		pthread_join(seal->thread, NULL);
	volume_free(seal->volume);
	verity_writer_free(seal->writer);
	blocksums_free(seal->known);
	free(seal->runs);
	free(seal);
}

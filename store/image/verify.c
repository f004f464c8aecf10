/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verify.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "image/affected.h"
#include "image/image.h"
#include "image/pace.h"
#include "layer/seal.h"
#include "store.h"
#include "verity/hash.h"
#include "volume.h"

/* One run over layers. */
struct verify {
	struct store *store;
	const struct verify_args *args;
	struct verify_result *result;
	struct layer_row *layers; /* by thin id */
	size_t nr_layers;
	uint64_t total_bytes;
	struct affected affected;
	struct pace pace;
};

struct damaged_block {
	uint64_t block; /* of 4096 bytes */
	bool unreadable;
};

/* One layer that is compared. */
struct comparison {
	struct verify *verify;
	const struct layer_row *row;
	struct verity_list list;
	struct volume *volume;
	pthread_mutex_t mutex;
	struct damaged_block *damaged;
	size_t nr_damaged, cap_damaged;
};

static void verify_done(struct verify *verify)
{
	for (size_t i = 0; i < verify->nr_layers; i++)
		layer_row_done(&verify->layers[i]);
	free(verify->layers);
	affected_done(&verify->affected);
}
#define auto_verify __attribute__((cleanup(verify_done)))

static void comparison_done(struct comparison *cmp)
{
	volume_free(cmp->volume);
	verity_list_done(&cmp->list);
	free(cmp->damaged);
	pthread_mutex_destroy(&cmp->mutex);
}
#define auto_comparison __attribute__((cleanup(comparison_done)))

static void notice(struct verify *verify, const struct layer_row *row, bool bad, const char *what)
{
	auto_free char *text = xasprintf("layer %s, thin id %" PRIu32 ": %s", row->chain_id.text,
					 row->thin_id, what);

	*(bad ? &verify->result->nr_bad : &verify->result->nr_without) += 1;
	verify->args->report->notice(verify->args->report, text, bad);
}

/* ---- which layers ---- */

static bool has_layer(const struct verify *verify, const struct digest *chain)
{
	for (size_t i = 0; i < verify->nr_layers; i++) {
		if (digest_equal(&verify->layers[i].chain_id, chain))
			return true;
	}
	return false;
}

static int take_layers(struct verify *verify, const struct image *image, struct error *err)
{
	auto_strlist struct strlist chains = { 0 };

	if (affected_chains(verify->store, image ? &image->id : NULL, &chains, err) < 0)
		return -1;
	for (size_t i = 0; i < chains.nr; i++) {
		struct layer_row row = { 0 };
		struct digest chain;
		int got;

		if (digest_parse(chains.items[i], &chain, err) < 0)
			return -1;
		got = has_layer(verify, &chain)
			      ? 0
			      : rows_layer_get(verify->store->db, &chain, &row, err);
		if (got < 0)
			return -1;
		if (!got)
			continue; /* taken already, or gone meanwhile */
		verify->layers =
			xrealloc(verify->layers, (verify->nr_layers + 1) * sizeof(*verify->layers));
		verify->layers[verify->nr_layers++] = row;
	}
	return 0;
}

static int by_thin_id(const void *a, const void *b)
{
	uint32_t x = ((const struct layer_row *)a)->thin_id;
	uint32_t y = ((const struct layer_row *)b)->thin_id;

	return x < y ? -1 : x > y;
}

static int find_layers(struct verify *verify, struct error *err)
{
	if (!verify->args->nr_images && take_layers(verify, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < verify->args->nr_images; i++) {
		auto_image struct image image = { 0 };

		if (image_find(verify->store, verify->args->images[i], &image, NULL, err) < 0 ||
		    take_layers(verify, &image, err) < 0)
			return -1;
	}
	if (verify->nr_layers)
		qsort(verify->layers, verify->nr_layers, sizeof(*verify->layers), by_thin_id);
	for (size_t i = 0; i < verify->nr_layers; i++)
		if (verify->layers[i].own_bytes > 0)
			verify->total_bytes += (uint64_t)verify->layers[i].own_bytes;
	return 0;
}

/* ---- one layer ---- */

static int add_missing(struct verify *verify, const struct layer_row *row, struct error *err)
{
	auto_seal struct seal *seal = NULL;

	if (seal_start(verify->store, row, NULL, &seal, err) < 0 || seal_wait(seal, err) < 0 ||
	    seal_publish(seal, err) < 0)
		return -1;
	verify->result->nr_added += seal != NULL;
	return 0;
}

/* Returns 1 with the list, 0 when there is none to go by, -1. */
static int open_list(struct verify *verify, const struct layer_row *row, struct verity_list *ret,
		     struct error *err)
{
	struct store *store = verify->store;
	struct verity_of of;
	struct error why;

	if (seal_of(store, row, &of, &why) < 0) {
		if (why.kind != ERR_NOT_FOUND && why.kind != ERR_CORRUPT && why.kind != ERR_LIMIT &&
		    why.kind != ERR_UNSUPPORTED) {
			*err = why;
			return -1;
		}
		of.parent_unknown = true;
	}
	if (verity_list_open(&store->root, &of, ret, &why) == 0)
		return 1;
	if (why.kind == ERR_NOT_FOUND && verify->args->add &&
	    (add_missing(verify, row, err) < 0 || cancel_check(err) < 0))
		return -1;
	if (why.kind == ERR_NOT_FOUND && verify->args->add &&
	    verity_list_open(&store->root, &of, ret, &why) == 0)
		return 1;
	if (why.kind == ERR_NOT_FOUND)
		notice(verify, row, false,
		       "it has no digests, since it or what it is on was made before there were "
		       "any: 'veneer verify --add' makes them");
	else
		notice(verify, row, true, why.text);
	return 0;
}

static void add_damage(struct comparison *cmp, uint64_t block, bool unreadable)
{
	pthread_mutex_lock(&cmp->mutex);
	if (cmp->nr_damaged == cmp->cap_damaged) {
		cmp->cap_damaged = cmp->cap_damaged ? cmp->cap_damaged * 2 : 64;
		cmp->damaged = xrealloc(cmp->damaged, cmp->cap_damaged * sizeof(*cmp->damaged));
	}
	cmp->damaged[cmp->nr_damaged++] = (struct damaged_block){ block, unreadable };
	pthread_mutex_unlock(&cmp->mutex);
}

static int compare_piece(void *ctx, const struct hash_piece *piece, struct error *err)
{
	struct comparison *cmp = ctx;
	uint64_t per_block = verity_per_block(cmp->list.of.block_bytes);
	uint64_t nr = piece->length * per_block;
	auto_free unsigned char *wanted = malloc(nr * VERITY_SUM_BYTES);

	if (!wanted)
		return err_set(err, ERR_LIMIT, "no memory for digests");
	if (verity_list_sums(&cmp->list, piece->first, piece->length, wanted, err) < 0)
		return -1;
	if (memcmp(wanted, piece->sums, nr * VERITY_SUM_BYTES) == 0)
		return 0;
	for (uint64_t i = 0; i < nr; i++)
		if (memcmp(wanted + i * VERITY_SUM_BYTES, piece->sums + i * VERITY_SUM_BYTES,
			   VERITY_SUM_BYTES) != 0)
			add_damage(cmp, piece->start * per_block + i, piece->unreadable[i]);
	return 0;
}

static int compare_runs(struct comparison *cmp, struct error *err)
{
	const struct verity_list *list = &cmp->list;
	auto_free struct verity_run *runs = NULL;
	size_t nr, same = 0;

	if (seal_runs(cmp->verify->store, cmp->row, &runs, &nr, err) < 0)
		return -1;
	while (same < nr && same < list->nr_runs && runs[same].start == list->runs[same].start &&
	       runs[same].length == list->runs[same].length &&
	       runs[same].dropped == list->runs[same].dropped)
		same++;
	if (same < nr || same < list->nr_runs)
		notice(cmp->verify, cmp->row, true,
		       "the pool maps other blocks of its volume than at its commit");
	return 0;
}

/* ---- telling ---- */

static int by_block(const void *a, const void *b)
{
	uint64_t x = ((const struct damaged_block *)a)->block;
	uint64_t y = ((const struct damaged_block *)b)->block;

	return x < y ? -1 : x > y;
}

static int tell_owner(void *ctx, size_t index, const struct volume_owner *owner, struct error *err)
{
	struct comparison *cmp = ctx;
	struct verify *verify = cmp->verify;
	const struct damaged_block *block = &cmp->damaged[index];
	struct verify_damage damage = {
		.layer = cmp->row->chain_id,
		.thin_id = cmp->row->thin_id,
		.block = block->block,
		.pool_block = block->block / verity_per_block(cmp->list.of.block_bytes),
		.unreadable = block->unreadable,
		.what = owner->what,
		.path = owner->path,
	};
	int result = affected_images(&verify->affected, verify->store, &cmp->row->chain_id,
				     damage.pool_block, &damage.images, err);

	if (result == 0)
		verify->args->report->damage(verify->args->report, &damage);
	strlist_done(&damage.images);
	return result;
}

static int tell_damage(struct comparison *cmp, struct error *err)
{
	auto_free uint64_t *blocks = xcalloc(cmp->nr_damaged + 1, sizeof(*blocks));
	struct error why;
	size_t nr;

	if (!cmp->nr_damaged)
		return 0;
	cmp->verify->result->nr_damaged += cmp->nr_damaged;
	qsort(cmp->damaged, cmp->nr_damaged, sizeof(*cmp->damaged), by_block);
	for (size_t i = 0; i < cmp->nr_damaged; i++)
		blocks[i] = cmp->damaged[i].block;
	nr = cmp->nr_damaged;
	cmp->nr_damaged = 0;
	if (volume_block_owners(cmp->volume, blocks, nr, tell_owner, cmp, &why) == 0)
		return 0;
	for (size_t i = 0; i < nr; i++) {
		struct volume_owner unknown = { "not known", NULL };

		if (tell_owner(cmp, i, &unknown, err) < 0)
			return -1;
	}
	return 0;
}

/* In slices where there is a pace to keep or a place to remember. */
static int read_layer(struct comparison *cmp, struct error *err)
{
	struct verify *verify = cmp->verify;
	uint64_t block_bytes = cmp->list.of.block_bytes;
	uint64_t slice = pace_slice(&verify->pace, block_bytes), at;
	auto_free char *item = xasprintf("%.12s", digest_hex(&cmp->row->chain_id));
	struct hash_args args = {
		.device = volume_device(cmp->volume),
		.block_bytes = block_bytes,
		.runs = cmp->list.runs,
		.nr_runs = cmp->list.nr_runs,
		.piece = compare_piece,
		.ctx = cmp,
		.progress = verify->args->progress,
		.item = item,
		.total_bytes = cmp->list.nr_own * block_bytes,
	};

	for (at = pace_first(&verify->pace, cmp->row->thin_id); at < cmp->list.nr_own;
	     at += args.length) {
		args.first = at;
		args.length = cmp->list.nr_own - at < slice ? cmp->list.nr_own - at : slice;
		args.done_bytes = at * block_bytes;
		if (hash_runs(&args, err) < 0)
			return -1;
		verify->result->read_bytes += args.length * block_bytes;
		/* Before the place is remembered behind it. */
		if (verify->args->resume && tell_damage(cmp, err) < 0)
			return -1;
		if (pace_keep(&verify->pace, cmp->row->thin_id, at + args.length,
			      args.length * block_bytes, verify->result->nr_damaged, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_layer(struct verify *verify, const struct layer_row *row, struct error *err)
{
	auto_comparison struct comparison cmp = {
		.verify = verify,
		.row = row,
		.list = VERITY_LIST_NONE,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	int got = open_list(verify, row, &cmp.list, err), result;
	struct error ignored;

	if (got <= 0)
		return got;
	if (compare_runs(&cmp, err) < 0 ||
	    volume_activate_to_read(verify->store->pool, row->thin_id,
				    seal_device_bytes(verify->store, cmp.list.runs,
						      cmp.list.nr_runs, cmp.list.of.block_bytes),
				    &cmp.volume, err) < 0)
		return -1;
	result = read_layer(&cmp, err);
	/* What was found is told, also when a signal has come. */
	if (tell_damage(&cmp, result < 0 ? &ignored : err) < 0)
		return -1;
	verify->result->nr_layers++;
	return result;
}

/* It stays while it is read, and no longer: a scrub may take days. */
static int verify_layer(struct verify *verify, const struct layer_row *row, struct error *err)
{
	struct store *store = verify->store;
	auto_layer_row struct layer_row taken = { 0 };
	int got = rows_layer_take(store->db, store->session, &row->chain_id, &taken, err);

	if (got <= 0)
		return got;
	if (taken.thin_id == row->thin_id && compare_layer(verify, row, err) < 0)
		return -1;
	return db_exec(store->db, err, "DELETE FROM pin WHERE session = ?1 AND chain_id = ?2", "id",
		       store->session, &row->chain_id);
}

int verify_layers(struct store *store, const struct verify_args *args, struct verify_result *ret,
		  struct error *err)
{
	auto_verify struct verify verify = { .store = store, .args = args, .result = ret };
	struct volume_pool *pool;

	*ret = (struct verify_result){ 0 };
	if (store_existing_pool(store, &pool, err) < 0 || store_session(store, err) < 0 ||
	    pace_open(&verify.pace, &store->root, args->rate_bytes, args->resume, err) < 0 ||
	    find_layers(&verify, err) < 0)
		return -1;
	ret->nr_damaged = verify.pace.nr_damaged;
	for (size_t i = 0; i < verify.nr_layers; i++) {
		if (cancel_check(err) < 0)
			return -1;
		if (pace_is_done(&verify.pace, verify.layers[i].thin_id))
			continue;
		if (verify_layer(&verify, &verify.layers[i], err) < 0)
			return err_add(err, "verify layer %s", verify.layers[i].chain_id.text);
	}
	return pace_end(&verify.pace, err);
}

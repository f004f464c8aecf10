/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pull.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "blob/blob.h"
#include "layer/layer.h"
#include "layer/stream.h"
#include "limits.h"
#include "registry/keep.h"
#include "registry/resolve.h"
#include "registry/source.h"
#include "store.h"

struct pull {
	struct store *store;
	const struct reference *ref;
	const char *platform;
	struct source *source;
	struct resolved *resolved;
	struct layer_builder *builder;
	struct digest *chain_ids;
	bool *unwanted;	 /* of each layer: not from the registry, for all we know */
	size_t nr_there; /* layers at the bottom that the store has */
	int64_t size_bytes;
};

static void pull_done(struct pull *pull)
{
	layer_builder_free(pull->builder);
	free(pull->chain_ids);
	free(pull->unwanted);
}
#define auto_pull __attribute__((cleanup(pull_done)))

static void show(struct pull *pull, size_t layer, const char *phase)
{
	pull->source->show(pull->source, layer, phase, 0, 0);
}

/* Unpacking is shown when the download has nothing more to show. */
struct extraction {
	struct progress progress;
	struct pull *pull;
	size_t layer;
	bool local;
};

static void on_extracted(struct progress *self, const char *item, const char *phase, uint64_t done,
			 uint64_t total)
{
	struct extraction *extraction = (struct extraction *)self;
	struct pull *pull = extraction->pull;

	(void)item;
	(void)phase;
	if (extraction->local || pull->source->is_complete(pull->source, extraction->layer))
		pull->source->show(pull->source, extraction->layer, "Extracting", done, total);
}

/* ---- layers ---- */

/* Counts what is there from the bottom on; pinned, so it stays. */
static int find_present(struct pull *pull, struct error *err)
{
	const struct image_config *config = &pull->resolved->config;
	struct store *store = pull->store;
	int got = 1;

	pull->chain_ids = xcalloc(config->nr_layers + 1, sizeof(*pull->chain_ids));
	for (size_t i = 0; i < config->nr_layers; i++)
		chain_id_next(i ? &pull->chain_ids[i - 1] : NULL, &config->diff_ids[i],
			      &pull->chain_ids[i]);
	while (got > 0 && pull->nr_there < config->nr_layers) {
		auto_layer_row struct layer_row row = { 0 };

		got = rows_layer_take(store->db, store->session, &pull->chain_ids[pull->nr_there],
				      &row, err);
		if (got <= 0)
			break;
		pull->size_bytes += row.content_bytes;
		pull->nr_there++;
	}
	return got < 0 ? -1 : 0;
}

static int start_download(struct pull *pull, struct error *err)
{
	const struct manifest *manifest = &pull->resolved->manifest;

	pull->unwanted = xcalloc(manifest->nr_layers + 1, sizeof(*pull->unwanted));
	for (size_t i = 0; i < manifest->nr_layers; i++) {
		bool there = i < pull->nr_there;

		pull->unwanted[i] =
			there || blob_exists(&pull->store->root, &manifest->layers[i].digest);
		show(pull, i, there ? "Already exists" : "Pulling fs layer");
	}
	for (size_t i = pull->nr_there + 3; i < manifest->nr_layers; i++)
		show(pull, i, "Waiting");
	if (pull->nr_there == manifest->nr_layers)
		return 0;
	return pull->source->start(pull->source, pull->unwanted, manifest->nr_layers, err);
}

/* One attempt, from a blob of the store or from the registry. */
static int add_layer_from(struct pull *pull, size_t at, int blob_fd, struct error *err)
{
	const struct descriptor *desc = &pull->resolved->manifest.layers[at];
	const struct image_config *config = &pull->resolved->config;
	const struct image_history *history = image_config_layer_history(config, at);
	auto_layer_row struct layer_row row = { 0 };
	struct extraction extraction = { { on_extracted }, pull, at, blob_fd >= 0 };
	struct stream_range range = { blob_fd, 0, (uint64_t)desc->size_bytes };
	struct layer_source source = {
		.index = at,
		.diff_id = config->diff_ids[at],
		.blob = desc->digest,
		.created_by = history ? history->created_by : NULL,
		.read = blob_fd >= 0 ? stream_read_range : pull->source->read,
		.read_ctx = blob_fd >= 0 ? (void *)&range : pull->source,
		.total_bytes = (uint64_t)desc->size_bytes,
		.progress = &extraction.progress,
	};

	if (at > 0)
		source.parent = pull->chain_ids[at - 1];
	if (!pull->builder && layer_builder_new(pull->store, &pull->builder, err) < 0)
		return -1;
	if (layer_add(pull->builder, &source, &row, err) < 0) {
		layer_builder_free(take_ptr(pull->builder)); /* it can do nothing else */
		return -1;
	}
	pull->size_bytes += row.content_bytes;
	return 0;
}

/* Returns 1 when it is there, 0 when the registry has to be asked, -1. */
static int add_kept_layer(struct pull *pull, size_t at, struct error *err)
{
	const struct digest *digest = &pull->resolved->manifest.layers[at].digest;
	auto_fd int fd = -1;

	if (!blob_exists(&pull->store->root, digest))
		return 0;
	fd = blob_open(&pull->store->root, digest, err);
	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	show(pull, at, "Download complete");
	if (add_layer_from(pull, at, fd, err) == 0)
		return 1;
	return err->kind == ERR_CORRUPT ? 0 : -1; /* what the disk has damaged is fetched anew */
}

static int add_layer(struct pull *pull, size_t at, struct error *err)
{
	struct source *source = pull->source;
	int result = add_kept_layer(pull, at, err);

	if (result == 0) {
		source->begin(source, at);
		result = add_layer_from(pull, at, -1, err);
		if (result < 0 && err->kind == ERR_CORRUPT && source->restart(source, at))
			result = add_layer_from(pull, at, -1, err);
		if (result < 0)
			source->get_error(source, at, err);
	}
	if (result < 0)
		return -1;
	source->end(source, at);
	show(pull, at, "Pull complete");
	return 0;
}

static int add_layers(struct pull *pull, struct error *err)
{
	if (layer_builder_new(pull->store, &pull->builder, err) < 0 ||
	    find_present(pull, err) < 0 || start_download(pull, err) < 0)
		return -1;
	for (size_t i = pull->nr_there; i < pull->resolved->manifest.nr_layers; i++) {
		if (add_layer(pull, i, err) == 0)
			continue;
		if (i > 0)
			keep_finished(pull->store, pull->ref, &pull->chain_ids[i - 1]);
		return -1;
	}
	return layer_builder_end(pull->builder, err);
}

/* ---- the whole ---- */

static int check_platform(const struct pull *pull, const struct platform *wanted, struct error *err)
{
	char is[PLATFORM_TEXT_SIZE], want[PLATFORM_TEXT_SIZE];
	auto_free char *name = reference_familiar(pull->ref);
	struct platform platform;

	if (!pull->platform || !*pull->platform)
		return 0;
	image_config_platform(&pull->resolved->config, &platform);
	if (platform_rank(wanted, &platform) >= 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "image %s is for %s, not for %s", name,
		       platform_text(&platform, is), platform_text(wanted, want));
}

static int get_config(struct pull *pull, const struct platform *platform, bool there,
		      struct error *err)
{
	struct resolved *resolved = pull->resolved;
	auto_buf struct buf bytes = { 0 };
	int result = there ? blob_read(&pull->store->root, &resolved->manifest.config.digest,
				       LIMIT_JSON_BYTES, &bytes, err)
			   : -1;

	if (result == 0)
		result = resolve_use_config(resolved, &bytes, err);
	else
		result = pull->source->get_config(pull->source, resolved, err);
	return result < 0 ? -1 : check_platform(pull, platform, err);
}

static int keep(struct pull *pull, bool there, bool *ret_news, struct error *err)
{
	const struct keep_args args = {
		.ref = pull->ref,
		.digest = &pull->resolved->digest,
		.id = &pull->resolved->manifest.config.digest,
		.config = there ? NULL : &pull->resolved->config,
		.config_bytes = &pull->resolved->config_bytes,
		.chain_ids = pull->chain_ids,
		.size_bytes = pull->size_bytes,
		.manifest = &pull->resolved->manifest,
		.manifest_bytes = &pull->resolved->manifest_bytes,
		.diff_ids = pull->resolved->config.diff_ids,
	};

	return keep_image(pull->store, &args, ret_news, err);
}

int pull_from(struct store *store, const struct reference *ref, const char *platform_name,
	      struct source *source, struct resolved *resolved, struct pull_result *ret,
	      struct error *err)
{
	auto_pull struct pull pull = { .store = store,
				       .ref = ref,
				       .platform = platform_name,
				       .source = source,
				       .resolved = resolved };
	struct platform platform;
	int there;

	if (platform_parse(platform_name, &platform, err) < 0 ||
	    source->get_manifest(source, resolved, err) < 0)
		return -1;
	there = keep_has_image(store, &resolved->manifest.config.digest, err);
	if (there < 0 || get_config(&pull, &platform, there, err) < 0 ||
	    (!there && add_layers(&pull, err) < 0) || keep(&pull, there, &ret->news, err) < 0)
		return -1;
	ret->digest = resolved->digest;
	return 0;
}

int registry_pull(struct store *store, const struct pull_args *args, struct pull_result *ret,
		  struct error *err)
{
	auto_resolved struct resolved resolved = { 0 };
	auto_source struct source *source = NULL;

	if (source_open(args, &resolved, store->root.fd, "tmp", &source, err) < 0)
		return -1;
	return pull_from(store, args->ref, args->platform, source, &resolved, ret, err);
}

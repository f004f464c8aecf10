/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/intake.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "blob/blob.h"
#include "layer/deflate.h"
#include "layer/inflate.h"
#include "store.h"

struct intake {
	struct store *store;
	struct layer_source source;
	struct stream *stream;
	/* The stream's reader decides with the first bytes. */
	struct blob_writer *blob; /* NULL: it is not kept */
	struct deflate *deflate;  /* NULL: they came compressed */
	bool decided;
};

static int write_kept(void *ctx, const void *data, size_t len, struct error *err)
{
	return blob_write(ctx, data, len, err);
}

static int begin_keeping(struct intake *intake, const void *head, size_t len, struct error *err)
{
	struct store *store = intake->store;

	intake->decided = true;
	if (store->options.drop_blobs)
		return 0;
	if (blob_begin(&store->root, store->session, &intake->blob, err) < 0)
		return -1;
	if (inflate_detect(head, len) == INFLATE_PLAIN)
		intake->deflate = deflate_new(write_kept, intake->blob);
	return 0;
}

static int keep(void *ctx, const void *data, size_t len, struct error *err)
{
	struct intake *intake = ctx;

	if (!intake->decided && begin_keeping(intake, data, len, err) < 0)
		return -1;
	if (!intake->blob)
		return 0;
	return intake->deflate ? deflate_add(intake->deflate, data, len, err)
			       : blob_write(intake->blob, data, len, err);
}

int intake_open(struct store *store, const struct layer_source *source, bool ahead,
		struct intake **ret, struct error *err)
{
	auto_intake struct intake *intake = xcalloc(1, sizeof(*intake));
	struct stream_options options = {
		.read = source->read,
		.read_ctx = source->read_ctx,
		.tee = keep,
		.tee_ctx = intake,
		.kinds = INFLATE_ALL_KINDS,
		.ahead = ahead,
	};

	intake->store = store;
	intake->source = *source;
	if (stream_open(&options, &intake->stream, err) < 0)
		return -1;
	*ret = take_ptr(intake);
	return 0;
}

void intake_free(struct intake *intake)
{
	if (!intake)
		return;
	stream_free(intake->stream); /* first: its reader uses the others */
	deflate_free(intake->deflate);
	blob_writer_free(intake->blob);
	free(intake);
}

size_t intake_index(const struct intake *intake)
{
	return intake->source.index;
}

struct stream *intake_stream(struct intake *intake)
{
	return intake->stream;
}

int intake_check(const struct intake *intake, const struct stream_result *found, struct error *err)
{
	const struct layer_source *source = &intake->source;

	if (digest_is_set(&source->blob) && !digest_equal(&source->blob, &found->blob))
		return err_set(err, ERR_CORRUPT,
			       "filesystem layer verification failed for digest %s (got %s)",
			       source->blob.text, found->blob.text);
	if (digest_is_set(&source->diff_id) && !digest_equal(&source->diff_id, &found->diff_id))
		return err_set(err, ERR_CORRUPT,
			       "invalid diffID for layer %zu: expected \"%s\", got \"%s\"",
			       source->index, source->diff_id.text, found->diff_id.text);
	return 0;
}

void intake_explain(struct intake *intake, struct error *err)
{
	struct stream_result found = { .diff_id = intake->source.diff_id };
	struct error unknown;

	if (err->kind == ERR_CORRUPT && digest_is_set(&intake->source.blob) &&
	    stream_verify(intake->stream, &found.blob, &unknown) == 0)
		intake_check(intake, &found, err);
}

int intake_end(struct intake *intake, const struct stream_result *found, struct digest *ret,
	       struct error *err)
{
	if (!intake->blob)
		return 0;
	if (intake->deflate)
		return deflate_end(intake->deflate, ret, err);
	*ret = found->blob;
	return 0;
}

int intake_finish_blob(struct intake *intake, const struct digest *digest, struct error *err)
{
	return intake->blob ? blob_finish(intake->blob, digest, err) : 0;
}

int intake_publish_blob(struct intake *intake, struct error *err)
{
	return intake->blob ? blob_publish(intake->blob, err) : 0;
}

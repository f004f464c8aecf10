/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/layer_tar.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "blob/blob.h"
#include "layer/diff.h"
#include "layer/stream.h"
#include "layer/tar_emit.h"
#include "layer/work.h"
#include "store.h"
#include "volume.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

/* ---- from the blob ---- */

void layer_blob_done(struct layer_blob *blob)
{
	if (blob->fd >= 0)
		close(take_fd(blob->fd));
}

int layer_blob_open(const struct store *store, const struct layer_row *row, struct layer_blob *ret,
		    struct error *err)
{
	unsigned char magic[INFLATE_MAGIC_BYTES];
	auto_fd int fd = -1;
	struct stat st;
	ssize_t got;

	if (!digest_is_set(&row->blob))
		return 0;
	fd = blob_open(&store->root, &row->blob, err);
	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (fstat(fd, &st) < 0 || (got = pread(fd, magic, sizeof(magic), 0)) < 0)
		return err_sys(err, errno, "read blob %s", row->blob.text);
	*ret = (struct layer_blob){
		.fd = take_fd(fd),
		.digest = row->blob,
		.size = (uint64_t)st.st_size,
		.kind = inflate_detect(magic, (size_t)got),
	};
	return 1;
}

static int damaged(const struct digest *blob, const struct digest *found, struct error *err)
{
	return err_set(err, ERR_CORRUPT,
		       "blob %s holds other bytes (%s): the disk has damaged it; remove and load "
		       "the image again",
		       blob->text, found->text);
}

static void report(const struct layer_sink *sink, const struct layer_row *row, uint64_t done,
		   uint64_t total)
{
	char item[13];

	snprintf(item, sizeof(item), "%.12s", digest_hex(&row->diff_id));
	progress_update(sink->progress, item, sink->phase, done, total);
}

int layer_blob_write(const struct layer_blob *blob, const struct layer_row *row,
		     const struct layer_sink *sink, struct error *err)
{
	auto_free char *chunk = xmalloc(CHUNK_BYTES);
	auto_hasher struct hasher *hasher = hasher_new();
	struct stream_range range = { blob->fd, 0, blob->size };
	struct digest found;
	int got;

	while ((got = stream_read_range(&range, chunk, CHUNK_BYTES, err)) > 0) {
		hasher_add(hasher, chunk, (size_t)got);
		if (sink->write(sink->ctx, chunk, (size_t)got, err) < 0)
			return -1;
		report(sink, row, blob->size - range.size, blob->size);
	}
	if (got < 0)
		return err_add(err, "blob %s", blob->digest.text);
	hasher_end(hasher, &found);
	return digest_equal(&found, &blob->digest) ? 0 : damaged(&blob->digest, &found, err);
}

static int inflate_blob(const struct layer_blob *blob, const struct layer_row *row,
			const struct layer_sink *sink, struct error *err)
{
	auto_stream struct stream *stream = NULL;
	struct stream_range range = { blob->fd, 0, blob->size };
	struct stream_options options = {
		.read = stream_read_range,
		.read_ctx = &range,
		.kinds = INFLATE_ALL_KINDS,
		.max_tar_bytes = (uint64_t)row->tar_bytes,
	};
	struct stream_result found;
	const void *block;
	uint64_t done = 0;
	size_t len;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	for (;;) {
		if (stream_next(stream, &block, &len, err) < 0)
			return err_add(err, "blob %s", blob->digest.text);
		if (!len)
			break;
		if (sink->write(sink->ctx, block, len, err) < 0)
			return -1;
		done += len;
		report(sink, row, done, (uint64_t)row->tar_bytes);
	}
	if (stream_finish(stream, &found, err) < 0)
		return err_add(err, "blob %s", blob->digest.text);
	if (!digest_equal(&found.blob, &blob->digest))
		return damaged(&blob->digest, &found.blob, err);
	if (!digest_equal(&found.diff_id, &row->diff_id))
		return err_set(err, ERR_CORRUPT, "blob %s is no tar of this layer",
			       blob->digest.text);
	return 0;
}

/* ---- from the volume ---- */

struct emission {
	const struct layer_row *row;
	const struct layer_sink *sink;
	struct hasher *hasher;
	uint64_t done;
};

static int other_tar(struct error *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "the blob that it was loaded from is not kept, and the tar that its volume "
		       "gives is not the same: remove the image and load it again with "
		       "\"keep_blobs\" on");
}

static int take(void *ctx, const void *data, size_t len, struct error *err)
{
	struct emission *emission = ctx;
	uint64_t total = (uint64_t)emission->row->tar_bytes;

	if (len > total - emission->done)
		return other_tar(err);
	hasher_add(emission->hasher, data, len);
	emission->done += len;
	if (emission->sink->write(emission->sink->ctx, data, len, err) < 0)
		return -1;
	report(emission->sink, emission->row, emission->done, total);
	return 0;
}

static int emit(struct store *store, struct emission *emission, struct error *err)
{
	auto_change_list struct change_list changes = { 0 };
	auto_volume struct volume *volume = NULL;
	auto_fd int fd = -1;
	int64_t parent = work_thin_of_chain(store, &emission->row->parent, err);
	struct diff_args diff = { .pool = store->pool, .child_id = emission->row->thin_id };
	struct tar_emit_args args = { .changes = &changes, .write = take, .ctx = emission };
	struct tar_emit_result result;

	if (parent < 0)
		return -1;
	diff.parent_id = (uint32_t)parent;
	if (diff_volumes(&diff, &changes, err) < 0 ||
	    volume_activate_to_read(store->pool, diff.child_id, 0, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_VIEW, &fd, err) < 0)
		return -1;
	args.root_fd = fd;
	return tar_emit(&args, &result, err);
}

static int emit_volume(struct store *store, const struct layer_row *row,
		       const struct layer_sink *sink, struct error *err)
{
	auto_hasher struct hasher *hasher = hasher_new();
	struct emission emission = { .row = row, .sink = sink, .hasher = hasher };
	struct volume_pool *pool;
	struct digest found;

	if (store_existing_pool(store, &pool, err) < 0 || emit(store, &emission, err) < 0)
		return -1;
	hasher_end(hasher, &found);
	return digest_equal(&found, &row->diff_id) ? 0 : other_tar(err);
}

int layer_tar_write(struct store *store, const struct layer_row *row, const struct layer_sink *sink,
		    struct error *err)
{
	auto_layer_blob struct layer_blob blob = { .fd = -1 };
	int kept = layer_blob_open(store, row, &blob, err);

	if (kept < 0)
		return -1;
	return kept ? inflate_blob(&blob, row, sink, err) : emit_volume(store, row, sink, err);
}

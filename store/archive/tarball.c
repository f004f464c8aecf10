/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tarball.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/tar_header.h"

/* Two blocks of zeros are the end (POSIX pax(1)). */
static const char zeros[2 * TAR_BLOCK_BYTES];

static int put_header(struct tarball *tarball, const struct tar_header *header, struct error *err)
{
	auto_buf struct buf buf = { 0 };

	tar_header_write(header, &buf);
	return tarball->write(tarball->ctx, buf.data, buf.len, err);
}

int tarball_folder(struct tarball *tarball, const char *name, struct error *err)
{
	struct tar_header header = { .path = name, .type = TAR_DIR, .mode = 0755 };

	return put_header(tarball, &header, err);
}

int tarball_begin(struct tarball *tarball, const char *name, uint64_t size, struct error *err)
{
	struct tar_header header = { .path = name, .type = TAR_FILE, .mode = 0644, .size = size };

	tarball->size = tarball->left = size;
	return put_header(tarball, &header, err);
}

int tarball_write(void *ctx, const void *data, size_t len, struct error *err)
{
	struct tarball *tarball = ctx;

	if (len > tarball->left)
		return err_set(err, ERR_CORRUPT, "more than %" PRIu64 " bytes", tarball->size);
	tarball->left -= len;
	return tarball->write(tarball->ctx, data, len, err);
}

int tarball_end(struct tarball *tarball, struct error *err)
{
	size_t padding = (size_t)(-tarball->size % TAR_BLOCK_BYTES);

	if (tarball->left)
		return err_set(err, ERR_CORRUPT, "%" PRIu64 " bytes instead of %" PRIu64,
			       tarball->size - tarball->left, tarball->size);
	return padding ? tarball->write(tarball->ctx, zeros, padding, err) : 0;
}

int tarball_file(struct tarball *tarball, const char *name, const void *data, size_t len,
		 struct error *err)
{
	if (tarball_begin(tarball, name, len, err) < 0 ||
	    tarball_write(tarball, data, len, err) < 0)
		return -1;
	return tarball_end(tarball, err);
}

int tarball_finish(struct tarball *tarball, struct error *err)
{
	return tarball->write(tarball->ctx, zeros, sizeof(zeros), err);
}

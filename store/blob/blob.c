/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/cleanup.h"
#include "base/io.h"

#define BLOB_DIR    "blobs/sha256"
#define PIECE_BYTES ((size_t)1024 * 1024) /* written at once */
#define NR_PIECES   4u
#define MANY_BYTES  ((size_t)128 * 1024) /* who begins with so many has more */

/*
 * Whole pieces go past the page cache, where the file system takes them so: they need no copy
 * there, and are on the disk long before blob_finish() waits for it. A thread writes them, so that
 * who unpacks what he keeps need not wait for the disk.
 */
struct blob_writer {
	const struct root *root;
	int fd;
	bool direct;	 /* the descriptor's flag */
	uint64_t length; /* of what was taken */
	struct behind *behind;
	char *temporary; /* below the root; NULL once published */
	struct digest digest;
};

static char *blob_name(const struct digest *digest)
{
	return xasprintf(BLOB_DIR "/%s", digest_hex(digest));
}

static void leave_direct(struct blob_writer *writer)
{
	if (writer->direct)
		fcntl(writer->fd, F_SETFL, 0);
	writer->direct = false;
}

/* In the thread, where there is one. */
static int write_piece(void *ctx, const struct behind_piece *piece, struct error *err)
{
	struct blob_writer *writer = ctx;
	int result;

	if (piece->len < PIECE_BYTES)
		leave_direct(writer);
	else if (!piece->offset)
		writer->direct = fcntl(writer->fd, F_SETFL, O_DIRECT) == 0;
	result = io_pwrite(writer->fd, piece->data, piece->len, piece->offset, err);
	/* Some file systems say only now that they cannot. */
	if (result < 0 && err->sys_errno == EINVAL && writer->direct) {
		leave_direct(writer);
		result = io_pwrite(writer->fd, piece->data, piece->len, piece->offset, err);
	}
	return result < 0 ? err_add(err, "keep blob in '%s'", writer->root->path) : 0;
}

int blob_begin(const struct root *root, int64_t session, struct blob_writer **ret,
	       struct error *err)
{
	static atomic_uint counter; /* layers are read in threads */
	auto_blob_writer struct blob_writer *writer = xcalloc(1, sizeof(*writer));
	const struct behind_args args = {
		.nr_pieces = NR_PIECES,
		.piece_bytes = PIECE_BYTES,
		.write = write_piece,
		.ctx = writer,
	};

	writer->root = root;
	writer->temporary = xasprintf("tmp/%" PRId64 "-blob-%u", session, counter++);
	writer->fd = openat(root->fd, writer->temporary,
			    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return err_sys(err, errno, "create '%s/%s'", root->path, writer->temporary);
	writer->behind = behind_new(&args);
	*ret = take_ptr(writer);
	return 0;
}

int blob_write(struct blob_writer *writer, const void *data, size_t len, struct error *err)
{
	bool many = len >= MANY_BYTES;

	while (len) {
		struct behind_piece *piece = behind_open(writer->behind);
		size_t room = PIECE_BYTES - piece->len, part = len < room ? len : room;

		if (!piece->len)
			piece->offset = writer->length;
		if (many)
			behind_touch(writer->behind);
		memcpy(piece->data + piece->len, data, part);
		piece->len += part;
		writer->length += part;
		data = (const uint8_t *)data + part;
		len -= part;
		if (piece->len == PIECE_BYTES && behind_put(writer->behind, err) < 0)
			return -1;
	}
	return 0;
}

int blob_finish(struct blob_writer *writer, const struct digest *digest, struct error *err)
{
	if (behind_drain(writer->behind, err) < 0)
		return -1;
	if (fsync(writer->fd) < 0)
		return err_sys(err, errno, "sync blob in '%s'", writer->root->path);
	writer->digest = *digest;
	return 0;
}

int blob_sync(const struct root *root, struct error *err)
{
	auto_fd int dir = openat(root->fd, BLOB_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, errno, "open '%s/" BLOB_DIR "'", root->path);
	return io_sync_dir(dir, err);
}

int blob_publish(struct blob_writer *writer, struct error *err)
{
	auto_free char *name = blob_name(&writer->digest);

	if (renameat(writer->root->fd, writer->temporary, writer->root->fd, name) < 0)
		return err_sys(err, errno, "keep blob %s", writer->digest.text);
	free(take_ptr(writer->temporary));
	return blob_sync(writer->root, err);
}

void blob_writer_free(struct blob_writer *writer)
{
	if (!writer)
		return;
	behind_free(writer->behind);
	if (writer->temporary)
		unlinkat(writer->root->fd, writer->temporary, 0);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->temporary);
	free(writer);
}

int blob_prepare(const struct root *root, int64_t session, const void *data, size_t len,
		 struct blob_writer **ret, struct digest *ret_digest, struct error *err)
{
	auto_blob_writer struct blob_writer *writer = NULL;

	digest_of(data, len, ret_digest);
	if (blob_begin(root, session, &writer, err) < 0 || blob_write(writer, data, len, err) < 0 ||
	    blob_finish(writer, ret_digest, err) < 0)
		return -1;
	*ret = take_ptr(writer);
	return 0;
}

int blob_read(const struct root *root, const struct digest *digest, size_t max, struct buf *ret,
	      struct error *err)
{
	auto_free char *name = blob_name(digest);
	size_t before = ret->len;
	struct digest found;

	if (io_read_file(root->fd, name, max, ret, err) < 0)
		return err_add(err, "blob %s", digest->text);
	digest_of(ret->data + before, ret->len - before, &found);
	if (!digest_equal(&found, digest))
		return err_set(err, ERR_CORRUPT,
			       "blob %s holds other bytes (%s): the disk has damaged "
			       "it; remove and load the image again",
			       digest->text, found.text);
	return 0;
}

int blob_open(const struct root *root, const struct digest *digest, struct error *err)
{
	auto_free char *name = blob_name(digest);
	int fd = openat(root->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open blob %s", digest->text) : fd;
}

bool blob_exists(const struct root *root, const struct digest *digest)
{
	auto_free char *name = blob_name(digest);

	return faccessat(root->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int blob_remove(const struct root *root, const struct digest *digest, struct error *err)
{
	auto_free char *name = blob_name(digest);

	if (unlinkat(root->fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", root->path, name);
	return 0;
}

int blob_list(const struct root *root, struct digest **ret, size_t *ret_nr, struct error *err)
{
	int fd = openat(root->fd, BLOB_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	auto_free struct digest *digests = NULL;
	struct dirent *entry;
	size_t nr = 0;

	if (!dir)
		return err_sys(err, errno, "read '%s/" BLOB_DIR "'", root->path);
	while ((entry = readdir(dir))) {
		auto_free char *text = xasprintf(DIGEST_PREFIX "%s", entry->d_name);
		struct digest digest;
		struct error foreign;

		if (digest_parse(text, &digest, &foreign) < 0)
			continue;
		digests = xrealloc(digests, (nr + 1) * sizeof(*digests));
		digests[nr++] = digest;
	}
	*ret = take_ptr(digests);
	*ret_nr = nr;
	return 0;
}

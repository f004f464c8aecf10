/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/size.h"
#include "layer/inflate.h"
#include "layer/stream.h"
#include "limits.h"

#define CHUNK_BYTES   (256 * 1024)
#define TAR_BLOCK     512
#define LINK_HOPS_MAX 16 /* links inside an archive; Docker's own layouts need one */

struct member {
	char *name;   /* as path_clean() gives it */
	char *target; /* of a link, clean; NULL for a file */
	uint64_t offset;
	uint64_t size;
	size_t order; /* place in the archive */
};

struct bundle {
	int folder_fd; /* -1 unless the archive is a folder */
	int tar_fd;    /* the archive, or the nameless file where its members wait */
	bool owns_tar_fd;
	struct member *members; /* sorted by name once complete */
	size_t nr;
	size_t cap;
	int *opened; /* files of a folder, kept until the end */
	size_t nr_opened;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int compare_members(const void *a, const void *b)
{
	const struct member *left = a, *right = b;
	int by_name = compare_names(a, b);

	return by_name ? by_name : (left->order > right->order) - (left->order < right->order);
}

static struct member *find_member(const struct bundle *bundle, const char *name)
{
	struct member key = { .name = (char *)(uintptr_t)name };

	if (!bundle->nr)
		return NULL;
	return bsearch(&key, bundle->members, bundle->nr, sizeof(key), compare_names);
}

static struct member *add_member(struct bundle *bundle, char *name, struct error *err)
{
	if (bundle->nr == LIMIT_ARCHIVE_MEMBERS) {
		free(name);
		err_set(err, ERR_LIMIT, "archive has more than %u members", LIMIT_ARCHIVE_MEMBERS);
		return NULL;
	}
	if (bundle->nr == bundle->cap) {
		bundle->cap = bundle->cap ? bundle->cap * 2 : 64;
		bundle->members = xrealloc(bundle->members, bundle->cap * sizeof(*bundle->members));
	}
	bundle->members[bundle->nr] = (struct member){ .name = name, .order = bundle->nr };
	return &bundle->members[bundle->nr++];
}

static void member_done(struct member *member)
{
	free(member->name);
	free(member->target);
}

/* Of members with the same name the last one counts, as when tar extracts. */
static void sort_members(struct bundle *bundle)
{
	size_t kept = 0;

	if (bundle->nr)
		qsort(bundle->members, bundle->nr, sizeof(*bundle->members), compare_members);
	for (size_t i = 0; i < bundle->nr; i++) {
		if (i + 1 < bundle->nr &&
		    compare_names(&bundle->members[i], &bundle->members[i + 1]) == 0)
			member_done(&bundle->members[i]);
		else
			bundle->members[kept++] = bundle->members[i];
	}
	bundle->nr = kept;
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	for (size_t i = 0; i < bundle->nr; i++)
		member_done(&bundle->members[i]);
	free(bundle->members);
	for (size_t i = 0; i < bundle->nr_opened; i++)
		close(bundle->opened[i]);
	free(bundle->opened);
	if (bundle->folder_fd >= 0)
		close(bundle->folder_fd);
	if (bundle->owns_tar_fd && bundle->tar_fd >= 0)
		close(bundle->tar_fd);
	free(bundle);
}

/* Adds the entry that libarchive stands at; a folder, device or the like is none of ours. */
static int take_entry(struct bundle *bundle, struct archive_entry *entry, struct member **ret,
		      struct error *err)
{
	auto_buf struct buf name = { 0 };
	auto_buf struct buf target = { 0 };
	auto_buf struct buf joined = { 0 };
	const char *hard = archive_entry_hardlink(entry);
	const char *soft = archive_entry_symlink(entry);
	const char *raw = archive_entry_pathname(entry);

	*ret = NULL;
	if (!raw || (!hard && !soft && archive_entry_filetype(entry) != AE_IFREG))
		return 0;
	if (strlen(raw) > LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "archive: a name is longer than %d bytes",
			       LIMIT_PATH_BYTES);
	if (path_clean(raw, &name, err) < 0)
		return err_add(err, "archive");
	if (soft && *soft != '/') /* relative to the folder of the link */
		buf_printf(&joined, "%s/../%s", name.data, soft);
	else if (soft || hard)
		buf_puts(&joined, soft ? soft : hard);
	if (joined.len && path_clean(joined.data, &target, err) < 0)
		return err_add(err, "archive: link '%s'", name.data);
	*ret = add_member(bundle, buf_take(&name), err);
	if (!*ret)
		return -1;
	if (joined.len)
		(*ret)->target = buf_take(&target);
	return 0;
}

static int archive_failure(struct archive *archive, struct error *err)
{
	const char *why = archive_error_string(archive);

	if (err->kind) /* our own read callback has said why */
		return -1;
	return err_set(err, ERR_CORRUPT, "not a readable tar archive: %s", why ? why : "damaged");
}

static void archive_free_(struct archive **archive)
{
	archive_read_free(*archive);
}
#define auto_archive __attribute__((cleanup(archive_free_)))

static uint64_t octal(const unsigned char *field, size_t len)
{
	uint64_t value = 0;

	if (field[0] & 0x80) { /* base 256 */
		for (size_t i = len - 8; i < len; i++)
			value = value << 8 | field[i];
		return value;
	}
	for (size_t i = 0; i < len && (field[i] == ' ' || (field[i] >= '0' && field[i] <= '7'));
	     i++)
		value = field[i] == ' ' ? value : value * 8 + (uint64_t)(field[i] - '0');
	return value;
}

/*
 * libarchive tells where an entry's first header is, not where its bytes are:
 * between them stand the headers that carry long names and PAX records.
 */
static int data_offset(int fd, uint64_t at, uint64_t *ret, struct error *err)
{
	unsigned char header[TAR_BLOCK];

	for (unsigned n = 0; n < 16; n++) {
		if (io_pread(fd, header, sizeof(header), at, err) < 0)
			return err_add(err, "archive");
		at += TAR_BLOCK;
		if (!header[156] || !strchr("xXgLK", header[156])) {
			*ret = at;
			return 0;
		}
		at += size_round_up(octal(header + 124, 12) & INT64_MAX, TAR_BLOCK);
	}
	return err_set(err, ERR_CORRUPT, "archive: an entry with too many headers");
}

/* Members of an uncompressed tar file: headers are read, content is skipped by seeking. */
static int index_file(struct bundle *bundle, struct error *err)
{
	auto_archive struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	int got;

	err->kind = 0;
	if (lseek(bundle->tar_fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "archive");
	archive_read_support_format_tar(archive);
	if (archive_read_open_fd(archive, bundle->tar_fd, CHUNK_BYTES) != ARCHIVE_OK)
		return archive_failure(archive, err);
	while ((got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
	       got == ARCHIVE_WARN) {
		uint64_t header = (uint64_t)archive_read_header_position(archive);
		struct member *member;

		if (take_entry(bundle, entry, &member, err) < 0)
			return -1;
		if (!member || member->target)
			continue;
		member->size = (uint64_t)archive_entry_size(entry);
		if (data_offset(bundle->tar_fd, header, &member->offset, err) < 0)
			return -1;
	}
	return got == ARCHIVE_EOF ? 0 : archive_failure(archive, err);
}

/* What the read callback of a pipe needs. */
struct feed {
	struct stream *stream;
	struct error *err;
};

static la_ssize_t feed_archive(struct archive *archive, void *ctx, const void **ret)
{
	struct feed *feed = ctx;
	size_t len;

	if (stream_next(feed->stream, ret, &len, feed->err) < 0) {
		archive_set_error(archive, EIO, "%s", feed->err->text);
		return -1;
	}
	return (la_ssize_t)len;
}

static int spool_member(struct bundle *bundle, struct archive *archive, struct member *member,
			uint64_t *at, struct error *err)
{
	const void *block;
	int64_t offset;
	size_t len;
	int got;

	member->offset = *at;
	while ((got = archive_read_data_block(archive, &block, &len, &offset)) == ARCHIVE_OK ||
	       got == ARCHIVE_WARN) {
		if (cancel_check(err) < 0)
			return -1;
		if (io_pwrite(bundle->tar_fd, block, len, member->offset + (uint64_t)offset, err) <
		    0)
			return err_add(err, "keep '%s' until its turn", member->name);
		member->size = (uint64_t)offset + len;
	}
	*at += member->size;
	return got == ARCHIVE_EOF ? 0 : archive_failure(archive, err);
}

static int spool_all(struct bundle *bundle, struct archive *archive, struct progress *progress,
		     struct error *err)
{
	struct archive_entry *entry;
	uint64_t at = 0;
	int got;

	while ((got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
	       got == ARCHIVE_WARN) {
		struct member *member;

		if (take_entry(bundle, entry, &member, err) < 0)
			return -1;
		if (member && !member->target &&
		    spool_member(bundle, archive, member, &at, err) < 0)
			return -1;
		progress_update(progress, "archive", "Reading", at, 0);
	}
	return got == ARCHIVE_EOF ? 0 : archive_failure(archive, err);
}

/* A nameless file in tmp/: a kill leaves nothing of it. */
static int open_spool(const struct root *root, struct error *err)
{
	int fd = openat(root->fd, "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "temporary file in '%s/tmp'", root->path);
	return fd;
}

static int spool_stream(struct bundle *bundle, int fd, struct progress *progress, struct error *err)
{
	auto_archive struct archive *archive = archive_read_new();
	auto_stream struct stream *stream = NULL;
	struct stream_options options = {
		.read = stream_read_fd,
		.read_ctx = &fd,
		.kinds = INFLATE_ALL_KINDS,
		.no_digests = true,
	};
	struct feed feed = { .err = err };
	struct stream_result rest;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	feed.stream = stream;
	err->kind = 0;
	archive_read_support_format_tar(archive);
	if (archive_read_open(archive, &feed, NULL, feed_archive, NULL) != ARCHIVE_OK)
		return archive_failure(archive, err);
	if (spool_all(bundle, archive, progress, err) < 0)
		return -1;
	/* What follows the tar still belongs to the compressed stream and its checksum. */
	return stream_finish(stream, &rest, err);
}

/* A regular file that is not compressed can be read where it is. */
static bool readable_in_place(int fd)
{
	unsigned char magic[INFLATE_MAGIC_BYTES];
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
		return false;
	got = pread(fd, magic, sizeof(magic), 0);
	return got >= 0 && inflate_detect(magic, (size_t)got) == INFLATE_PLAIN;
}

static int open_archive(const struct root *root, struct bundle *bundle, int fd,
			struct progress *progress, struct error *err)
{
	if (readable_in_place(fd)) {
		bundle->tar_fd = fd;
		return index_file(bundle, err);
	}
	bundle->tar_fd = open_spool(root, err);
	bundle->owns_tar_fd = true;
	if (bundle->tar_fd < 0)
		return -1;
	return spool_stream(bundle, fd, progress, err);
}

static int open_path(const struct root *root, struct bundle *bundle, const char *path,
		     struct progress *progress, struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open %s", path);
	if (S_ISDIR(st.st_mode)) {
		bundle->folder_fd = take_fd(fd);
		return 0;
	}
	if (open_archive(root, bundle, fd, progress, err) < 0)
		return -1;
	if (!bundle->owns_tar_fd) {
		bundle->tar_fd = take_fd(fd);
		bundle->owns_tar_fd = true;
	}
	return 0;
}

int bundle_open(const struct root *root, const char *path, int fd, struct progress *progress,
		struct bundle **ret, struct error *err)
{
	auto_bundle struct bundle *bundle = xcalloc(1, sizeof(*bundle));

	bundle->folder_fd = -1;
	bundle->tar_fd = -1;
	if ((path ? open_path(root, bundle, path, progress, err)
		  : open_archive(root, bundle, fd, progress, err)) < 0)
		return -1;
	sort_members(bundle);
	*ret = take_ptr(bundle);
	return 0;
}

static int find_in_folder(struct bundle *bundle, const char *name, struct bundle_member *ret,
			  struct error *err)
{
	auto_fd int fd = path_open_in_root(bundle->folder_fd, name, O_RDONLY | O_NONBLOCK, 0, err);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CORRUPT, "'%s' is not a file", name);
	if (bundle->nr_opened == LIMIT_ARCHIVE_OPEN)
		return err_set(err, ERR_LIMIT, "more than %d files are needed at once",
			       LIMIT_ARCHIVE_OPEN);
	bundle->opened =
		xrealloc(bundle->opened, (bundle->nr_opened + 1) * sizeof(*bundle->opened));
	*ret = (struct bundle_member){ .fd = fd, .size = (uint64_t)st.st_size };
	bundle->opened[bundle->nr_opened++] = take_fd(fd);
	return 0;
}

/* Follows links between members; NULL when the trail ends nowhere. */
static const struct member *resolve(struct bundle *bundle, const char *name)
{
	const struct member *member = find_member(bundle, name);

	for (unsigned hops = 0; member && member->target; hops++) {
		if (hops == LINK_HOPS_MAX)
			return NULL;
		member = find_member(bundle, member->target);
	}
	return member;
}

int bundle_find(struct bundle *bundle, const char *name, struct bundle_member *ret,
		struct error *err)
{
	auto_buf struct buf clean = { 0 };
	const struct member *member;

	if (path_clean(name, &clean, err) < 0)
		return err_add(err, "archive");
	if (bundle->folder_fd >= 0)
		return find_in_folder(bundle, clean.data, ret, err);
	member = resolve(bundle, clean.data);
	if (!member)
		return err_set(err, ERR_NOT_FOUND, "archive has no '%s'", name);
	*ret = (struct bundle_member){ .fd = bundle->tar_fd,
				       .offset = member->offset,
				       .size = member->size };
	return 0;
}

bool bundle_has(struct bundle *bundle, const char *name)
{
	if (bundle->folder_fd >= 0)
		return faccessat(bundle->folder_fd, name, R_OK, 0) == 0;
	return resolve(bundle, name) != NULL;
}

int bundle_read(struct bundle *bundle, const char *name, size_t max, struct buf *ret,
		struct error *err)
{
	struct bundle_member member;
	auto_free char *bytes = NULL;

	if (bundle_find(bundle, name, &member, err) < 0)
		return -1;
	if (member.size > max)
		return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", name, max);
	bytes = xmalloc(member.size);
	if (io_pread(member.fd, bytes, member.size, member.offset, err) < 0)
		return err_add(err, "'%s'", name);
	buf_append(ret, bytes, member.size);
	return 0;
}

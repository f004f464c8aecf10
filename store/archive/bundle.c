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

#define INDEX_BYTES   (16 * 1024) /* read at once where only headers are wanted */
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
	size_t name_bytes; /* of names and targets of links */
	int *opened;	   /* files of a folder, kept until the end */
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
		err_set(err, ERR_LIMIT, "more than %u members", LIMIT_ARCHIVE_MEMBERS);
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

static void forget_members(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->nr; i++)
		member_done(&bundle->members[i]);
	bundle->nr = 0;
	bundle->name_bytes = 0;
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	forget_members(bundle);
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
		return err_set(err, ERR_LIMIT, "a name is longer than %d bytes", LIMIT_PATH_BYTES);
	if (path_clean(raw, &name, err) < 0)
		return -1;
	if (soft && *soft != '/') /* relative to the folder of the link */
		buf_printf(&joined, "%s/../%s", name.data, soft);
	else if (soft || hard)
		buf_puts(&joined, soft ? soft : hard);
	if (joined.len && path_clean(joined.data, &target, err) < 0)
		return err_add(err, "link '%s'", name.data);
	bundle->name_bytes += name.len + target.len;
	if (bundle->name_bytes > LIMIT_ARCHIVE_NAME_BYTES)
		return err_set(err, ERR_LIMIT, "the names of its members are longer than %u bytes",
			       LIMIT_ARCHIVE_NAME_BYTES);
	*ret = add_member(bundle, buf_take(&name), err);
	if (!*ret)
		return -1;
	if (joined.len)
		(*ret)->target = buf_take(&target);
	return 0;
}

/* What libarchive reads from, and what it had of it. */
struct source {
	int fd; /* read in place */
	uint64_t at, size;
	uint8_t *block;
	struct stream *stream; /* or as a stream */
	bool in_header, has_entry;
	uint64_t header_bytes; /* of the present entry */
	uint64_t total_bytes;
	struct archive *archive;
	struct error *err;
};

static void source_done(struct source *source)
{
	archive_read_free(source->archive);
	free(source->block);
}
#define auto_source __attribute__((cleanup(source_done)))

static int archive_failure(const struct source *source, struct error *err)
{
	const char *why = archive_error_string(source->archive);

	if (err->kind) /* our own read callback has said why */
		return -1;
	if (!source->total_bytes)
		return err_set(err, ERR_CORRUPT, "it is empty");
	if (archive_format(source->archive) == 0)
		return err_set(err, ERR_CORRUPT, "not a tar archive");
	return err_set(err, ERR_CORRUPT, "not a readable tar archive: %s", why ? why : "damaged");
}

static int read_block(struct source *source, const void **ret, size_t *ret_len)
{
	uint64_t left = source->size - source->at;

	if (source->stream)
		return stream_next(source->stream, ret, ret_len, source->err);
	*ret = source->block;
	*ret_len = left < INDEX_BYTES ? (size_t)left : INDEX_BYTES;
	if (io_pread(source->fd, source->block, *ret_len, source->at, source->err) < 0)
		return -1;
	source->at += *ret_len;
	return 0;
}

static la_ssize_t feed_archive(struct archive *archive, void *ctx, const void **ret)
{
	struct source *source = ctx;
	size_t len = 0;

	if (cancel_check(source->err) < 0 || read_block(source, ret, &len) < 0) {
		archive_set_error(archive, EIO, "%s", source->err->text);
		return ARCHIVE_FATAL;
	}
	source->total_bytes += len;
	source->header_bytes += len;
	if (source->in_header && source->header_bytes > LIMIT_TAR_HEADER_BYTES) {
		err_set(source->err, ERR_LIMIT,
			"the headers of one entry are larger than %ju bytes",
			(uintmax_t)LIMIT_TAR_HEADER_BYTES);
		archive_set_error(archive, EIO, "%s", source->err->text);
		return ARCHIVE_FATAL;
	}
	return (la_ssize_t)len;
}

static la_int64_t skip_in_place(struct archive *archive, void *ctx, la_int64_t wanted)
{
	struct source *source = ctx;
	uint64_t left = source->size - source->at;
	uint64_t len = (uint64_t)wanted < left ? (uint64_t)wanted : left;

	(void)archive;
	source->at += len;
	return (la_int64_t)len;
}

/* Either from source->stream or, in place, from source->fd. */
static int open_source(struct source *source, struct error *err)
{
	struct archive *archive = archive_read_new();
	struct stat st;

	source->archive = archive;
	source->err = err;
	err->kind = 0;
	archive_read_support_format_tar(archive);
	if (!source->stream) {
		if (fstat(source->fd, &st) < 0)
			return err_sys(err, errno, "archive");
		source->size = (uint64_t)st.st_size;
		source->block = xmalloc(INDEX_BYTES);
	}
	if (archive_read_open2(archive, source, NULL, feed_archive,
			       source->stream ? NULL : skip_in_place, NULL) != ARCHIVE_OK)
		return archive_failure(source, err);
	return 0;
}

/* Returns 1 and the next entry, 0 at the end, -1. */
static int next_entry(struct source *source, struct archive_entry **ret, struct error *err)
{
	int got;

	/* What is skipped does not count as header. */
	if (source->has_entry && archive_read_data_skip(source->archive) < ARCHIVE_WARN)
		return archive_failure(source, err);
	source->header_bytes = 0;
	source->in_header = true;
	got = archive_read_next_header(source->archive, ret);
	source->in_header = false;
	if (got == ARCHIVE_EOF)
		return 0;
	source->has_entry = got == ARCHIVE_OK || got == ARCHIVE_WARN;
	return source->has_entry ? 1 : archive_failure(source, err);
}

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
 * between them stand the headers that carry long names and PAX records, a
 * volume's name or an ACL.
 */
static int data_offset(int fd, uint64_t at, uint64_t *ret, struct error *err)
{
	unsigned char header[TAR_BLOCK];

	for (unsigned n = 0; n < 16; n++) {
		if (io_pread(fd, header, sizeof(header), at, err) < 0)
			return err_add(err, "archive");
		at += TAR_BLOCK;
		if (!header[156] || !strchr("xXgLKVA", header[156])) {
			*ret = at;
			return 0;
		}
		at += size_round_up(octal(header + 124, 12) & INT64_MAX, TAR_BLOCK);
	}
	return err_set(err, ERR_CORRUPT, "an entry with too many headers");
}

/*
 * Members of an uncompressed tar file: headers are read, content is skipped.
 * Returns 1 when a member cannot be read in place, since it is stored with holes.
 */
static int index_file(struct bundle *bundle, struct error *err)
{
	auto_source struct source source = { .fd = bundle->tar_fd };
	struct archive_entry *entry;
	int more;

	if (open_source(&source, err) < 0)
		return -1;
	while ((more = next_entry(&source, &entry, err)) > 0) {
		uint64_t header = (uint64_t)archive_read_header_position(source.archive);
		struct member *member;

		if (take_entry(bundle, entry, &member, err) < 0)
			return -1;
		if (!member || member->target)
			continue;
		if (archive_entry_sparse_count(entry))
			return 1;
		member->size = (uint64_t)archive_entry_size(entry);
		if (data_offset(bundle->tar_fd, header, &member->offset, err) < 0)
			return -1;
	}
	return more;
}

static int spool_member(struct bundle *bundle, struct source *source, struct member *member,
			uint64_t *at, struct error *err)
{
	const void *block;
	uint64_t end = 0;
	int64_t offset;
	size_t len;
	int got;

	member->offset = *at;
	while ((got = archive_read_data_block(source->archive, &block, &len, &offset)) ==
		       ARCHIVE_OK ||
	       got == ARCHIVE_WARN) {
		if (io_pwrite(bundle->tar_fd, block, len, member->offset + (uint64_t)offset, err) <
		    0)
			return err_add(err, "keep '%s' until its turn", member->name);
		end = (uint64_t)offset + len;
	}
	if (got != ARCHIVE_EOF)
		return archive_failure(source, err);
	if (end > member->size)
		member->size = end;
	if (end < member->size &&
	    ftruncate(bundle->tar_fd, (off_t)(member->offset + member->size)) < 0)
		return err_sys(err, errno, "keep '%s' until its turn", member->name);
	*at += member->size;
	return 0;
}

static int spool_all(struct bundle *bundle, struct source *source, struct progress *progress,
		     struct error *err)
{
	struct archive_entry *entry;
	uint64_t at = 0;
	int more;

	while ((more = next_entry(source, &entry, err)) > 0) {
		struct member *member;

		if (take_entry(bundle, entry, &member, err) < 0)
			return -1;
		if (member && !member->target) {
			member->size = (uint64_t)archive_entry_size(entry);
			if (spool_member(bundle, source, member, &at, err) < 0)
				return -1;
		}
		progress_update(progress, "archive", "Reading", at, 0);
	}
	return more;
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
	auto_stream struct stream *stream = NULL;
	auto_source struct source source = { 0 };
	struct stream_options options = {
		.read = stream_read_fd,
		.read_ctx = &fd,
		.kinds = INFLATE_ALL_KINDS,
		.no_digests = true,
	};
	struct stream_result rest;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	source.stream = stream;
	if (open_source(&source, err) < 0 || spool_all(bundle, &source, progress, err) < 0)
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
		int got;

		bundle->tar_fd = fd;
		got = index_file(bundle, err);
		if (got <= 0)
			return got;
		forget_members(bundle);
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
	if (path && open_path(root, bundle, path, progress, err) < 0)
		return err->sys_errno || err->kind == ERR_CANCELLED ? -1 : err_add(err, "%s", path);
	if (!path && open_archive(root, bundle, fd, progress, err) < 0)
		return err->sys_errno || err->kind == ERR_CANCELLED
			       ? -1
			       : err_add(err, "standard input");
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
		return -1;
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

static bool has_in_folder(struct bundle *bundle, const char *name)
{
	struct error ignored;
	auto_fd int fd = path_open_in_root(bundle->folder_fd, name, O_PATH, 0, &ignored);

	return fd >= 0;
}

bool bundle_has(struct bundle *bundle, const char *name)
{
	if (bundle->folder_fd >= 0)
		return has_in_folder(bundle, name);
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

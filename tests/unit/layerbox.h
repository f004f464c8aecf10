/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layerbox - for tests of layers: tars made field by field, a folder to unpack
 * them in, and what is there afterwards
 */
#ifndef LAYERBOX_H
#define LAYERBOX_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "layer/tar_apply.h"
#include "layer/tree_fs.h"
#include "layer/tree_remove.h"
#include "unit.h"

#define UNUSED __attribute__((unused))

/* ---- tars ---- */

enum flavour {
	USTAR,
	GNU,
	V7,
};

struct th {
	const char *name;
	char type;
	unsigned int mode; /* 0: 0755 for folders, else 0644 */
	int64_t uid, gid;
	int64_t mtime; /* 0: 1000000000 */
	const char *link;
	const char *data;
	int64_t len; /* of data; 0: its strlen */
	unsigned int major, minor;
	enum flavour flavour;
	bool binary;  /* numbers in base 256 */
	int64_t size; /* in the header, when it is not the length of data */
};

static inline void put_number(char *field, size_t width, int64_t value, bool binary)
{
	if (!binary && value >= 0) {
		for (size_t i = width - 1; i-- > 0; value >>= 3)
			field[i] = (char)('0' + (value & 7));
		return;
	}
	for (size_t i = width; i-- > 0; value >>= 8)
		field[i] = (char)(value & 0xff);
	field[0] = (char)(field[0] | 0x80);
}

/* The checksum of the header at that place, computed anew. */
static inline void tar_seal(struct buf *tar, size_t at)
{
	unsigned char *header = (unsigned char *)tar->data + at;
	unsigned int sum = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += header[i];
	put_number((char *)header + 148, 7, sum, false);
	header[154] = '\0';
}

static inline void tar_data(struct buf *tar, const void *data, size_t len)
{
	static const char zeros[512];

	buf_append(tar, data, len);
	buf_append(tar, zeros, -len & 511);
}

/* Returns where the header is. */
static inline size_t tar_put(struct buf *tar, struct th h)
{
	size_t at = tar->len;
	size_t len = h.len ? (size_t)h.len : h.data ? strlen(h.data) : 0;
	char head[512] = { 0 };

	memcpy(head, h.name, strnlen(h.name, 100));
	put_number(head + 100, 8, h.mode ?: (h.type == '5' ? 0755 : 0644), false);
	put_number(head + 108, 8, h.uid, h.binary);
	put_number(head + 116, 8, h.gid, h.binary);
	put_number(head + 124, 12, h.size ?: (int64_t)len, h.binary);
	put_number(head + 136, 12, h.mtime ?: 1000000000, h.binary || h.mtime < 0);
	head[156] = h.type;
	if (h.link)
		memcpy(head + 157, h.link, strnlen(h.link, 100));
	if (h.flavour == USTAR)
		memcpy(head + 257, "ustar\00000", 8);
	if (h.flavour == GNU)
		memcpy(head + 257, "ustar  ", 8);
	if (h.flavour != V7) {
		put_number(head + 329, 8, h.major, h.binary);
		put_number(head + 337, 8, h.minor, h.binary);
	}
	buf_append(tar, head, sizeof(head));
	tar_seal(tar, at);
	tar_data(tar, h.data, len);
	return at;
}

static inline void pax_record(struct buf *pax, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3; /* blank, '=', newline */
	size_t total = rest + 1;

	while ((size_t)snprintf(NULL, 0, "%zu", total) + rest != total)
		total++;
	buf_printf(pax, "%zu %s=", total, key);
	buf_append(pax, value, len);
	buf_putc(pax, '\n');
}

static inline void tar_pax_block(struct buf *tar, char type, const struct buf *pax)
{
	tar_put(tar,
		(struct th){ "PaxHeaders/x", type, .data = pax->data, .len = (int64_t)pax->len });
}

/* key, value, key, value, ..., NULL */
static inline void tar_pax(struct buf *tar, ...)
{
	auto_buf struct buf pax = { 0 };
	const char *key;
	va_list ap;

	va_start(ap, tar);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		pax_record(&pax, key, value, strlen(value));
	}
	va_end(ap);
	tar_pax_block(tar, 'x', &pax);
}

static inline void tar_file(struct buf *tar, const char *name, const char *data)
{
	tar_put(tar, (struct th){ name, '0', .data = data });
}

static inline void tar_dir(struct buf *tar, const char *name)
{
	tar_put(tar, (struct th){ name, '5' });
}

static inline void tar_symlink(struct buf *tar, const char *name, const char *target)
{
	tar_put(tar, (struct th){ name, '2', .link = target, .mode = 0777 });
}

static inline void tar_link(struct buf *tar, const char *name, const char *target)
{
	tar_put(tar, (struct th){ name, '1', .link = target });
}

static inline void tar_end(struct buf *tar)
{
	static const char zeros[1024];

	buf_append(tar, zeros, sizeof(zeros));
}

/* ---- a folder for them ---- */

struct box {
	char path[64];
	int fd;
};

static inline void box_done(struct box *box)
{
	struct error err;

	close(box->fd);
	CU_ASSERT_EQUAL(0, tree_remove(AT_FDCWD, box->path, &err));
}
#define auto_box __attribute__((cleanup(box_done)))

static inline struct box box_in(const char *where)
{
	struct box box;

	snprintf(box.path, sizeof(box.path), "%s/veneer-layer-XXXXXX", where);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(box.path));
	CU_ASSERT_EQUAL_FATAL(0, chmod(box.path, 0755));
	box.fd = open(box.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_FATAL(box.fd >= 0);
	return box;
}

static inline struct box box_new(void)
{
	return box_in("/tmp");
}

/* For thousands of folders: in memory, where there is such a place. */
static inline struct box box_in_memory(void)
{
	return box_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* Owners and devices are root's business. */
static inline bool skip_unless_root(void)
{
	if (geteuid() == 0)
		return false;
	printf("(skipped: needs root) ");
	CU_ASSERT_PTR_NULL(getenv("ROOT_MUST_WORK"));
	return true;
}

struct memory {
	const char *data;
	size_t len;
	size_t step; /* bytes per read; 0: as many as asked for */
};

static inline int read_memory(void *ctx, void *data, size_t len, struct error *err UNUSED)
{
	struct memory *memory = ctx;

	if (memory->step && len > memory->step)
		len = memory->step;
	if (len > memory->len)
		len = memory->len;
	memcpy(data, memory->data, len);
	memory->data += len;
	memory->len -= len;
	return (int)len;
}

static inline int apply_to(struct tree_writer *tree, const struct buf *tar, bool base,
			   struct tar_apply_result *ret, struct error *err)
{
	struct memory memory = { tar->data, tar->len, 0 };
	struct stream_options options = { .read = read_memory, .read_ctx = &memory };
	struct tar_apply_args args = { .tree = tree, .base = base };
	auto_stream struct stream *stream = NULL;

	if (stream_open(&options, &stream, err) < 0)
		return -1;
	args.stream = stream;
	return tar_apply(&args, ret, err);
}

static inline int box_try(struct box *box, const struct buf *tar, bool base,
			  struct tar_apply_result *ret, struct error *err)
{
	auto_tree_fs struct tree_writer *tree = NULL;

	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(box->fd, &tree, err));
	return apply_to(tree, tar, base, ret, err);
}

/* Ends the tar, applies it as a layer that must be fine, and empties it for the next. */
static inline struct tar_apply_result box_apply(struct box *box, struct buf *tar, bool base)
{
	struct tar_apply_result result = { 0 };
	struct error err = { 0 };

	tar_end(tar);
	if (box_try(box, tar, base, &result, &err) < 0) {
		printf("%s ", err.text);
		CU_FAIL("apply");
	}
	buf_reset(tar);
	return result;
}

/* The same for one that must be refused. */
static inline void box_refuse(struct box *box, struct buf *tar, enum err_kind kind,
			      const char *part)
{
	struct tar_apply_result result = { 0 };
	struct error err = { 0 };

	tar_end(tar);
	CU_ASSERT_EQUAL(-1, box_try(box, tar, false, &result, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, part));
	if (err.kind != kind || !strstr(err.text, part))
		printf("kind %d: %s ", err.kind, err.text);
	buf_reset(tar);
}

/* ---- what is there ---- */

static inline void list_dir(int dir_fd, const char *prefix, struct buf *ret)
{
	auto_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int nr = scandirat(fd, ".", &names, NULL, alphasort);

	for (int i = 0; i < nr; i++) {
		auto_free struct dirent *entry = names[i];
		auto_free char *path = xasprintf("%s%s", prefix, entry->d_name);
		auto_free char *below = xasprintf("%s/", path);
		auto_fd int child = -1;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		buf_printf(ret, "%s%s", ret->len ? " " : "", path);
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue;
		buf_putc(ret, '/');
		list_dir(child, below, ret);
	}
	free(names);
}

/* Every path in the box, sorted, folders with a slash: "a/ a/b c". */
static inline void check_tree(struct box *box, const char *expected)
{
	auto_buf struct buf found = { 0 };

	buf_puts(&found, "");
	list_dir(box->fd, "", &found);
	CU_ASSERT_STRING_EQUAL(found.data, expected);
	if (strcmp(found.data, expected) != 0)
		printf("found: %s ", found.data);
}

static inline struct stat stat_in(struct box *box, const char *path)
{
	struct stat st = { 0 };

	CU_ASSERT_EQUAL(0, fstatat(box->fd, path, &st, AT_SYMLINK_NOFOLLOW));
	return st;
}

static inline void check_content(struct box *box, const char *path, const char *expected)
{
	auto_fd int fd = openat(box->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char data[512] = { 0 };

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(read(fd, data, sizeof(data) - 1), (ssize_t)strlen(expected));
	CU_ASSERT_STRING_EQUAL(data, expected);
}

static inline void check_target(struct box *box, const char *path, const char *expected)
{
	char target[PATH_MAX] = { 0 };

	CU_ASSERT(readlinkat(box->fd, path, target, sizeof(target) - 1) > 0);
	CU_ASSERT_STRING_EQUAL(target, expected);
}

/* The length of an attribute, -1 when there is none; its value in ret. */
static inline ssize_t xattr_in(struct box *box, const char *path, const char *name, char *ret,
			       size_t len)
{
	auto_free char *whole = xasprintf("%s/%s", box->path, path);

	return lgetxattr(whole, name, ret, len);
}

#endif

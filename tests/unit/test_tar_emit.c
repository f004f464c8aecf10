/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_emit.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/digest.h"
#include "layer/tar_header.h"
#include "layer/tree_walk.h"
#include "layerbox.h"

/* ---- headers ---- */

static const char *field(const struct buf *tar, size_t block, size_t offset)
{
	return tar->data + block * TAR_BLOCK_BYTES + offset;
}

static void test_plain_header(void)
{
	auto_buf struct buf tar = { 0 };
	struct tar_header header = { .path = "a/b",
				     .type = TAR_FILE,
				     .mode = 04755,
				     .uid = 2097151,
				     .gid = 7,
				     .size = 8589934591,
				     .mtime = 1000000000 };

	tar_header_write(&header, &tar);
	CU_ASSERT_EQUAL_FATAL(tar.len, TAR_BLOCK_BYTES);
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 0), "a/b");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 100), "0004755");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 108), "7777777");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 116), "0000007");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 124), "77777777777");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 136), "07346545000");
	CU_ASSERT_EQUAL(*field(&tar, 0, 156), '0');
	CU_ASSERT_EQUAL(0, memcmp(field(&tar, 0, 257), "ustar\00000", 8));
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 265), "");
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 297), "");
}

static void test_split_path(void)
{
	auto_free char *dir = xasprintf("%0155d", 1);
	auto_free char *name = xasprintf("%0100d", 2);
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_free char *longer = xasprintf("%s/x%s", dir, name);
	struct tar_header header = { .path = path, .type = TAR_FILE };
	auto_buf struct buf tar = { 0 };

	tar_header_write(&header, &tar);
	CU_ASSERT_EQUAL_FATAL(tar.len, TAR_BLOCK_BYTES);
	CU_ASSERT_EQUAL(0, memcmp(field(&tar, 0, 0), name, 100));
	CU_ASSERT_EQUAL(0, memcmp(field(&tar, 0, 345), dir, 155));
	buf_reset(&tar);
	header.path = longer;
	tar_header_write(&header, &tar);
	CU_ASSERT_EQUAL_FATAL(tar.len, 3 * TAR_BLOCK_BYTES);
	CU_ASSERT_EQUAL(*field(&tar, 0, 156), 'x');
	CU_ASSERT_EQUAL(0, strncmp(field(&tar, 1, 0), "267 path=", 9));
}

/* What PAX header comes with this one; "" without. */
static void check_pax(struct tar_header header, const char *expected)
{
	auto_buf struct buf tar = { 0 };

	header.path = "f";
	tar_header_write(&header, &tar);
	CU_ASSERT_EQUAL_FATAL(tar.len, *expected ? 3 * TAR_BLOCK_BYTES : TAR_BLOCK_BYTES);
	if (!*expected)
		return;
	CU_ASSERT_STRING_EQUAL(field(&tar, 1, 0), expected);
	CU_ASSERT_EQUAL(*field(&tar, 0, 156), 'x');
}

static void test_pax_only_when_needed(void)
{
	static const struct tree_xattr xattrs[] = { { "security.capability", "\1\2", 2 },
						    { "user.x", "", 0 } };
	auto_free char *target = xasprintf("%0101d", 3);
	auto_free char *record = xasprintf("115 linkpath=%s\n", target);

	check_pax((struct tar_header){ .type = TAR_DIR, .mtime = 8589934591 }, "");
	check_pax((struct tar_header){ .type = TAR_FILE, .uid = 2097152 }, "15 uid=2097152\n");
	check_pax((struct tar_header){ .type = TAR_FILE, .gid = 2097152 }, "15 gid=2097152\n");
	check_pax((struct tar_header){ .type = TAR_FILE, .mtime = -1 }, "12 mtime=-1\n");
	check_pax((struct tar_header){ .type = TAR_FILE, .mtime = 8589934592 },
		  "20 mtime=8589934592\n");
	check_pax((struct tar_header){ .type = TAR_FILE, .size = 8589934592 },
		  "19 size=8589934592\n");
	check_pax((struct tar_header){ .type = TAR_SYMLINK, .target = target }, record);
	check_pax((struct tar_header){ .type = TAR_SYMLINK, .target = target + 1 }, "");
	check_pax((struct tar_header){ .type = TAR_FILE, .xattrs = xattrs, .nr_xattrs = 2 },
		  "39 SCHILY.xattr.security.capability=\1\2\n24 SCHILY.xattr.user.x=\n");
}

/* ---- trees ---- */

static int keep(void *ctx, const void *data, size_t len, struct error *err UNUSED)
{
	buf_append(ctx, data, len);
	return 0;
}

static struct tar_emit_result emit(struct box *box, const struct change_list *list, struct buf *tar)
{
	struct tar_emit_args args = { box->fd, list, keep, tar };
	struct tar_emit_result result = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, tar_emit(&args, &result, &err));
	CU_ASSERT_EQUAL(result.tar_bytes, tar->len);
	return result;
}

static void write_file(struct box *box, const char *path, const char *text)
{
	auto_fd int fd = openat(box->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void set_time(struct box *box, const char *path, time_t seconds)
{
	struct timespec times[2] = { { .tv_sec = seconds }, { seconds, 999999999 } };

	CU_ASSERT_EQUAL_FATAL(0, utimensat(box->fd, path, times, AT_SYMLINK_NOFOLLOW));
}

static void fill_box(struct box *box)
{
	static const char *const paths[] = {
		"d/f", "d/second", "d/pipe", "d/link", "d.c", "d", "e"
	};

	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->fd, "d", 0755));
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->fd, "e", 0700));
	write_file(box, "d/f", "content");
	write_file(box, "d.c", "");
	CU_ASSERT_EQUAL_FATAL(0, linkat(box->fd, "d/f", box->fd, "d/second", 0));
	CU_ASSERT_EQUAL_FATAL(0, symlinkat("f", box->fd, "d/link"));
	CU_ASSERT_EQUAL_FATAL(0, mkfifoat(box->fd, "d/pipe", 0600));
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		set_time(box, paths[i], 1000000000 + (time_t)i);
}

/* "0 name" for each entry: its type and name. */
static void check_entries(const struct buf *tar, const char *expected)
{
	auto_buf struct buf found = { 0 };
	size_t at = 0;

	while (at + TAR_BLOCK_BYTES <= tar->len && tar->data[at]) {
		char size[13] = { 0 };

		memcpy(size, tar->data + at + 124, 12);
		buf_printf(&found, "%s%c %.100s", found.len ? "\n" : "", tar->data[at + 156],
			   tar->data + at);
		at += TAR_BLOCK_BYTES + (strtoul(size, NULL, 8) + 511) / 512 * 512;
	}
	CU_ASSERT_EQUAL(at + 2 * TAR_BLOCK_BYTES, tar->len);
	CU_ASSERT_STRING_EQUAL(found.data, expected);
	if (strcmp(found.data, expected) != 0)
		printf("found:\n%s\n", found.data);
}

static void test_whole_tree(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct tar_emit_result result;
	struct digest digest;

	if (skip_unless_root())
		return;
	fill_box(&box);
	result = emit(&box, NULL, &tar);
	CU_ASSERT_EQUAL(result.entries, 7);
	CU_ASSERT_EQUAL(result.content_bytes, 7);
	check_entries(&tar, "0 d.c\n5 d/\n0 d/f\n2 d/link\n6 d/pipe\n1 d/second\n5 e/");
	/* The form of these bytes is fixed for ever: built layers are named by it. */
	digest_of(tar.data, tar.len, &digest);
	CU_ASSERT_STRING_EQUAL(
		digest.text,
		"sha256:1e44a17ed8968212b266db3d6d9ee975b2ce1f5a7d691ea378b2d815d94aded2");
}

static void add(struct change_list *list, enum change_kind kind, bool is_dir, const char *path)
{
	change_list_add(list, kind, is_dir, xstrdup(path));
}

static void test_layer(void)
{
	auto_box struct box box = box_new();
	auto_change_list struct change_list list = { 0 };
	auto_buf struct buf tar = { 0 };

	if (skip_unless_root())
		return;
	fill_box(&box);
	add(&list, CHANGE_DELETED, true, "d/gone");
	add(&list, CHANGE_DELETED, false, "a");
	add(&list, CHANGE_MODIFIED, false, "d/second");
	add(&list, CHANGE_DELETED, false, "d/.wh.odd");
	change_list_complete(&list, NULL);
	emit(&box, &list, &tar);
	/* Of one name of the inode: it carries the content. */
	check_entries(&tar, "0 .wh.a\n5 d/\n0 d/.wh.gone\n0 d/second");
}

static int drop(void *ctx, const void *data, size_t len, struct error *err)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)err;
	return 0;
}

static void note(void *ctx, const char *path)
{
	struct buf *paths = ctx;

	buf_printf(paths, "%s%s", paths->len ? " " : "", path);
}

/* Which of the changed paths have names that did not change? As "path path". */
static void check_shared(struct box *box, const char *const *paths, const char *expected)
{
	auto_change_list struct change_list list = { 0 };
	auto_buf struct buf shared = { 0 };
	const struct tar_emit_args args = {
		.root_fd = box->fd, .changes = &list, .write = drop, .ctx = &shared, .shared = note
	};
	struct tar_emit_result result;
	struct error err;

	for (; *paths; paths++)
		add(&list, CHANGE_ADDED, false, *paths);
	change_list_complete(&list, NULL);
	CU_ASSERT_EQUAL_FATAL(0, tar_emit(&args, &result, &err));
	buf_puts(&shared, "");
	CU_ASSERT_STRING_EQUAL(shared.data, expected);
}

static void test_shared(void)
{
	static const char *const one[] = { "d.c", "d/second", "e/third", NULL };
	static const char *const all[] = { "d/f", "d/second", "e/third", NULL };
	auto_box struct box box = box_new();

	if (skip_unless_root())
		return;
	fill_box(&box);
	CU_ASSERT_EQUAL_FATAL(0, linkat(box.fd, "d/f", box.fd, "e/third", 0));
	check_shared(&box, one, "d/second e/third");
	check_shared(&box, all, "");
}

static void test_socket(void)
{
	auto_box struct box box = box_new();
	auto_change_list struct change_list list = { 0 };
	auto_buf struct buf tar = { 0 };

	if (skip_unless_root())
		return;
	CU_ASSERT_EQUAL_FATAL(0, mknodat(box.fd, "new", S_IFSOCK | 0600, 0));
	CU_ASSERT_EQUAL_FATAL(0, mknodat(box.fd, "was-a-file", S_IFSOCK | 0600, 0));
	add(&list, CHANGE_ADDED, false, "new");
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, "a", 0755));
	add(&list, CHANGE_ADDED, true, "a");
	add(&list, CHANGE_MODIFIED, false, "was-a-file");
	emit(&box, &list, &tar);
	/* Where it stands once the volume has no socket any more. */
	check_entries(&tar, "0 .wh.was-a-file\n5 a/");
}

static void test_clamp(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct tar_emit_args args = { .root_fd = box.fd,
				      .write = keep,
				      .ctx = &tar,
				      .clamp = true,
				      .clamp_mtime = 1000000000 };
	struct tar_emit_result result;
	struct error err;

	write_file(&box, "a", "");
	write_file(&box, "b", "");
	set_time(&box, "a", 999999999);
	set_time(&box, "b", 1000000001);
	CU_ASSERT_EQUAL_FATAL(0, tar_emit(&args, &result, &err));
	CU_ASSERT_STRING_EQUAL(field(&tar, 0, 136), "07346544777");
	CU_ASSERT_STRING_EQUAL(field(&tar, 1, 136), "07346545000");
}

static int refuse(void *ctx UNUSED, const void *data UNUSED, size_t len UNUSED, struct error *err)
{
	return err_set(err, ERR_NO_SPACE, "full");
}

static void test_write_fails(void)
{
	auto_box struct box box = box_new();
	struct tar_emit_args args = { box.fd, NULL, refuse, NULL };
	struct tar_emit_result result;
	struct error err;

	write_file(&box, "a", "");
	CU_ASSERT_EQUAL(-1, tar_emit(&args, &result, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
}

UNIT_SUITE(tar_emit, { "a plain header has every field in its place", test_plain_header },
	   { "a long path is split, a longer one goes to PAX", test_split_path },
	   { "PAX comes only when it is needed", test_pax_only_when_needed },
	   { "a whole tree is sorted, and always the same bytes", test_whole_tree },
	   { "a layer has what changed, and whiteouts", test_layer },
	   { "names that are not in the tar are told of", test_shared },
	   { "a socket is left out, but what it replaced is gone", test_socket },
	   { "times are clamped", test_clamp },
	   { "the sink's error comes back", test_write_fails });

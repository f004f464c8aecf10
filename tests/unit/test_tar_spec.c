/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/spec/tar: archives of real tools, and the tree that they mean, which is also what GNU tar
 * makes of them (but for one time of a folder that it forgets). A line is
 *
 *	TYPE PATH MODE UID:GID MTIME [SIZE links N SHA | MAJOR,MINOR | -> TARGET] XATTR=HEX...
 *
 * with bytes beyond printable ASCII in paths and targets as \xHH.
 */
#include <dirent.h>
#include <ftw.h>
#include <sys/sysmacros.h>

#include "base/digest.h"
#include "base/io.h"
#include "layerbox.h"

#define SPEC_DIR "tests/spec/tar"
#define MAX_FILE (4u << 20)

static void put_escaped(struct buf *ret, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c > 32 && c < 127 && c != '\\')
			buf_putc(ret, *text);
		else
			buf_printf(ret, "\\x%02x", c);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_xattrs(struct buf *ret, const char *path)
{
	char names[1024], value[256];
	ssize_t len = llistxattr(path, names, sizeof(names));
	char *list[16];
	size_t nr = 0;

	for (ssize_t at = 0; at < len && nr < 16; at += (ssize_t)strlen(names + at) + 1)
		list[nr++] = names + at;
	qsort(list, nr, sizeof(*list), compare_names);
	for (size_t i = 0; i < nr; i++) {
		ssize_t size = lgetxattr(path, list[i], value, sizeof(value));

		buf_printf(ret, " %s=", list[i]);
		for (ssize_t j = 0; j < size; j++)
			buf_printf(ret, "%02x", (unsigned char)value[j]);
	}
}

static void put_kind(struct buf *ret, const char *path, const struct stat *st)
{
	auto_buf struct buf content = { 0 };
	char target[PATH_MAX] = { 0 };
	struct digest digest;
	struct error err;

	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		buf_puts(&content, "");
		CU_ASSERT_EQUAL(0, io_read_file(AT_FDCWD, path, MAX_FILE, &content, &err));
		digest_of(content.data, content.len, &digest);
		buf_printf(ret, " %jd links %ju %.12s", (intmax_t)st->st_size,
			   (uintmax_t)st->st_nlink, digest_hex(&digest));
		break;
	case S_IFCHR:
	case S_IFBLK:
		buf_printf(ret, " %u,%u", major(st->st_rdev), minor(st->st_rdev));
		break;
	case S_IFLNK:
		CU_ASSERT(readlink(path, target, sizeof(target) - 1) > 0);
		buf_puts(ret, " -> ");
		put_escaped(ret, target);
	}
}

static void put_entry(struct buf *ret, const char *path, const char *name)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(0, lstat(path, &st));
	buf_printf(ret, "%c ", types[st.st_mode >> 12 & 15]);
	put_escaped(ret, name);
	buf_printf(ret, " %04o %u:%u %jd.%09ld", st.st_mode & 07777, st.st_uid, st.st_gid,
		   (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	put_kind(ret, path, &st);
	put_xattrs(ret, path);
	buf_putc(ret, '\n');
}

/* box_names collects, because nftw gives no context to its callback. */
static struct strlist box_names;

static int add_name(const char *path, const struct stat *st UNUSED, int type UNUSED,
		    struct FTW *ftw)
{
	if (ftw->level > 0)
		strlist_add(&box_names, path);
	return 0;
}

static void describe(const struct box *box, struct buf *ret)
{
	nftw(box->path, add_name, 16, FTW_PHYS);
	if (box_names.nr)
		qsort(box_names.items, box_names.nr, sizeof(*box_names.items), compare_names);
	for (size_t i = 0; i < box_names.nr; i++)
		put_entry(ret, box_names.items[i], box_names.items[i] + strlen(box->path) + 1);
	strlist_done(&box_names);
}

static void check_case(int spec_fd, const char *name)
{
	auto_box struct box box = box_new();
	auto_free char *input = xasprintf("%s/input", name);
	auto_free char *expected_name = xasprintf("%s/expected", name);
	auto_buf struct buf tar = { 0 }, expected = { 0 }, found = { 0 };
	struct tar_apply_result result;
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, io_read_file(spec_fd, input, MAX_FILE, &tar, &err));
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(spec_fd, expected_name, MAX_FILE, &expected, &err));
	if (box_try(&box, &tar, true, &result, &err) < 0)
		buf_printf(&found, "error: %s\n", err.text);
	else
		describe(&box, &found);
	CU_ASSERT_STRING_EQUAL(found.data, expected.data);
	if (strcmp(found.data, expected.data) != 0)
		printf("%s:\n%s", name, found.data);
}

static void test_cases(void)
{
	auto_dir DIR *dir = opendir(SPEC_DIR);
	struct dirent *entry;
	int nr = 0;

	if (skip_unless_root())
		return;
	if (!dir) {
		printf("(skipped: no " SPEC_DIR " in this folder) ");
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check_case(dirfd(dir), entry->d_name);
		nr++;
	}
	CU_ASSERT(nr > 0);
}

UNIT_SUITE(tar_spec, { "archives of real tools become what GNU tar makes of them", test_cases });

/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects of tar: what headers can say, and how archives can end. */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <locale.h>

#include "layer/tar_apply.h"
#include "layerbox.h"

static void check_times(struct box *box, const char *path, time_t seconds, long nanoseconds)
{
	struct stat st = stat_in(box, path);

	CU_ASSERT_EQUAL(st.st_mtim.tv_sec, seconds);
	CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, nanoseconds);
	if (st.st_mtim.tv_sec != seconds || st.st_mtim.tv_nsec != nanoseconds)
		printf("%s: %jd.%09ld ", path, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void test_old_tars(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_put(&tar, (struct th){ "v7dir/", '\0', .flavour = V7, .mode = 0750 });
	tar_put(&tar, (struct th){ "v7dir/f", '\0', .flavour = V7, .data = "v7" });
	tar_put(&tar, (struct th){ "v7link", '1', .flavour = V7, .link = "v7dir/f", .size = 2 });
	tar_put(&tar, (struct th){ "ustardir/", '0' });
	tar_put(&tar, (struct th){ "contiguous", '7', .data = "c" });
	tar_put(&tar, (struct th){ "gnu", '0', .flavour = GNU, .data = "g" });
	tar_put(&tar,
		(struct th){ "dump/", 'D', .flavour = GNU, .data = "Yfile\0Nother\0", .len = 14 });
	tar_put(&tar, (struct th){ "label", 'V', .flavour = GNU });
	tar_put(&tar, (struct th){ "last", '0', .data = "l" });
	box_apply(&box, &tar, true);
	check_tree(&box, "contiguous dump/ gnu last ustardir/ v7dir/ v7dir/f v7link");
	check_content(&box, "v7link", "v7");
	CU_ASSERT_EQUAL(stat_in(&box, "v7dir").st_mode, S_IFDIR | 0750);
}

static void test_long_names(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	char name[241], link[301];
	size_t at;

	memset(name, 'n', 240);
	name[240] = '\0';
	memset(link, 't', 300);
	link[300] = '\0';
	tar_put(&tar,
		(struct th){ "././@LongLink", 'K', .flavour = GNU, .data = link, .len = 301 });
	tar_put(&tar,
		(struct th){ "././@LongLink", 'L', .flavour = GNU, .data = name, .len = 241 });
	tar_put(&tar, (struct th){ "nnn", '2', .flavour = GNU, .link = "ttt" });
	name[0] = 'p';
	link[0] = 'q';
	tar_pax(&tar, "path", name, "linkpath", link, NULL);
	tar_put(&tar, (struct th){ "short", '2', .link = "short" });
	at = tar_put(&tar, (struct th){ "base", '0', .data = "x" });
	memcpy(tar.data + at + 345, "pre/fix", 7);
	tar_seal(&tar, at);
	box_apply(&box, &tar, true);
	check_target(&box, name, link);
	name[0] = 'n';
	link[0] = 't';
	check_target(&box, name, link);
	check_content(&box, "pre/fix/base", "x");
}

static void test_numbers(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct stat st;

	if (skip_unless_root())
		return;
	tar_put(&tar, (struct th){ "big", '0', .uid = 3000000000, .gid = 4000000000, .binary = true,
				   .data = "12345" });
	tar_pax(&tar, "uid", "4294967294", "gid", "70000", "size", "3", NULL);
	tar_put(&tar, (struct th){ "pax", '0', .data = "abc", .size = 1 });
	tar_put(&tar, (struct th){ "after", '0', .data = "x" });
	box_apply(&box, &tar, true);
	st = stat_in(&box, "big");
	CU_ASSERT(st.st_uid == 3000000000 && st.st_gid == 4000000000);
	check_content(&box, "big", "12345");
	st = stat_in(&box, "pax");
	CU_ASSERT(st.st_uid == 4294967294 && st.st_gid == 70000);
	check_content(&box, "pax", "abc");
	check_content(&box, "after", "x");
}

static void test_times(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct stat st;

	tar_put(&tar, (struct th){ "before", '0', .mtime = -86400 });
	tar_put(&tar, (struct th){ "long-before", '0', .mtime = -3000000000 });
	tar_put(&tar, (struct th){ "far", '0', .mtime = 20000000000, .binary = true });
	tar_pax(&tar, "mtime", "1234567890.987654321", "atime", "1234567891.5", NULL);
	tar_file(&tar, "nano", "x");
	tar_pax(&tar, "mtime", "-1.5", NULL);
	tar_file(&tar, "half", "x");
	tar_pax(&tar, "mtime", "-2", NULL);
	tar_file(&tar, "whole", "x");
	tar_pax(&tar, "mtime", "99999999999999999999999", NULL);
	tar_dir(&tar, "absurd/");
	tar_pax(&tar, "mtime", "1.000000001999", NULL);
	tar_symlink(&tar, "fine", "x");
	box_apply(&box, &tar, true);
	check_times(&box, "before", -86400, 0);
	check_times(&box, "long-before", -2147483648, 0);
	check_times(&box, "far", 15032385535, 0);
	check_times(&box, "nano", 1234567890, 987654321);
	st = stat_in(&box, "nano");
	CU_ASSERT(st.st_atim.tv_sec == 1234567891 && st.st_atim.tv_nsec == 500000000);
	CU_ASSERT_EQUAL(stat_in(&box, "before").st_atim.tv_sec, -86400);
	check_times(&box, "half", -2, 500000000);
	check_times(&box, "whole", -2, 0);
	check_times(&box, "absurd", 15032385535, 0);
	check_times(&box, "fine", 1, 1);
}

static void put_names(struct buf *tar)
{
	tar_file(tar, "caf\xe9", "latin");
	tar_file(tar, "e\xcc\x81", "decomposed");
	tar_pax(tar, "path", "pax-\xff\xfe", NULL);
	tar_file(tar, "x", "bytes");
	tar_pax(tar, "path", "pax-e\xcc\x81", NULL);
	tar_file(tar, "x", "decomposed");
	tar_pax(tar, "path", "pax-\xc3\xa9", NULL);
	tar_file(tar, "x", "composed");
	tar_pax(tar, "hdrcharset", "BINARY", "path", "bin-\xff", NULL);
	tar_file(tar, "x", "binary");
	tar_pax(tar, "path", "link-\xe9", "linkpath", "to-\xe9", NULL);
	tar_symlink(tar, "x", "x");
	tar_pax(tar, "path", "hard", "linkpath", "pax-\xff\xfe", NULL);
	tar_link(tar, "x", "x");
	tar_pax(tar, "path", "folder-\xff/", NULL);
	tar_put(tar, (struct th){ "x/", '0' });
	tar_file(tar, "new\nline \\ \x01", "odd");
}

static void test_bytes_in_names(void)
{
	static const char *const locales[] = { "C", "C.UTF-8" };

	for (int i = 0; i < 2; i++) {
		auto_box struct box box = box_new();
		auto_buf struct buf tar = { 0 };
		auto_free char *old = xstrdup(setlocale(LC_ALL, NULL));

		CU_ASSERT_PTR_NOT_NULL(setlocale(LC_ALL, locales[i]));
		put_names(&tar);
		box_apply(&box, &tar, true);
		setlocale(LC_ALL, old);
		check_content(&box, "caf\xe9", "latin");
		check_content(&box, "e\xcc\x81", "decomposed");
		check_content(&box, "pax-\xff\xfe", "bytes");
		check_content(&box, "pax-e\xcc\x81", "decomposed");
		check_content(&box, "pax-\xc3\xa9", "composed");
		check_content(&box, "bin-\xff", "binary");
		check_content(&box, "hard", "bytes");
		check_target(&box, "link-\xe9", "to-\xe9");
		check_content(&box, "new\nline \\ \x01", "odd");
		CU_ASSERT_EQUAL(stat_in(&box, "folder-\xff").st_mode, S_IFDIR | 0644);
	}
}

static void test_xattrs(void)
{
	/* VFS_CAP_REVISION_2, effective, CAP_NET_RAW */
	static const char capability[] = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 }, pax = { 0 };
	char value[64];

	if (skip_unless_root())
		return;
	pax_record(&pax, "SCHILY.xattr.security.capability", capability, 20);
	pax_record(&pax, "SCHILY.xattr.user.nul", "a\0b", 3);
	pax_record(&pax, "SCHILY.xattr.user.empty", "", 0);
	pax_record(&pax, "LIBARCHIVE.xattr.user.lib", "aGVsbG8", 7);
	pax_record(&pax, "SCHILY.xattr.strange.space", "x", 1); /* no kernel has it: left out */
	tar_pax_block(&tar, 'x', &pax);
	tar_put(&tar, (struct th){ "ping", '0', .uid = 1, .gid = 1, .mode = 04755, .data = "x" });
	tar_pax(&tar, "SCHILY.xattr.user.dir", "d", NULL);
	tar_dir(&tar, "dir/");
	tar_pax(&tar, "SCHILY.xattr.trusted.t", "t", "SCHILY.xattr.user.not", "x", NULL);
	tar_symlink(&tar, "link", "nowhere");
	tar_pax(&tar, "SCHILY.xattr.trusted.t", "u", NULL);
	tar_put(&tar, (struct th){ "pipe", '6' });
	tar_pax(&tar, "SCHILY.xattr.user.late", "l", NULL);
	tar_put(&tar,
		(struct th){ "hard", '1', .uid = 1, .gid = 1, .mode = 04755, .link = "ping" });
	box_apply(&box, &tar, true);
	CU_ASSERT_EQUAL(xattr_in(&box, "ping", "security.capability", value, 64), 20);
	CU_ASSERT_EQUAL(0, memcmp(value, capability, 20));
	CU_ASSERT_EQUAL(stat_in(&box, "ping").st_mode, S_IFREG | 04755);
	CU_ASSERT_EQUAL(xattr_in(&box, "ping", "user.nul", value, 64), 3);
	CU_ASSERT_EQUAL(0, memcmp(value, "a\0b", 3));
	CU_ASSERT_EQUAL(xattr_in(&box, "ping", "user.empty", value, 64), 0);
	CU_ASSERT_EQUAL(xattr_in(&box, "ping", "user.lib", value, 64), 5);
	CU_ASSERT_EQUAL(0, memcmp(value, "hello", 5));
	CU_ASSERT_EQUAL(xattr_in(&box, "ping", "user.late", value, 64), 1);
	CU_ASSERT_EQUAL(xattr_in(&box, "dir", "user.dir", value, 64), 1);
	CU_ASSERT_EQUAL(xattr_in(&box, "link", "trusted.t", value, 64), 1);
	CU_ASSERT_EQUAL(xattr_in(&box, "pipe", "trusted.t", value, 64), 1);
	/* Attributes of a folder in a lower layer stay, as with Docker. */
	tar_pax(&tar, "SCHILY.xattr.user.more", "m", NULL);
	tar_dir(&tar, "dir/");
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(xattr_in(&box, "dir", "user.dir", value, 64), 1);
	CU_ASSERT_EQUAL(xattr_in(&box, "dir", "user.more", value, 64), 1);
}

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[6];
};

static void test_acls(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct acl acl;

	if (skip_unless_root())
		return;
	/* star's form has the number in a fourth field; GNU tar's numeric one in the second. */
	tar_pax(&tar, "SCHILY.acl.access",
		"user::rw-,group::r--,mask::rwx,user:jo:rwx:1001,user:5:r-x,other::---", NULL);
	tar_put(&tar, (struct th){ "f", '0', .mode = 0670, .data = "x" });
	tar_pax(&tar, "SCHILY.acl.default", "user::rwx,user:7:rwx,group::r-x,mask::rwx,other::r-x",
		NULL);
	tar_dir(&tar, "d/");
	tar_file(&tar, "d/f", "x");
	tar_dir(&tar, "d/d/");
	tar_put(&tar, (struct th){ "d/p", '6' });
	tar_pax(&tar, "SCHILY.acl.access", "user::rw-,user:somebody:rwx,group::r--,other::r--",
		NULL);
	tar_file(&tar, "nameless", "x");
	tar_pax(&tar, "SCHILY.acl.access", "user::rw-,group::r--,other::r--", NULL);
	tar_file(&tar, "plain", "x");
	tar_pax(&tar, "SCHILY.acl.access", "user::rw-,user:5:r-x,group::-w-,other::r--", NULL);
	tar_file(&tar, "maskless", "x");
	box_apply(&box, &tar, true);
	CU_ASSERT_EQUAL(xattr_in(&box, "maskless", "system.posix_acl_access", (char *)&acl, 44),
			44);
	CU_ASSERT(acl.entries[3].e_tag == ACL_MASK && acl.entries[3].e_perm == 7);
	CU_ASSERT_EQUAL(xattr_in(&box, "f", "system.posix_acl_access", (char *)&acl, sizeof(acl)),
			(ssize_t)sizeof(acl));
	CU_ASSERT_EQUAL(acl.entries[1].e_tag, ACL_USER);
	CU_ASSERT(acl.entries[1].e_id == 5 && acl.entries[1].e_perm == 5);
	CU_ASSERT(acl.entries[2].e_id == 1001 && acl.entries[2].e_perm == 7);
	CU_ASSERT_EQUAL(acl.entries[3].e_tag, ACL_GROUP_OBJ);
	CU_ASSERT_EQUAL(stat_in(&box, "f").st_mode, S_IFREG | 0670);
	CU_ASSERT(xattr_in(&box, "d", "system.posix_acl_default", NULL, 0) > 0);
	/* What is made inside has what its header says, not what the folder hands down. */
	CU_ASSERT_EQUAL(xattr_in(&box, "d/f", "system.posix_acl_access", NULL, 0), -1);
	CU_ASSERT_EQUAL(xattr_in(&box, "d/d", "system.posix_acl_access", NULL, 0), -1);
	CU_ASSERT_EQUAL(xattr_in(&box, "d/d", "system.posix_acl_default", NULL, 0), -1);
	CU_ASSERT_EQUAL(xattr_in(&box, "d/p", "system.posix_acl_access", NULL, 0), -1);
	CU_ASSERT_EQUAL(stat_in(&box, "d/f").st_mode, S_IFREG | 0644);
	CU_ASSERT_EQUAL(stat_in(&box, "d/d").st_mode, S_IFDIR | 0755);
	CU_ASSERT_EQUAL(xattr_in(&box, "nameless", "system.posix_acl_access", NULL, 0), -1);
	CU_ASSERT_EQUAL(xattr_in(&box, "plain", "system.posix_acl_access", NULL, 0), -1);
	/* And into the folder as a lower layer left it. */
	tar_file(&tar, "d/later", "x");
	tar_file(&tar, "d/new/f", "x");
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(xattr_in(&box, "d/later", "system.posix_acl_access", NULL, 0), -1);
	CU_ASSERT_EQUAL(xattr_in(&box, "d/new", "system.posix_acl_default", NULL, 0), -1);
	CU_ASSERT_EQUAL(stat_in(&box, "d/later").st_mode, S_IFREG | 0644);
}

/* 300,000 bytes: "one" at the start, "two" at 100,000, "three" at 200,000, then a hole. */
static void check_sparse(struct box *box, const char *path)
{
	auto_fd int fd = openat(box->fd, path, O_RDONLY | O_CLOEXEC);
	static const struct {
		off_t at;
		const char *data;
	} parts[] = { { 0, "one" }, { 100000, "two" }, { 200000, "three" } };
	char data[300000];
	size_t zeros = 0;

	CU_ASSERT_EQUAL(stat_in(box, path).st_size, 300000);
	CU_ASSERT_EQUAL_FATAL(read(fd, data, sizeof(data)), 300000);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(0,
				memcmp(data + parts[i].at, parts[i].data, strlen(parts[i].data)));
	for (size_t i = 0; i < sizeof(data); i++)
		zeros += data[i] == 0;
	CU_ASSERT_EQUAL(zeros, 300000 - 11);
	CU_ASSERT(stat_in(box, path).st_blocks < 100);
}

static void put_old_sparse(struct buf *tar, bool extended)
{
	auto_buf struct buf one = { 0 };
	static const int64_t map[4][2] = { { 0, 3 }, { 100000, 3 }, { 200000, 5 }, { 300000, 0 } };
	size_t at = tar_put(
		&one, (struct th){ extended ? "old-ext" : "old", 'S', .flavour = GNU, .size = 11 });
	char more[512] = { 0 };

	/* The header holds four extents; for the long form give it only the first two. */
	for (int i = 0; i < 4; i++) {
		char *field =
			!extended || i < 2 ? one.data + at + 386 + i * 24 : more + (i - 2) * 24;

		put_number(field, 12, map[i][0], false);
		put_number(field + 12, 12, map[i][1], i == 1);
	}
	one.data[at + 482] = extended;
	put_number(one.data + at + 483, 12, 300000, false);
	tar_seal(&one, at);
	buf_append(tar, one.data, one.len);
	if (extended)
		buf_append(tar, more, sizeof(more));
	tar_data(tar, "onetwothree", 11);
}

static void test_sparse(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 }, map = { 0 };
	struct tar_apply_result result;

	put_old_sparse(&tar, false);
	put_old_sparse(&tar, true);
	tar_pax(&tar, "GNU.sparse.size", "300000", "GNU.sparse.numblocks", "4", "GNU.sparse.offset",
		"0", "GNU.sparse.numbytes", "3", "GNU.sparse.offset", "100000",
		"GNU.sparse.numbytes", "3", "GNU.sparse.offset", "200000", "GNU.sparse.numbytes",
		"5", "GNU.sparse.offset", "300000", "GNU.sparse.numbytes", "0", NULL);
	tar_put(&tar, (struct th){ "p00", '0', .data = "onetwothree" });
	tar_pax(&tar, "GNU.sparse.size", "300000", "GNU.sparse.numblocks", "4", "GNU.sparse.name",
		"p01", "GNU.sparse.map", "0,3,100000,3,200000,5,300000,0", NULL);
	tar_put(&tar, (struct th){ "GNUSparseFile.1/p01", '0', .data = "onetwothree" });
	tar_pax(&tar, "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "p10",
		"GNU.sparse.realsize", "300000", NULL);
	tar_data(&map, "4\n0\n3\n100000\n3\n200000\n5\n300000\n0\n", 34);
	buf_append(&map, "onetwothree", 11);
	tar_put(&tar, (struct th){ "GNUSparseFile.1/p10", '0', .data = map.data,
				   .len = (int64_t)map.len });
	tar_file(&tar, "after", "x");
	result = box_apply(&box, &tar, true);
	check_tree(&box, "after old old-ext p00 p01 p10");
	check_sparse(&box, "old");
	check_sparse(&box, "old-ext");
	check_sparse(&box, "p00");
	check_sparse(&box, "p01");
	check_sparse(&box, "p10");
	CU_ASSERT_EQUAL(result.content_bytes, 5 * 300000 + 1);
}

static void test_global_headers(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 }, pax = { 0 };
	struct tar_apply_result result;

	pax_record(&pax, "comment", "0123456789abcdef", 16);
	pax_record(&pax, "mtime", "5", 1);
	tar_put(&tar,
		(struct th){ "pax_global_header", 'g', .data = pax.data, .len = (int64_t)pax.len });
	tar_file(&tar, "f", "x");
	result = box_apply(&box, &tar, true);
	check_tree(&box, "f");
	check_times(&box, "f", 1000000000, 0);
	CU_ASSERT_EQUAL(result.entries, 1);
}

static void check_end(const char *name, const struct buf *tar, const char *tree)
{
	auto_box struct box box = box_new();
	struct tar_apply_result result;
	struct error err = { 0 };

	if (box_try(&box, tar, true, &result, &err) < 0) {
		printf("%s: %s ", name, err.text);
		CU_FAIL("apply");
	}
	CU_ASSERT_EQUAL(result.stream.tar_bytes, tar->len);
	check_tree(&box, tree);
}

static void test_ends(void)
{
	auto_buf struct buf tar = { 0 };
	struct digest empty;
	char zeros[10240] = { 0 };

	buf_puts(&tar, "");
	check_end("nothing at all", &tar, "");
	buf_append(&tar, zeros, 1024);
	digest_of(tar.data, tar.len, &empty);
	CU_ASSERT_STRING_EQUAL(empty.text,
			       "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6c"
			       "ddfaf10ace3c6ef");
	check_end("two blocks", &tar, "");
	buf_append(&tar, zeros, 9216);
	check_end("a record", &tar, "");
	buf_reset(&tar);
	tar_file(&tar, "a", "one");
	check_end("no end", &tar, "a");
	buf_append(&tar, zeros, 512);
	check_end("half an end", &tar, "a");
	buf_append(&tar, zeros, 512);
	tar_file(&tar, "b", "behind the end");
	buf_puts(&tar, "junk");
	check_end("junk behind the end", &tar, "a");
	buf_reset(&tar);
	tar_file(&tar, "a", "one");
	tar.len -= 509;
	check_end("no padding", &tar, "a");
}

UNIT_SUITE(tar_forms, { "v7, ustar and GNU tar's kinds of entry", test_old_tars },
	   { "long names in three forms", test_long_names },
	   { "numbers in base 256 and in PAX records", test_numbers },
	   { "times with nanoseconds, before 1970 and beyond reach", test_times },
	   { "names are bytes in any locale", test_bytes_in_names },
	   { "extended attributes", test_xattrs }, { "ACLs, and none by inheritance", test_acls },
	   { "sparse files in five forms", test_sparse },
	   { "global headers are skipped", test_global_headers },
	   { "an archive may end in many ways", test_ends });

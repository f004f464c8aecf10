/* SPDX-License-Identifier: Apache-2.0 */
#include "build/unpack.h"

#include "copybox.h"
#include "packed.h"

static void put_bytes(struct box *box, const char *name, const struct buf *bytes)
{
	auto_fd int fd = -1;
	struct error err;

	put(box, name, "");
	fd = openat(box->fd, name, O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(0, io_write(fd, bytes->data, bytes->len, &err));
}

/* Ends the tar and empties it. */
static void put_tar(struct box *box, const char *name, struct buf *tar)
{
	tar_end(tar);
	put_bytes(box, name, tar);
	buf_reset(tar);
}

static void lab_add(struct lab *lab, const char *sources, const char *destination)
{
	lab->args.unpack = true;
	lab->args.instruction = "ADD";
	lab_copy(lab, sources, destination);
}

static void check_is_tar(struct box *box, const struct buf *bytes, int expected)
{
	auto_fd int fd = -1;
	struct error err;

	put_bytes(box, "x", bytes);
	fd = openat(box->fd, "x", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(unpack_is_tar(fd, &err), expected);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_CUR), 0);
}

static void check_packed(struct box *box, const void *data, size_t len, int expected)
{
	for (enum inflate_kind kind = INFLATE_PLAIN; kind <= INFLATE_XZ; kind++) {
		auto_buf struct buf packed = { 0 };

		compress(kind, &packed, data, len);
		check_is_tar(box, &packed, expected);
		if (kind == INFLATE_PLAIN)
			continue;
		/* Damaged, or cut: it is just a file. */
		memset(packed.data + INFLATE_MAGIC_BYTES, 0xff, 20);
		check_is_tar(box, &packed, 0);
		packed.len = INFLATE_MAGIC_BYTES;
		check_is_tar(box, &packed, 0);
	}
}

static void test_is_tar(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 }, empty = { 0 };
	auto_free char *noise = xmalloc(4096);
	unsigned int x = 1;

	for (size_t i = 0; i < 4096; i++) {
		x = x * 1103515245 + 12345;
		noise[i] = (char)(x >> 16);
	}
	tar_put(&tar, (struct th){ "f\xff", '0', .data = noise, .len = 4096 });
	check_packed(&box, tar.data, tar.len, 1);
	check_packed(&box, noise, 4096, 0);
	tar.data[0] ^= 1;
	check_packed(&box, tar.data, tar.len, 0);
	tar.data[0] ^= 1;
	tar.len = 511;
	check_is_tar(&box, &tar, 0);
	check_is_tar(&box, &empty, 0);
	buf_reset(&tar);
	tar_end(&tar);
	check_packed(&box, tar.data, tar.len, 0);
}

/* Some old writers took bytes as signed when they added them up. */
static void test_signed_checksum(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	int sum = 0;

	tar_file(&tar, "\xc3\xa4\xc3\xa4", "");
	memset(tar.data + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (int8_t)tar.data[i];
	put_number(tar.data + 148, 7, sum, false);
	check_is_tar(&box, &tar, 1);
}

static void make_tar(struct buf *tar)
{
	tar_put(tar, (struct th){ "./", '5', .mode = 0700, .mtime = 9 });
	tar_put(tar, (struct th){ "./d/", '5', .mode = 0751 });
	tar_put(tar, (struct th){ "./d/f", '0', .mode = 04750, .data = "new" });
	tar_symlink(tar, "./l", "d/f");
	tar_put(tar, (struct th){ "./h", '1', .link = "d/f", .mode = 04750 });
	tar_end(tar);
}

static void test_kinds(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	make_tar(&tar);
	for (enum inflate_kind kind = INFLATE_PLAIN; kind <= INFLATE_XZ; kind++) {
		auto_buf struct buf packed = { 0 };
		auto_free char *destination = xasprintf("/%d/in", kind);
		auto_free char *expected =
			xasprintf("%d/ %d/in/ %d/in/d/ %d/in/d/f %d/in/h %d/in/l", kind, kind, kind,
				  kind, kind, kind);
		auto_free char *folder = xasprintf("%d", kind);

		compress(kind, &packed, tar.data, tar.len);
		put_bytes(&lab.from, "x", &packed);
		lab_add(&lab, "x", destination);
		check_tree(&lab.to, expected);
		CU_ASSERT_EQUAL(mode_in(&lab.to, destination + 1), 0755);
		CU_ASSERT_EQUAL(tree_remove(lab.to.fd, folder, &lab.err), 0);
	}
	/* COPY does not. */
	lab_copy(&lab, "x", "/y");
	check_tree(&lab.to, "y");
}

static void test_no_tar(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf packed = { 0 }, tar = { 0 };

	lab_init(&lab);
	make_tar(&tar);
	compress(INFLATE_GZIP, &packed, "just text", 9);
	put_bytes(&lab.from, "a.tar.gz", &packed);
	put(&lab.from, "b.tar", "");
	put(&lab.from, "c.tar", "no tar, whatever it is called");
	put_bytes(&lab.from, "d/x.tar", &tar);
	lab_add(&lab, "a.tar.gz b.tar c.tar", "/one/");
	lab_add(&lab, "a.tar.gz", "/name");
	/* Not what is in a folder. */
	lab_add(&lab, "d", "/d");
	check_tree(&lab.to, "d/ d/x.tar name one/ one/a.tar.gz one/b.tar one/c.tar");
	CU_ASSERT_EQUAL(stat_in(&lab.to, "name").st_size, (off_t)packed.len);
}

/* Over what is there, beside other sources, in their order. */
static void test_over(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	make_tar(&tar);
	put_bytes(&lab.from, "x", &tar);
	put(&lab.from, "s/d/g", "1");
	put(&lab.from, "s/h", "replaced");
	put(&lab.from, "t/d/k/m", "2");
	put(&lab.from, "t/d/f", "last");
	put_dir(&lab.to, "there", 0711);
	put(&lab.to, "there/d", "old");
	put(&lab.to, "there/old", "old");
	put(&lab.to, "there/l/sub", "old");
	set_mtime(&lab.to, "there", 8000, 3);
	put_link(&lab.to, "link", "/there");
	lab_add(&lab, "x", "/link");
	CU_ASSERT_TRUE(lab.removed);
	check_tree(&lab.to, "link there/ there/d/ there/d/f there/h there/l there/old");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "there"), 0711);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "there/d"), 0751);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "there/d/f"), 04750);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "there").st_mtim.tv_sec, 8000);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "there").st_mtim.tv_nsec, 3);
	lab_add(&lab, "s x t", "/new/");
	check_tree(&lab.to, "link new/ new/d/ new/d/f new/d/g new/d/k/ new/d/k/m new/h new/l "
			    "there/ there/d/ there/d/f there/h there/l there/old");
	check_content(&lab.to, "new/d/f", "last");
	check_content(&lab.to, "new/h", "new");
	put(&lab.to, "file", "old");
	lab.args.unpack = true;
	lab_refuse(&lab, "x", "/file", ERR_USAGE, "cannot copy to non-directory: /file");
}

/* A folder that the first source made becomes a file, and a folder again. */
static void test_between(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	put(&lab.from, "s/d/e/f", "1");
	tar_file(&tar, "d", "a file now");
	put_tar(&lab.from, "x", &tar);
	lab_add(&lab, "s x s", "/");
	check_tree(&lab.to, "d/ d/e/ d/e/f");
}

/* An archive with several names: neither is there afterwards. */
static void test_linked_archive(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	tar_file(&tar, "f", "1");
	put_tar(&lab.from, "x", &tar);
	CU_ASSERT_EQUAL(0, linkat(lab.from.fd, "x", lab.from.fd, "y", 0));
	lab_add(&lab, "x y", "/");
	check_tree(&lab.to, "f");
}

/* A later name of a file must not lead to what an archive put in its place. */
static void test_links_around(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	put(&lab.from, "a", "1");
	CU_ASSERT_EQUAL(0, linkat(lab.from.fd, "a", lab.from.fd, "b", 0));
	tar_file(&tar, "a", "2");
	put_tar(&lab.from, "x", &tar);
	lab_add(&lab, "a x b", "/");
	check_content(&lab.to, "a", "2");
	check_content(&lab.to, "b", "1");
}

static int add_up(void *ctx, uint64_t bytes, struct error *err UNUSED)
{
	*(uint64_t *)ctx += bytes;
	return 0;
}

static void test_space(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };
	uint64_t taken = 0;

	lab_init(&lab);
	tar_file(&tar, "f", "12345");
	put_tar(&lab.from, "x", &tar);
	lab.args.take_space = add_up;
	lab.args.take_space_ctx = &taken;
	lab_add(&lab, "x", "/");
	/* The archive's own entry is asked for before it is known as one. */
	CU_ASSERT_EQUAL(taken, 2 * TREE_ENTRY_BYTES + 5);
}

static void test_owners(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };
	struct chmod_spec chmod;

	lab_init(&lab);
	tar_put(&tar, (struct th){ "d/", '5', .uid = 5, .gid = 6, .mode = 0600 });
	tar_put(&tar, (struct th){ "d/f", '0', .uid = 5, .gid = 6, .mode = 0600, .data = "1" });
	tar_put(&tar, (struct th){ "d/l", '2', .uid = 5, .gid = 6, .link = "f" });
	tar_put(&tar, (struct th){ "d/h", '1', .uid = 5, .gid = 6, .mode = 0600, .link = "d/f" });
	put_tar(&lab.from, "x", &tar);
	CU_ASSERT_EQUAL(0, chmod_parse("u=rwX,g=X", &chmod, &lab.err));
	lab.args.chmod = &chmod;
	lab_add(&lab, "x", "/mode");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "mode"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "mode/d"), 0710);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "mode/d/f"), 0600);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "mode/d/h").st_nlink, 2);
	if (skip_unless_root())
		return;
	lab_add(&lab, "x", "/kept");
	check_owner(&lab.to, "kept", 0, 0);
	check_owner(&lab.to, "kept/d", 5, 6);
	check_owner(&lab.to, "kept/d/f", 5, 6);
	lab.args.has_owner = true;
	lab.args.uid = 7;
	lab.args.gid = 8;
	lab_add(&lab, "x", "/chown");
	check_owner(&lab.to, "chown", 7, 8);
	check_owner(&lab.to, "chown/d", 7, 8);
	check_owner(&lab.to, "chown/d/f", 7, 8);
	check_owner(&lab.to, "chown/d/l", 7, 8);
	check_owner(&lab.to, "chown/d/h", 7, 8);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "chown/d/f"), 0600);
}

static void test_whiteouts(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	put(&lab.to, "a", "old");
	tar_file(&tar, ".wh.a", "1");
	tar_file(&tar, ".wh..wh..opq", "2");
	tar_file(&tar, ".wh..wh.plnk", "3");
	put_tar(&lab.from, "x", &tar);
	lab_add(&lab, "x", "/");
	check_tree(&lab.to, ".wh..wh..opq .wh..wh.plnk .wh.a a");
}

/* Links lead nowhere but below the destination, names that would are refused. */
static void test_escapes(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	put(&lab.to, "etc/f", "old");
	put_dir(&lab.to, "in/etc", 0755);
	tar_symlink(&tar, "absolute", "/etc");
	tar_file(&tar, "absolute/f", "1");
	tar_symlink(&tar, "up", "../../etc");
	tar_file(&tar, "up/g", "2");
	tar_symlink(&tar, "gone", "../../new");
	tar_file(&tar, "/etc/h", "3");
	put_tar(&lab.from, "x", &tar);
	lab_add(&lab, "x", "/in");
	check_tree(&lab.to, "etc/ etc/f in/ in/absolute in/etc/ in/etc/f in/etc/g in/etc/h in/gone "
			    "in/up");
	check_content(&lab.to, "etc/f", "old");
	tar_file(&tar, "../etc/f", "new");
	put_tar(&lab.from, "y", &tar);
	lab.args.unpack = true;
	lab_refuse(&lab, "y", "/in", ERR_CORRUPT, "unpack 'y': path '../etc/f' leaves the root");
	tar_link(&tar, "h", "../etc/f");
	put_tar(&lab.from, "z", &tar);
	lab.args.unpack = true;
	CU_ASSERT_EQUAL(lab_try(&lab, "z", "/in"), -1);
	CU_ASSERT_EQUAL(lab.err.kind, ERR_CORRUPT);
	check_content(&lab.to, "etc/f", "old");
}

static void test_damaged(void)
{
	auto_lab struct lab lab;
	auto_buf struct buf tar = { 0 };

	lab_init(&lab);
	tar_file(&tar, "f", "1");
	tar_put(&tar, (struct th){ "cut", '0', .data = "1", .size = 100000 });
	put_bytes(&lab.from, "x", &tar);
	lab.args.unpack = true;
	CU_ASSERT_EQUAL(lab_try(&lab, "x", "/"), -1);
	CU_ASSERT_EQUAL(lab.err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(lab.err.text, "unpack 'x': "));
}

UNIT_SUITE(unpack, { "a tar is told by its first header", test_is_tar },
	   { "a checksum of signed bytes counts", test_signed_checksum },
	   { "every compression is unpacked into a new folder", test_kinds },
	   { "what is no tar is copied as it is", test_no_tar },
	   { "an archive goes over what is there", test_over },
	   { "folders may change between two sources", test_between },
	   { "an archive with several names", test_linked_archive },
	   { "hard links around an archive", test_links_around },
	   { "space is asked for", test_space },
	   { "owners are the archive's, or --chown's", test_owners },
	   { "whiteouts are names like any", test_whiteouts },
	   { "nothing leaves the destination", test_escapes },
	   { "a damaged archive is an error", test_damaged });

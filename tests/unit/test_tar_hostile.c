/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made to break out, to break in, or to break down. */
#include "layer/tar_apply.h"
#include "layerbox.h"

/* What no archive may touch, beside the box it is applied to. */
static struct box make_victim(void)
{
	struct box victim = box_new();
	int fd = openat(victim.fd, "victim", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CU_ASSERT_EQUAL(write(fd, "intact", 6), 6);
	close(fd);
	CU_ASSERT_EQUAL(0, mkdirat(victim.fd, "dir", 0700));
	CU_ASSERT_EQUAL(0, mkdirat(victim.fd, "dir/in", 0700));
	return victim;
}

static void check_victim(struct box *victim)
{
	check_tree(victim, "dir/ dir/in/ victim");
	check_content(victim, "victim", "intact");
	CU_ASSERT_EQUAL(stat_in(victim, "victim").st_mode, S_IFREG | 0600);
	CU_ASSERT_EQUAL(stat_in(victim, "victim").st_nlink, 1);
	CU_ASSERT_EQUAL(stat_in(victim, "dir").st_mode, S_IFDIR | 0700);
}

static void test_names_out(void)
{
	static const char *const names[] = { "../x",   "a/../../x",	 "/../x",
					     "./../x", "a/b/../../../x", ".." };
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		tar_file(&tar, names[i], "x");
		box_refuse(&box, &tar, ERR_CORRUPT, "leaves the root");
		tar_dir(&tar, names[i]);
		box_refuse(&box, &tar, ERR_CORRUPT, "leaves the root");
		tar_link(&tar, "hard", names[i]);
		box_refuse(&box, &tar, ERR_CORRUPT, "leaves the root");
	}
	tar_file(&tar, "../.wh.x", "");
	box_refuse(&box, &tar, ERR_CORRUPT, "leaves the root");
	check_tree(&box, "");
	tar_file(&tar, "/abs/x", "x");
	tar_file(&tar, "//abs/../abs/y", "x");
	box_apply(&box, &tar, true);
	check_tree(&box, "abs/ abs/x abs/y");
}

/* Links that lead to the victim, if anything but the box's root were the root. */
static void put_escapes(struct buf *tar, const struct box *victim)
{
	auto_free char *up = xasprintf("../../../../../..%s", victim->path);

	tar_symlink(tar, "abs", victim->path);
	tar_symlink(tar, "up", up);
	tar_symlink(tar, "root", "/");
	tar_symlink(tar, "parent", "..");
	tar_symlink(tar, "chain1", "chain2");
	tar_symlink(tar, "chain2", "abs");
	tar_symlink(tar, "file", "abs/victim");
}

static void test_links_out(void)
{
	static const char *const ways[] = { "abs", "up", "chain1" };
	auto_box struct box box = box_new();
	auto_box struct box victim = make_victim();
	auto_buf struct buf tar = { 0 };

	put_escapes(&tar, &victim);
	box_apply(&box, &tar, true);
	for (int i = 0; i < 3; i++) {
		auto_free char *file = xasprintf("%s/victim", ways[i]);
		auto_free char *dir = xasprintf("%s/dir/", ways[i]);
		auto_free char *hidden = xasprintf("%s/.wh.victim", ways[i]);
		auto_free char *opaque = xasprintf("%s/.wh..wh..opq", ways[i]);
		auto_free char *through_root = xasprintf("root%s/victim", victim.path);

		tar_link(&tar, "stolen", file);
		box_refuse(&box, &tar, ERR_CORRUPT, "there is no");
		tar_file(&tar, hidden, "");
		tar_file(&tar, opaque, "");
		tar_file(&tar, through_root, "x");
		tar_file(&tar, file, "overwritten");
		tar_put(&tar, (struct th){ dir, '5', .mode = 0777 });
		tar_file(&tar, "parent/victim", "x");
		tar_put(&tar, (struct th){ "file", '0', .mode = 0666, .data = "not through it" });
		box_apply(&box, &tar, false);
		check_victim(&victim);
		check_content(&box, "file", "not through it");
		tar_file(&tar, hidden, "");
		tar_file(&tar, opaque, "");
		box_apply(&box, &tar, false);
		check_victim(&victim);
	}
	CU_ASSERT_EQUAL(0, faccessat(box.fd, "victim", F_OK, 0));
}

/* In one layer a folder becomes a link, and back, between two entries. */
static void test_swaps(void)
{
	auto_box struct box box = box_new();
	auto_box struct box victim = make_victim();
	auto_buf struct buf tar = { 0 };
	auto_free char *inside = xasprintf("%s/victim", victim.path + 1);

	tar_dir(&tar, "d/");
	tar_file(&tar, "d/x", "x");
	tar_symlink(&tar, "d", victim.path);
	tar_file(&tar, "d/victim", "overwritten");
	tar_file(&tar, "d/.wh.dir", "");
	tar_dir(&tar, "d/");
	tar_file(&tar, "d/victim", "mine");
	tar_symlink(&tar, "d/victim", inside);
	tar_put(&tar, (struct th){ "d/victim", '0', .mode = 04777, .data = "mine" });
	box_apply(&box, &tar, false);
	check_victim(&victim);
	check_content(&box, "d/victim", "mine");
	check_content(&box, inside, "overwritten");
}

static void test_bad_links(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_symlink(&tar, "loop1", "loop2");
	tar_symlink(&tar, "loop2", "loop1");
	tar_file(&tar, "loop1/f", "x");
	box_refuse(&box, &tar, ERR_CORRUPT, "too many links");
	tar_symlink(&tar, "self", "self/self");
	tar_file(&tar, "self/f", "x");
	box_refuse(&box, &tar, ERR_CORRUPT, "too many links");
	/* Each target twice as long as the one before. */
	tar_symlink(&tar, "grow", "grow2/x/grow2/x");
	tar_symlink(&tar, "grow2", "grow/y/grow/y");
	tar_file(&tar, "grow/f", "x");
	box_refuse(&box, &tar, ERR_CORRUPT, "too many links");
	tar_link(&tar, "hard", "missing");
	box_refuse(&box, &tar, ERR_CORRUPT, "there is no 'missing'");
	tar_link(&tar, "hard", "no/such/folder/f");
	box_refuse(&box, &tar, ERR_CORRUPT, "there is no");
	tar_dir(&tar, "dir/");
	tar_link(&tar, "hard", "dir");
	box_refuse(&box, &tar, ERR_CORRUPT, "is a folder");
	tar_link(&tar, "hard", "/");
	box_refuse(&box, &tar, ERR_CORRUPT, "to the root");
	/* What the link replaces contains its target. */
	tar_file(&tar, "tree/f", "x");
	tar_link(&tar, "tree", "tree/f");
	box_refuse(&box, &tar, ERR_CORRUPT, "there is no");
	tar_put(&tar, (struct th){ "empty", '2' });
	box_refuse(&box, &tar, ERR_CORRUPT, "without a target");
	tar_file(&tar, "f", "x");
	tar_file(&tar, "f/in", "x");
	box_refuse(&box, &tar, ERR_CORRUPT, "not a folder");
	tar_link(&tar, "hard", "f/in");
	box_refuse(&box, &tar, ERR_CORRUPT, "not a folder");
}

/* 20 components of 200 bytes are fine, a path of 4096 bytes and a name of 256 are not. */
static void test_name_lengths(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 }, name = { 0 };
	char part[300];

	memset(part, 'n', sizeof(part));
	for (int i = 0; i < 20; i++) {
		buf_append(&name, part, 200);
		buf_putc(&name, '/');
	}
	buf_append(&name, part, 75);
	CU_ASSERT_EQUAL(name.len, 4095);
	tar_pax(&tar, "path", name.data, NULL);
	tar_file(&tar, "x", "deep");
	box_apply(&box, &tar, true);
	buf_putc(&name, 'n');
	tar_pax(&tar, "path", name.data, NULL);
	tar_file(&tar, "x", "deep");
	box_refuse(&box, &tar, ERR_LIMIT, "name of 4096 bytes");
	tar_pax(&tar, "linkpath", name.data, NULL);
	tar_symlink(&tar, "s", "x");
	box_refuse(&box, &tar, ERR_LIMIT, "name of 4096 bytes");
	tar_pax(&tar, "linkpath", name.data, NULL);
	tar_link(&tar, "h", "x");
	box_refuse(&box, &tar, ERR_LIMIT, "name of 4096 bytes");
	part[256] = '\0';
	for (int i = 0; i < 4; i++) {
		auto_free char *wide = xasprintf("%s%s", part, i == 3 ? "/in" : "");

		tar_pax(&tar, "path", wide, "linkpath", "target", NULL);
		tar_put(&tar, (struct th){ "x", "0250"[i], .link = "x" });
		box_refuse(&box, &tar, ERR_LIMIT, "too long");
	}
}

/* Deeper than a path can say, with the help of links; then all of it is removed. */
static void test_depth_by_links(void)
{
	auto_box struct box box = box_in_memory();
	auto_buf struct buf tar = { 0 }, path = { 0 };

	buf_puts(&path, "d");
	while (path.len < 4000)
		buf_puts(&path, "/d");
	tar_pax(&tar, "path", path.data, NULL);
	tar_dir(&tar, "x");
	for (int i = 0; i < 5; i++) {
		auto_free char *link = xasprintf("l%d", i);
		auto_free char *target =
			i ? xasprintf("l%d/%.*s", i - 1, 3900, path.data) : xstrdup(path.data);
		auto_free char *below = xasprintf("%s/%.*s", link, 3901, path.data);

		tar_pax(&tar, "linkpath", target, NULL);
		tar_symlink(&tar, link, "x");
		tar_pax(&tar, "path", below, NULL);
		tar_dir(&tar, "x");
	}
	box_apply(&box, &tar, true);
	tar_file(&tar, "d", "a file now");
	for (int i = 0; i < 5; i++) {
		auto_free char *hidden = xasprintf(".wh.l%d", i);

		tar_file(&tar, hidden, "");
	}
	box_apply(&box, &tar, false);
	check_tree(&box, "d");
}

static void refuse_raw(const char *what, const struct buf *tar, enum err_kind kind)
{
	auto_box struct box box = box_new();
	struct tar_apply_result result;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(-1, box_try(&box, tar, true, &result, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	if (err.kind != kind)
		printf("%s: kind %d %s ", what, err.kind, err.text);
}

static void test_damaged_headers(void)
{
	auto_buf struct buf tar = { 0 };
	size_t at;

	buf_puts(&tar, "this is not a tar archive");
	refuse_raw("text", &tar, ERR_CORRUPT);
	while (tar.len < 2000)
		buf_puts(&tar, "this is not a tar archive");
	refuse_raw("long text", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_file(&tar, "f", "some data");
	at = tar_put(&tar, (struct th){ "g", '0', .data = "x" });
	tar.data[at + 150] ^= 1;
	refuse_raw("checksum", &tar, ERR_CORRUPT);
	tar.data[at + 150] ^= 1;
	tar.len = at + 300;
	refuse_raw("half a header", &tar, ERR_CORRUPT);
	tar.len = 512;
	refuse_raw("no data", &tar, ERR_CORRUPT);
	tar.len = 515;
	refuse_raw("half the data", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_put(&tar, (struct th){ "m", 'M', .flavour = GNU, .data = "x" });
	refuse_raw("multi-volume", &tar, ERR_UNSUPPORTED);
}

static void test_absurd_numbers(void)
{
	auto_buf struct buf tar = { 0 };
	size_t at;

	tar_put(&tar, (struct th){ "f", '0', .size = -5 });
	refuse_raw("negative size", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_pax(&tar, "size", "99999999999999999999", NULL);
	tar_file(&tar, "f", "x");
	refuse_raw("size overflow", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_put(&tar, (struct th){ "f", '0', .uid = -7 });
	refuse_raw("negative owner", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_put(&tar, (struct th){ "f", '0', .gid = 4294967295, .binary = true });
	refuse_raw("owner -1", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_pax(&tar, "GNU.sparse.map", "0,5", "GNU.sparse.size", "3", NULL);
	tar_file(&tar, "f", "12345");
	refuse_raw("extents beyond the size", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_pax(&tar, "GNU.sparse.map", "3,3,0,2", "GNU.sparse.size", "10", NULL);
	tar_file(&tar, "f", "12345");
	refuse_raw("extents that go back", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	tar_pax(&tar, "GNU.sparse.map", "9223372036854775807,9", "GNU.sparse.size", "3", NULL);
	tar_file(&tar, "f", "12345");
	refuse_raw("extent overflow", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	at = tar_put(&tar, (struct th){ "PaxHeaders/x", 'x', .data = "99 path=x\n" });
	tar_file(&tar, "f", "x");
	refuse_raw("PAX record beyond its header", &tar, ERR_CORRUPT);
	memcpy(tar.data + at + 512, "12 path=abc\n", 12);
	put_number(tar.data + at + 124, 12, 12, false);
	tar_seal(&tar, at);
	memcpy(tar.data + at + 512, "xx", 2);
	refuse_raw("PAX record without a length", &tar, ERR_CORRUPT);
	buf_reset(&tar);
	for (int i = 0; i < 40; i++)
		tar_pax(&tar, "comment", "x", NULL);
	tar_file(&tar, "f", "x");
	refuse_raw("forty headers for one entry", &tar, ERR_CORRUPT);
}

static void test_too_large(void)
{
	const size_t len = 1 << 21;
	auto_buf struct buf tar = { 0 }, pax = { 0 };
	char *big = xmalloc(len);
	char more[512] = { 0 };
	size_t at;

	memset(big, 'x', len);
	pax_record(&pax, "comment", big, len);
	tar_pax_block(&tar, 'x', &pax);
	tar_file(&tar, "f", "x");
	refuse_raw("PAX header of 2 MiB", &tar, ERR_CORRUPT);
	buf_reset(&pax);
	buf_reset(&tar);
	pax_record(&pax, "SCHILY.xattr.user.big", big, 70000);
	tar_pax_block(&tar, 'x', &pax);
	tar_file(&tar, "f", "x");
	refuse_raw("attribute of 70,000 bytes", &tar, ERR_LIMIT);
	buf_reset(&pax);
	buf_reset(&tar);
	for (int i = 0; i < 1500; i++) {
		auto_free char *key = xasprintf("SCHILY.xattr.user.%d", i);

		pax_record(&pax, key, "x", 1);
	}
	tar_pax_block(&tar, 'x', &pax);
	tar_file(&tar, "f", "x");
	refuse_raw("1,500 attributes", &tar, ERR_LIMIT);
	buf_reset(&tar);
	/* An endless map of an old GNU sparse file. */
	at = tar_put(&tar, (struct th){ "f", 'S', .flavour = GNU, .size = 512 });
	put_number(tar.data + at + 386, 12, 1, false);
	put_number(tar.data + at + 483, 12, 1 << 30, false);
	tar.data[at + 482] = 1;
	tar_seal(&tar, at);
	for (int i = 0; i < 21; i++)
		put_number(more + i * 24, 12, 1, false);
	more[504] = 1;
	for (int i = 0; i < 16384; i++)
		buf_append(&tar, more, sizeof(more));
	refuse_raw("a sparse map without end", &tar, ERR_LIMIT);
	free(big);
}

static void test_devices(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	if (skip_unless_root())
		return;
	tar_put(&tar, (struct th){ "huge", '3', .major = 0x7fffffff, .minor = 1, .binary = true });
	tar_end(&tar);
	refuse_raw("impossible device", &tar, ERR_CORRUPT);
	check_tree(&box, "");
}

UNIT_SUITE(tar_hostile, { "names that leave the root are refused", test_names_out },
	   { "links lead nowhere outside", test_links_out },
	   { "a folder swapped for a link leads nowhere either", test_swaps },
	   { "links in circles and to nothing", test_bad_links },
	   { "names too long are refused", test_name_lengths },
	   { "trees deeper than a path can be made and removed", test_depth_by_links },
	   { "damaged headers", test_damaged_headers }, { "absurd numbers", test_absurd_numbers },
	   { "headers too large", test_too_large }, { "impossible devices", test_devices });

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/hardlinks.h"

#include "copybox.h"

static void link_in(struct box *box, const char *target, const char *name)
{
	CU_ASSERT_EQUAL_FATAL(0, linkat(box->fd, target, box->fd, name, 0));
}

static ino_t inode_in(struct box *box, const char *path)
{
	return stat_in(box, path).st_ino;
}

static void test_hard_links(void)
{
	auto_lab struct lab lab;
	auto_ignore struct ignore *exclude = NULL;

	lab_init(&lab);
	put(&lab.from, "d/a", "1");
	put(&lab.from, "d/other", "2");
	put_dir(&lab.from, "d/s", 0755);
	link_in(&lab.from, "d/a", "d/s/b");
	link_in(&lab.from, "d/a", "d/s/c");
	put_link(&lab.from, "d/l", "x");
	link_in(&lab.from, "d/l", "d/m");
	lab_copy(&lab, "d", "/all");
	CU_ASSERT_EQUAL(inode_in(&lab.to, "all/a"), inode_in(&lab.to, "all/s/b"));
	CU_ASSERT_EQUAL(inode_in(&lab.to, "all/a"), inode_in(&lab.to, "all/s/c"));
	CU_ASSERT_EQUAL(inode_in(&lab.to, "all/l"), inode_in(&lab.to, "all/m"));
	CU_ASSERT_EQUAL(stat_in(&lab.to, "all/other").st_nlink, 1);
	CU_ASSERT_EQUAL(0, ignore_parse("a", 1, &exclude, &lab.err));
	lab.args.exclude = exclude;
	lab_copy(&lab, "d", "/rest");
	check_tree(&lab.to, "all/ all/a all/l all/m all/other all/s/ all/s/b all/s/c rest/ rest/l "
			    "rest/m rest/other rest/s/ rest/s/b rest/s/c");
	CU_ASSERT_EQUAL(stat_in(&lab.to, "rest/s/b").st_nlink, 2);
	CU_ASSERT_EQUAL(inode_in(&lab.to, "rest/s/b"), inode_in(&lab.to, "rest/s/c"));
	check_content(&lab.to, "rest/s/c", "1");
}

/* Links of files that are sources by themselves; and what a later source writes over. */
static void test_links_of_sources(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "a", "1");
	link_in(&lab.from, "a", "b");
	put_dir(&lab.from, "d", 0755);
	put(&lab.from, "d/a", "other");
	lab_copy(&lab, "*", "/all/");
	/* a, b, and then d/a over a */
	check_content(&lab.to, "all/a", "other");
	check_content(&lab.to, "all/b", "1");
	lab_copy(&lab, "a b", "/two/");
	CU_ASSERT_EQUAL(inode_in(&lab.to, "two/a"), inode_in(&lab.to, "two/b"));
	lab_copy(&lab, "a d/a b", "/file/");
	check_content(&lab.to, "file/a", "other");
	check_content(&lab.to, "file/b", "1");
	lab_copy(&lab, "a d b", "/folder/");
	check_content(&lab.to, "folder/a", "other");
	check_content(&lab.to, "folder/b", "1");
	put(&lab.from, "e/a", "other");
	link_in(&lab.from, "a", "e/z");
	lab_copy(&lab, "a e", "/within/");
	check_content(&lab.to, "within/a", "other");
	check_content(&lab.to, "within/z", "1");
	put(&lab.from, "g/sub/x", "2");
	link_in(&lab.from, "g/sub/x", "y");
	put(&lab.from, "sub", "a file");
	lab_copy(&lab, "g sub y", "/gone/");
	check_content(&lab.to, "gone/sub", "a file");
	check_content(&lab.to, "gone/y", "2");
	lab_copy(&lab, "a b a", "/again/");
	check_content(&lab.to, "again/a", "1");
	check_content(&lab.to, "again/b", "1");
}

static void test_many_links(void)
{
	auto_hardlinks struct hardlinks *links = hardlinks_new();
	struct error err;
	bool right = true;

	for (ino_t i = 0; i < 5000; i++) {
		struct stat file = { .st_dev = i % 3, .st_ino = i / 3 };
		auto_free char *path = xasprintf("some/folder/%ju", (uintmax_t)i);

		right &= hardlinks_find(links, &file) == NULL;
		CU_ASSERT_EQUAL_FATAL(0, hardlinks_add(links, &file, path, &err));
	}
	for (ino_t i = 0; i < 5000; i++) {
		struct stat file = { .st_dev = i % 3, .st_ino = i / 3 };
		auto_free char *path = xasprintf("some/folder/%ju", (uintmax_t)i);
		const char *found = hardlinks_find(links, &file);

		right &= found && strcmp(found, path) == 0;
	}
	CU_ASSERT_TRUE(right);
	hardlinks_overwritten(links, "some/folder");
	CU_ASSERT_PTR_NOT_NULL(hardlinks_find(links, &(struct stat){ .st_dev = 1 }));
	hardlinks_overwritten(links, "some/folder/77");
	CU_ASSERT_PTR_NULL(hardlinks_find(links, &(struct stat){ .st_dev = 1 }));
}

UNIT_SUITE(hardlinks, { "hard links stay links", test_hard_links },
	   { "hard links among sources, unless they were written over", test_links_of_sources },
	   { "many hard links are found again", test_many_links });

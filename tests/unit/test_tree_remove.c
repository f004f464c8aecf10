/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tree_remove.h"

#include "layerbox.h"

#define DEEP 10000

/* A chain of folders, each with a file beside the next; returns the last one's descriptor. */
static int make_chain(int at, int depth)
{
	int fd = dup(at);

	for (int i = 0; i < depth; i++) {
		int next = -1;
		int file = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (mkdirat(fd, "d", 0755) == 0)
			next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(file);
		close(fd);
		fd = next;
	}
	return fd;
}

static void test_deep(void)
{
	auto_box struct box box = box_in_memory();
	struct error err = { 0 };

	close(make_chain(box.fd, DEEP));
	CU_ASSERT_EQUAL(0, tree_remove(box.fd, "d", &err));
	CU_ASSERT_EQUAL(0, unlinkat(box.fd, "file", 0));
	check_tree(&box, "");
}

/* Many folders at the depth where they are moved up, all of the same name. */
static void test_moved_names(void)
{
	auto_box struct box box = box_in_memory();
	struct error err = { 0 };

	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "top", 0755));
	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "top/.veneer-1", 0755));
	for (int i = 0; i < 5; i++) {
		auto_free char *name = xasprintf("top/%d", i);
		auto_fd int fd = -1;

		CU_ASSERT_EQUAL(0, mkdirat(box.fd, name, 0755));
		fd = openat(box.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(make_chain(fd, 40));
	}
	CU_ASSERT_EQUAL(0, tree_remove(box.fd, "top", &err));
	check_tree(&box, "");
}

static void test_wide(void)
{
	auto_box struct box box = box_in_memory();
	struct error err = { 0 };

	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "wide", 0755));
	for (int i = 0; i < 3000; i++) {
		auto_free char *dir = xasprintf("wide/%d", i);
		auto_free char *inner = xasprintf("wide/%d/inner", i);

		CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, dir, 0755));
		CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, inner, 0755));
	}
	CU_ASSERT_EQUAL(0, tree_remove(box.fd, "wide", &err));
	check_tree(&box, "");
}

static void test_links_stay(void)
{
	auto_box struct box box = box_in_memory();
	struct error err = { 0 };

	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "kept", 0755));
	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "kept/in", 0755));
	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "gone", 0755));
	CU_ASSERT_EQUAL(0, symlinkat("../kept", box.fd, "gone/link"));
	CU_ASSERT_EQUAL(0, symlinkat("kept", box.fd, "link"));
	CU_ASSERT_EQUAL(-1, tree_remove(box.fd, "link", &err));
	CU_ASSERT_EQUAL(-1, tree_remove(box.fd, "missing", &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_EQUAL(0, tree_remove(box.fd, "gone", &err));
	check_tree(&box, "kept/ kept/in/ link");
}

static void member(struct nameset *set, struct box *box, const char *dir, const char *name)
{
	struct error err;

	CU_ASSERT(nameset_add(set, stat_in(box, dir).st_ino, name, strlen(name), &err) >= 0);
}

static void test_others(void)
{
	static const char *const dirs[] = { "a", "a/b", "a/b/c", "a/x", "a/x/y", "z", "z/in" };
	static const char *const files[] = { "a/1", "a/2", "a/b/1", "a/b/c/1", "a/x/y/1", "1" };
	auto_box struct box box = box_in_memory();
	struct nameset *set = nameset_new(100);
	struct timespec old[2] = { { 5, 6 }, { 7, 8 } };
	bool removed = false;
	struct error err;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, dirs[i], 0755));
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		close(openat(box.fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	CU_ASSERT_EQUAL(0, utimensat(box.fd, "a", old, 0));
	member(set, &box, "a", "");
	member(set, &box, "a/b", "");
	member(set, &box, "a", "2");
	member(set, &box, "a/b", "1");
	member(set, &box, "z/in", ""); /* but not z: nothing is looked for in there */
	CU_ASSERT_EQUAL(0, tree_remove_others(box.fd, set, &removed, &err));
	CU_ASSERT_TRUE(removed);
	check_tree(&box, "a/ a/2 a/b/ a/b/1");
	CU_ASSERT_EQUAL(stat_in(&box, "a").st_mtim.tv_sec, 7);
	CU_ASSERT_EQUAL(stat_in(&box, "a").st_mtim.tv_nsec, 8);
	removed = false;
	CU_ASSERT_EQUAL(0, tree_remove_others(box.fd, set, &removed, &err));
	CU_ASSERT_FALSE(removed);
	nameset_free(set);
}

static void test_others_deep(void)
{
	auto_box struct box box = box_in_memory();
	struct nameset *set = nameset_new(2 * DEEP);
	auto_fd int fd = dup(box.fd);
	bool removed = false;
	struct error err;
	struct stat st;

	close(make_chain(box.fd, DEEP));
	for (int i = 0; i < DEEP; i++) {
		int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		CU_ASSERT_EQUAL_FATAL(0, fstat(next, &st));
		CU_ASSERT_EQUAL(1, nameset_add(set, st.st_ino, "", 0, &err));
		close(fd);
		fd = next;
	}
	CU_ASSERT_EQUAL(0, tree_remove_others(box.fd, set, &removed, &err));
	CU_ASSERT_EQUAL(-1, faccessat(box.fd, "file", F_OK, 0));
	CU_ASSERT_EQUAL(-1, faccessat(box.fd, "d/d/d/file", F_OK, 0));
	CU_ASSERT_EQUAL(0, faccessat(fd, ".", F_OK, 0));
	CU_ASSERT_EQUAL(0, tree_remove(box.fd, "d", &err));
	nameset_free(set);
}

UNIT_SUITE(tree_remove, { "ten thousand levels", test_deep },
	   { "deep folders of one name are moved without a clash", test_moved_names },
	   { "a wide folder", test_wide }, { "links are not followed", test_links_stay },
	   { "what belongs is spared and keeps its times", test_others },
	   { "what belongs may be deep", test_others_deep });

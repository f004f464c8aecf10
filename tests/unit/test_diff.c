/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/diff.h"

#include "layer/tree_walk.h"
#include "layerbox.h"

static void add(struct change_list *list, enum change_kind kind, const char *path)
{
	change_list_add(list, kind, false, xstrdup(path));
}

static void check_list(const struct change_list *list, const char *expected)
{
	auto_buf struct buf found = { 0 };

	buf_puts(&found, "");
	for (size_t i = 0; i < list->nr; i++)
		buf_printf(&found, "%s%c %s", i ? ", " : "", list->items[i].kind,
			   list->items[i].path);
	CU_ASSERT_STRING_EQUAL(found.data, expected);
	if (strcmp(found.data, expected) != 0)
		printf("found: %s ", found.data);
}

static void test_dirs_above(void)
{
	auto_change_list struct change_list list = { 0 };

	add(&list, CHANGE_ADDED, "a/b/y");
	add(&list, CHANGE_DELETED, "a/b/x");
	add(&list, CHANGE_ADDED, "a.b");
	add(&list, CHANGE_ADDED, "c/d/e");
	add(&list, CHANGE_ADDED, "c/d");
	add(&list, CHANGE_MODIFIED, "c");
	change_list_complete(&list, NULL);
	check_list(&list, "C a, A a.b, C a/b, D a/b/x, A a/b/y, C c, A c/d, A c/d/e");
}

static void test_hidden(void)
{
	static const char *const hidden[] = { "etc/hosts", "proc", NULL };
	auto_change_list struct change_list list = { 0 };

	add(&list, CHANGE_ADDED, "etc/hosts");
	add(&list, CHANGE_ADDED, "proc/self/x");
	add(&list, CHANGE_ADDED, "proc2");
	add(&list, CHANGE_ADDED, "lost+found");
	add(&list, CHANGE_ADDED, "srv/lost+found");
	change_list_complete(&list, hidden);
	check_list(&list, "A lost+found, A proc2, C srv, A srv/lost+found");
}

static void write_file(struct box *box, const char *path, const char *text, time_t mtime)
{
	auto_fd int fd = openat(box->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = mtime } };

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	CU_ASSERT_EQUAL_FATAL(0, futimens(fd, times));
}

static void test_walk(void)
{
	auto_box struct box old = box_new();
	auto_box struct box new = box_new();
	auto_change_list struct change_list list = { 0 };
	struct error err = { 0 };

	for (int i = 0; i < 2; i++) {
		struct box *box = i ? &new : &old;

		CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->fd, "same", 0755));
		CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->fd, "dir", 0755));
		write_file(box, "same/f", "same", 5);
		write_file(box, "dir/content", i ? "one" : "two", 5);
		write_file(box, "dir/time", "x", i ? 6 : 5);
		CU_ASSERT_EQUAL_FATAL(0, symlinkat(i ? "x" : "y", box->fd, "link"));
	}
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(old.fd, "gone", 0755));
	write_file(&old, "gone/f", "", 5);
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(new.fd, "new", 0755));
	write_file(&new, "new/f", "", 5);
	write_file(&old, "kind", "", 5);
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(new.fd, "kind", 0755));
	write_file(&new, "kind/f", "", 5);
	CU_ASSERT_EQUAL_FATAL(0, diff_trees(old.fd, new.fd, NULL, &list, &err));
	CU_ASSERT_TRUE(list.walked);
	check_list(&list, "C dir, C dir/content, C dir/time, D gone, C kind, A kind/f, C link, "
			  "A new, A new/f");
}

static void test_from_nothing(void)
{
	auto_box struct box box = box_new();
	auto_change_list struct change_list list = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, "d", 0755));
	write_file(&box, "d/f", "", 5);
	CU_ASSERT_EQUAL_FATAL(0, diff_trees(-1, box.fd, NULL, &list, &err));
	check_list(&list, "A d, A d/f");
}

UNIT_SUITE(diff, { "directories above a change are listed once", test_dirs_above },
	   { "what is hidden does not show, nor what leads to it", test_hidden },
	   { "two trees are walked", test_walk },
	   { "against nothing everything was added", test_from_nothing });

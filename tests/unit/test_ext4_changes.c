/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_changes.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/io.h"
#include "ext4_images.h"
#include "layer/tree_remove.h"

static char folder[32];

static void check_case(const char *name)
{
	auto_free char *parent = xasprintf("%s/%s/parent", folder, name);
	auto_free char *child = xasprintf("%s/%s/child", folder, name);
	auto_free char *file = xasprintf("%s/%s/expected", folder, name);
	auto_buf struct buf expected = { 0 };
	auto_buf struct buf found = { 0 };
	struct ext4_changes_cost cost;
	struct error err = { 0 };

	buf_puts(&expected, "");
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, file, 4096, &expected, &err));
	images_compare(parent, child, &found, &cost, &err);
	CU_ASSERT_STRING_EQUAL(found.data, expected.data);
	if (strcmp(found.data, expected.data) != 0)
		printf("\n%s: %s(%s) instead of %s", name, found.data, err.text, expected.data);
}

static void test_cases(void)
{
	auto_dir DIR *dir = NULL;
	struct dirent *entry;
	unsigned nr = 0;
	struct error err;

	if (!images_make(folder))
		return;
	dir = opendir(folder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check_case(entry->d_name);
		nr++;
	}
	CU_ASSERT(nr >= 40);
	CU_ASSERT_EQUAL(0, tree_remove(AT_FDCWD, folder, &err));
}

static void test_no_device(void)
{
	struct ext4_changes_args args = { .parent = "/nonexistent", .child = "/nonexistent" };
	struct ext4_changes_cost cost;
	struct error err;

	CU_ASSERT_EQUAL(-1, ext4_changes(&args, &cost, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	args.parent = args.child = "/dev/null";
	CU_ASSERT_EQUAL(-1, ext4_changes(&args, &cost, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
}

UNIT_SUITE(ext4_changes,
	   { "every pair of small file systems gives the changes that were made", test_cases },
	   { "what is no file system is an error of its own", test_no_device });

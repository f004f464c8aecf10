/* SPDX-License-Identifier: Apache-2.0 */
#include "outfile.h"

#include <dirent.h>
#include <string.h>

#include "base/io.h"
#include "layerbox.h"
#include "unit.h"

/* What lies in the folder, and is seen by others. */
static size_t count(const struct box *box)
{
	auto_dir DIR *dir = opendir(box->path);
	struct dirent *entry;
	size_t nr = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)))
		nr += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return nr;
}

static void put(const struct box *box, const char *path, const char *text, bool commit)
{
	auto_outfile struct outfile file = { .fd = -1 };
	size_t before = count(box);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(outfile_open(&file, path, &err), 0);
	CU_ASSERT_EQUAL_FATAL(outfile_write(&file, text, strlen(text), &err), 0);
	/* A kill would leave nothing. */
	CU_ASSERT_EQUAL(count(box), before);
	if (commit)
		CU_ASSERT_EQUAL(outfile_commit(&file, &err), 0);
}

static void check(const char *path, const char *text)
{
	auto_buf struct buf found = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_read_file(AT_FDCWD, path, 100, &found, &err), 0);
	CU_ASSERT_STRING_EQUAL(found.data, text);
}

static void test_a_file_appears_whole(void)
{
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/out", box.path);
	struct stat st;

	put(&box, path, "first", true);
	check(path, "first");
	CU_ASSERT_EQUAL_FATAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0600);
	CU_ASSERT_EQUAL(st.st_nlink, 1);
	put(&box, path, "second", false);
	check(path, "first");
	put(&box, path, "third", true);
	check(path, "third");
	CU_ASSERT_EQUAL(count(&box), 1);
}

/* What a killed one left between the link and the rename. */
static void test_a_name_that_is_taken(void)
{
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/out", box.path);
	auto_free char *left = xasprintf("%s/.tmp-veneer-%d-0", box.path, getpid());
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, left, "old", 3, 0600, &err), 0);
	put(&box, path, "new", true);
	check(path, "new");
	check(left, "old");
	CU_ASSERT_EQUAL(count(&box), 2);
}

static void test_a_folder_in_its_place(void)
{
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/out", box.path);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0755), 0);
	{
		auto_outfile struct outfile file = { .fd = -1 };

		CU_ASSERT_EQUAL_FATAL(outfile_open(&file, path, &err), 0);
		CU_ASSERT_EQUAL(outfile_commit(&file, &err), -1);
	}
	CU_ASSERT_EQUAL(count(&box), 1);
}

UNIT_SUITE(outfile, { "a file appears whole, or not at all", test_a_file_appears_whole },
	   { "a name that is taken", test_a_name_that_is_taken },
	   { "a folder in its place", test_a_folder_in_its_place });

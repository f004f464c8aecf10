/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/kernel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static bool has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static void test_command_line(void)
{
	struct kernel kernel = { .path = (char[]){ "/k" }, .memory_bytes = UINT64_C(1) << 30 };
	auto_strlist struct strlist argv = { 0 };
	const int disks[] = { 12, 7 };
	struct frame_key key;
	struct error err;

	memset(key.bytes, 0xab, sizeof(key.bytes));
	CU_ASSERT_EQUAL_FATAL(
		0, kernel_argv(&kernel, "/opt/my veneer", &key, 9, disks, 2, &argv, &err));
	CU_ASSERT_STRING_EQUAL(argv.items[0], "/k");
	CU_ASSERT_TRUE(has(&argv, "mem=1024M"));
	CU_ASSERT_TRUE(has(&argv, "\"init=/opt/my veneer\""));
	CU_ASSERT_TRUE(has(&argv, "ssl0=fd:9,fd:9"));
	CU_ASSERT_TRUE(has(&argv, "ubda=/proc/self/fd/12"));
	CU_ASSERT_TRUE(has(&argv, "ubdb=/proc/self/fd/7"));
	CU_ASSERT_TRUE(has(&argv, "VENEER_LINE=abababababababababababababababab"));
	CU_ASSERT_STRING_EQUAL(argv.items[argv.nr - 1], "--appliance-guest");
	CU_ASSERT_PTR_NULL(argv.items[argv.nr]);
}

static void test_a_path_that_a_kernel_cannot_take(void)
{
	struct kernel kernel = { .path = (char[]){ "/k" }, .memory_bytes = UINT64_C(1) << 30 };
	auto_strlist struct strlist argv = { 0 };
	auto_free char *path = xcalloc(1, 3000);
	struct frame_key key = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(-1, kernel_argv(&kernel, "/a\"b", &key, 9, NULL, 0, &argv, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	memset(path, 'x', 2999);
	CU_ASSERT_EQUAL(-1, kernel_argv(&kernel, path, &key, 9, NULL, 0, &argv, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
}

static void test_releases_compare_by_number(void)
{
	CU_ASSERT(kernel_compare_releases("6.1.9", "6.1.10") < 0);
	CU_ASSERT(kernel_compare_releases("6.10.1", "6.9.9") > 0);
	CU_ASSERT(kernel_compare_releases("6.1", "6.1.1") < 0);
	CU_ASSERT(kernel_compare_releases("6.1.1-a", "6.1.1-b") < 0);
	CU_ASSERT_EQUAL(kernel_compare_releases("6.12.38", "6.12.38"), 0);
}

static void make_release(const char *dir, const char *release, bool complete)
{
	auto_free char *path = xasprintf("%s/%s", dir, release);
	auto_free char *list = xasprintf("%s/modules.dep", path);
	auto_fd int fd = -1;

	CU_ASSERT_EQUAL_FATAL(0, mkdir(path, 0755));
	if (complete)
		fd = open(list, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

static void remove_release(const char *dir, const char *release)
{
	auto_free char *path = xasprintf("%s/%s", dir, release);
	auto_free char *list = xasprintf("%s/modules.dep", path);

	unlink(list);
	rmdir(path);
}

static void test_the_newest_modules(void)
{
	char dir[] = "/tmp/unit-kernel-XXXXXX";
	auto_free char *none = NULL, *newest = NULL, *expected = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	none = kernel_newest_modules(dir);
	CU_ASSERT_PTR_NULL(none);
	make_release(dir, "6.1.9", true);
	make_release(dir, "6.1.176", true);
	make_release(dir, "6.12.1", false);
	newest = kernel_newest_modules(dir);
	expected = xasprintf("%s/6.1.176", dir);
	CU_ASSERT_PTR_NOT_NULL_FATAL(newest);
	CU_ASSERT_STRING_EQUAL(newest, expected);
	remove_release(dir, "6.1.9");
	remove_release(dir, "6.1.176");
	remove_release(dir, "6.12.1");
	CU_ASSERT_EQUAL(0, rmdir(dir));
}

static void test_a_missing_kernel_names_the_package(void)
{
	struct kernel kernel;
	struct error err;

	CU_ASSERT_EQUAL(-1, kernel_find("/nonexistent/linux", NULL, 0, &kernel, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, KERNEL_PACKAGE));
	CU_ASSERT_EQUAL(-1, kernel_find("/bin/sh", "/nonexistent", 0, &kernel, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, KERNEL_PACKAGE));
}

static void test_memory_that_the_host_does_not_have(void)
{
	char dir[] = "/tmp/unit-kernel-XXXXXX";
	struct kernel kernel;
	struct error err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	make_release(dir, "m", true);
	auto_free char *modules = xasprintf("%s/m", dir);

	CU_ASSERT_EQUAL(-1, kernel_find("/bin/sh", modules, UINT64_C(1) << 60, &kernel, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "appliance.memory"));
	remove_release(dir, "m");
	CU_ASSERT_EQUAL(0, rmdir(dir));
}

static void test_a_folder_that_cannot_hold_the_memory_is_passed_over(void)
{
	char dir[] = "/tmp/unit-kernel-XXXXXX";
	auto_kernel struct kernel kernel = { 0 };
	auto_free char *before = getenv("TMPDIR") ? xstrdup(getenv("TMPDIR")) : NULL;
	struct error err;
	int result;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	make_release(dir, "m", true);
	auto_free char *modules = xasprintf("%s/m", dir);

	setenv("TMPDIR", "/nonexistent", 1);
	result = kernel_find("/bin/sh", modules, 0, &kernel, &err);
	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	remove_release(dir, "m");
	CU_ASSERT_EQUAL(0, rmdir(dir));
	CU_ASSERT_EQUAL_FATAL(0, result);
	CU_ASSERT_STRING_NOT_EQUAL(kernel.memory_dir, "/nonexistent");
}

UNIT_SUITE(kernel, { "the kernel's command line", test_command_line },
	   { "a path that a kernel cannot take is refused", test_a_path_that_a_kernel_cannot_take },
	   { "releases compare by number", test_releases_compare_by_number },
	   { "a folder that cannot hold the memory is passed over",
	     test_a_folder_that_cannot_hold_the_memory_is_passed_over },
	   { "the newest modules are chosen", test_the_newest_modules },
	   { "a missing kernel names the package", test_a_missing_kernel_names_the_package },
	   { "memory that the host does not have", test_memory_that_the_host_does_not_have });

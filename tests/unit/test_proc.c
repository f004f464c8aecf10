/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "unit.h"

static void test_output_and_status(void)
{
	const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
	auto_buf struct buf output = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(3, proc_run(argv, 10000, &output, &err));
	CU_ASSERT_STRING_EQUAL(output.data, "out\nerr\n");
	CU_ASSERT_EQUAL(-1, proc_check(argv, 10000, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exit status 3): err"));
}

static void test_missing_program(void)
{
	const char *const argv[] = { "no-such-program-here", NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_run(argv, 10000, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
}

static void test_a_path_without_the_folders_of_root(void)
{
	const char *const argv[] = { "mkfs.ext4", "-V", NULL };
	auto_free char *before = xstrdup(getenv("PATH"));
	auto_buf struct buf output = { 0 };
	struct error err;
	int result;

	setenv("PATH", "/usr/bin:/bin", 1);
	result = proc_run(argv, 10000, &output, &err);
	setenv("PATH", before, 1);
	CU_ASSERT_EQUAL(0, result);
}

static void test_deadline(void)
{
	const char *const argv[] = { "cat", "/dev/zero", NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_run(argv, 50, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_IO);
}

UNIT_SUITE(proc, { "output and exit status arrive", test_output_and_status },
	   { "a missing program is not found", test_missing_program },
	   { "root's programs are found without their folders in PATH",
	     test_a_path_without_the_folders_of_root },
	   { "a child that does not end is killed", test_deadline });

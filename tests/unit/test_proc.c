/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

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

static void test_deadline(void)
{
	const char *const argv[] = { "cat", "/dev/zero", NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_run(argv, 50, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_IO);
}

UNIT_SUITE(proc, { "output and exit status arrive", test_output_and_status },
	   { "a missing program is not found", test_missing_program },
	   { "a child that does not end is killed", test_deadline });

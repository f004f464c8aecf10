/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

#define QUESTION "WARNING! Gone.\nAre you sure you want to continue? [y/N] "

static bool ask(const char *input)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct error err;
	bool yes = false;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(write(fds[1], input, strlen(input)), (ssize_t)strlen(input));
	close(fds[1]);
	CU_ASSERT_EQUAL(prompt_confirm(out, fds[0], "WARNING! Gone.\n", &yes, &err), 0);
	close(fds[0]);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, QUESTION);
	return yes;
}

static void test_only_y_is_yes(void)
{
	CU_ASSERT_TRUE(ask("y\n"));
	CU_ASSERT_TRUE(ask("Y\n"));
	CU_ASSERT_TRUE(ask("y\r\nn\n"));
	CU_ASSERT_TRUE(ask("y"));
	CU_ASSERT_FALSE(ask("yes\n"));
	CU_ASSERT_FALSE(ask("n\n"));
	CU_ASSERT_FALSE(ask("\ny\n"));
	CU_ASSERT_FALSE(ask(""));
	CU_ASSERT_FALSE(ask("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n"));
}

UNIT_SUITE(prompt, { "only y and Y are yes", test_only_y_is_yes });

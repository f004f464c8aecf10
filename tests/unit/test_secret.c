/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "unit.h"

void __real_free(void *p);
void __wrap_free(void *p);

/* What secret_free() hands to free() is looked at there: afterwards is too late. */
static const char *watched;
static bool was_clean;

void __wrap_free(void *p)
{
	if (p && p == watched) {
		was_clean = true;
		for (size_t i = 0; i < 24; i++)
			was_clean &= watched[i] == 0;
		watched = NULL;
	}
	__real_free(p);
}

static void test_released_memory_is_wiped(void)
{
	struct buf buf;
	char *text = xcalloc(1, 24);

	memcpy(text, "short", 5);
	memcpy(text + 12, "behind", 6);
	watched = text;
	was_clean = false;
	secret_free(text);
	CU_ASSERT_TRUE(was_clean);
	secret_free(NULL);

	secret_buf_init(&buf, 100);
	text = buf.data;
	for (int i = 0; i < 100; i++)
		buf_putc(&buf, 'x');
	CU_ASSERT_PTR_EQUAL(buf.data, text);
	watched = text;
	was_clean = false;
	secret_buf_done(&buf);
	CU_ASSERT_TRUE(was_clean);
	CU_ASSERT_PTR_NULL(buf.data);
	secret_buf_done(&buf);
}

static void check_dumps(int dumpable, rlim_t bytes)
{
	struct rlimit limit;

	CU_ASSERT_EQUAL(prctl(PR_GET_DUMPABLE), dumpable);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_CORE, &limit), 0);
	CU_ASSERT_EQUAL(limit.rlim_cur, bytes);
}

static void test_no_core_dump_while_held(void)
{
	struct rlimit before, limit;
	rlim_t some;

	CU_ASSERT_EQUAL(getrlimit(RLIMIT_CORE, &before), 0);
	some = before.rlim_max < 4096 ? before.rlim_max : 4096;
	limit = (struct rlimit){ some, before.rlim_max };
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_CORE, &limit), 0);
	check_dumps(1, some);
	secret_hold();
	check_dumps(0, 0);
	secret_hold();
	secret_release();
	check_dumps(0, 0);
	secret_release();
	check_dumps(1, some);
	secret_release();
	check_dumps(1, some);
	setrlimit(RLIMIT_CORE, &before);
}

UNIT_SUITE(secret, { "released memory is wiped", test_released_memory_is_wiped },
	   { "no core dump while a secret is held", test_no_core_dump_while_held });

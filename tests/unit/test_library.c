/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <stddef.h>

#include "unit.h"

static double (*cosine)(double);
static void (*nothing)(void);

static void refuse(const char *file, const struct library_symbol *symbols, const char *expected)
{
	struct error err;

	CU_ASSERT_EQUAL_FATAL(library_load(file, symbols, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, expected));
}

static void test_a_library_is_called(void)
{
	static const struct library_symbol symbols[] = { { "cos", &cosine }, { NULL, NULL } };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(library_load("libm.so.6", symbols, &err), 0);
	CU_ASSERT_EQUAL((int)cosine(0), 1);
}

static void test_what_is_absent_is_named(void)
{
	static const struct library_symbol none[] = { { NULL, NULL } };
	static const struct library_symbol symbols[] = { { "cos", &cosine },
							 { "no_such_function", &nothing },
							 { NULL, NULL } };

	refuse("libno-such.so.1", none, "libno-such.so.1: ");
	refuse("libm.so.6", symbols, "no_such_function");
	CU_ASSERT_PTR_NULL(nothing);
}

UNIT_SUITE(library, { "a library is called", test_a_library_is_called },
	   { "what is absent is named", test_what_is_absent_is_named });

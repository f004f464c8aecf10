/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit - one CUnit suite per module
 *
 * tests/unit/test_NAME.c defines NAME_suite with UNIT_SUITE; the Makefile finds it.
 */
#ifndef UNIT_H
#define UNIT_H

#include <CUnit/CUnit.h>

#define UNIT_SUITE(name, ...)                                                   \
	static CU_TestInfo name##_tests[] = { __VA_ARGS__, CU_TEST_INFO_NULL }; \
	extern const CU_SuiteInfo name##_suite;                                 \
	const CU_SuiteInfo name##_suite = { .pName = #name, .pTests = name##_tests }

#endif

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

/*
 * How often something random is tried, of `nr` times: a part under sanitizers, which take several
 * times as long and see the same accesses in each.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_ROUNDS(nr) (((nr) + 3) / 4)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_ROUNDS(nr) (((nr) + 3) / 4)
#endif
#endif
#ifndef UNIT_ROUNDS
#define UNIT_ROUNDS(nr) (nr)
#endif

#endif

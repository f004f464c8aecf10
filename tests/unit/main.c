/* SPDX-License-Identifier: Apache-2.0 */
#include <CUnit/Basic.h>

#include "unit.h"

#define SUITE(name) extern const CU_SuiteInfo name##_suite;
#include "suites.inc"
#undef SUITE

int main(void)
{
	CU_SuiteInfo suites[] = {
#define SUITE(name) name##_suite,
#include "suites.inc"
		CU_SUITE_INFO_NULL,
	};
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

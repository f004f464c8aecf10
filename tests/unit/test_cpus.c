/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpus.h"

#include <sched.h>
#include <stdlib.h>

#include "unit.h"

static unsigned int with(const char *text)
{
	unsigned int cpus;

	setenv("VENEER_CPUS", text, 1);
	cpus = cpus_usable();
	unsetenv("VENEER_CPUS");
	return cpus;
}

static void test_said(void)
{
	CU_ASSERT_EQUAL(with("1"), 1);
	CU_ASSERT_EQUAL(with("7"), 7);
	CU_ASSERT_EQUAL(with("0"), 1);
	CU_ASSERT_EQUAL(with("-3"), 1);
	CU_ASSERT_EQUAL(with("99999999999999999999"), CPUS_MAX);
	CU_ASSERT_EQUAL(with("many"), 1);
	CU_ASSERT_EQUAL(with(""), cpus_usable());
}

/* As taskset(1) and a cpuset do it. */
static void test_affinity(void)
{
	cpu_set_t before, one;

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof(one), &one), 0);
	CU_ASSERT_EQUAL(cpus_usable(), 1);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(before), &before), 0);
}

UNIT_SUITE(cpus, { "a number that is said counts", test_said },
	   { "only CPUs that the process may run on", test_affinity });

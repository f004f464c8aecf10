/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpus.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static long count(void)
{
	const char *text = getenv("VENEER_CPUS");
	cpu_set_t set;

	if (text && *text)
		return strtol(text, NULL, 10);
	/* It fails where the kernel has room for more than a set holds. */
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							    : sysconf(_SC_NPROCESSORS_ONLN);
}

unsigned int cpus_usable(void)
{
	long cpus = count();

	return cpus < 1 ? 1 : cpus < (long)CPUS_MAX ? (unsigned int)cpus : CPUS_MAX;
}

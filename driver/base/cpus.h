/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpus - how many threads are worth it
 */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

#include <unistd.h>

#define CPUS_MAX 64u /* so that memory for each stays bounded */

/* CPUs that are on, 1 to CPUS_MAX. */
static inline unsigned int cpus_online(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1 ? 1 : cpus < (long)CPUS_MAX ? (unsigned int)cpus : CPUS_MAX;
}

#endif

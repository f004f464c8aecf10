/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpus - how many threads are worth it
 */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

#define CPUS_MAX 64u /* so that memory for each stays bounded */

/*
 * CPUs that this process may run on, 1 to CPUS_MAX; VENEER_CPUS=N says another number, for tests
 * of what only several do.
 */
unsigned int cpus_usable(void);

#endif

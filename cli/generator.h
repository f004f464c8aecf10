/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generator - the program under the name veneer-generator: units for the plans of this server
 *
 * systemd calls it at boot and at each reload, before anything runs: it reads plans, writes files into
 * the folder that it is given, and touches nothing else.
 *
 * Source: systemd.generator(7)
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include <stdbool.h>

/* Is this the name of the generator? argv0 may be a path. */
bool generator_is_called(const char *argv0);
/* The exit status. What is wrong goes to the kernel's log, or to stderr where that cannot be. */
int generator_run(int argc, char **argv);

#endif

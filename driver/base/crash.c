/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crash.h"

#ifdef CRASH_POINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name)
{
	static int passed;
	const char *wanted = getenv("VENEER_CRASH_AT");
	size_t len = strlen(name);

	if (!wanted || strncmp(wanted, name, len) != 0 || (wanted[len] && wanted[len] != ':'))
		return;
	if (++passed == (wanted[len] ? (int)strtol(wanted + len + 1, NULL, 10) : 1))
		kill(getpid(), SIGKILL);
}

#endif

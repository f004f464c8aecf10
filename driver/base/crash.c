/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crash.h"

#ifdef CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "*:3" is the third passage of any point. */
static bool is_meant(const char *wanted, const char *name, const char **ret_count)
{
	size_t len = wanted[0] == '*' ? 1 : strlen(name);

	*ret_count = wanted + len;
	return (wanted[0] == '*' || strncmp(wanted, name, len) == 0) &&
	       (!wanted[len] || wanted[len] == ':');
}

/* The kernel dies in the middle of this call, with all that it has not yet written to its disks. */
static void cut_power(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "c", 1) < 0)
		perror("/proc/sysrq-trigger");
}

void crash_point(const char *name)
{
	static int passed;
	const char *wanted = getenv("VENEER_CRASH_AT");
	const char *count;

	if (wanted && strcmp(wanted, "?") == 0)
		dprintf(STDERR_FILENO, "crash point %s\n", name);
	if (!wanted || !is_meant(wanted, name, &count))
		return;
	if (++passed != (*count ? (int)strtol(count + 1, NULL, 10) : 1))
		return;
	dprintf(STDERR_FILENO, "crash point %s\n", name);
	if (getenv("VENEER_CRASH_POWER"))
		cut_power();
	kill(getpid(), SIGKILL);
}

#endif

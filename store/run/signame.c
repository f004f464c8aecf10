/* SPDX-License-Identifier: Apache-2.0 */
#include "run/signame.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int number_of(const char *text)
{
	char *end;
	long value;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 3)
		return -1;
	value = strtol(text, &end, 10);
	return value > 0 && value <= SIGRTMAX ? (int)value : -1;
}

static int realtime(const char *name)
{
	int offset;

	if (strcasecmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcasecmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	offset = strncasecmp(name, "RTMIN+", 6) == 0 || strncasecmp(name, "RTMAX-", 6) == 0
			 ? number_of(name + 6)
			 : -1;
	if (offset < 0 || offset > SIGRTMAX - SIGRTMIN)
		return -1;
	return strncasecmp(name, "RTMIN", 5) == 0 ? SIGRTMIN + offset : SIGRTMAX - offset;
}

int signame_parse(const char *text, struct error *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int number = number_of(text);

	for (int i = 1; number < 0 && i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			number = i;
	}
	if (number < 0)
		number = realtime(name);
	if (number < 0)
		return err_set(err, ERR_USAGE, "invalid signal: %s", text);
	return number;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "absent.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "table.h"

/* How to come to the same end. */
#define NO_CONTAINERS "see '" PROGRAM " container --help' for what there is of containers"

static const struct {
	const char *names; /* "build|image build" */
	const char *instead;
} rows[] = {
	{ "pause|port|rename|restart|stats|top|unpause|update", NO_CONTAINERS },
};

static bool has_name(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; *at;) {
		size_t here = strcspn(at, "|");

		if (here == len && memcmp(at, name, len) == 0)
			return true;
		at += here + (at[here] == '|');
	}
	return false;
}

static char *refusal(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!has_name(rows[i].names, name))
			continue;
		return xasprintf(PROGRAM ": '" PROGRAM " %s' is not in this version: %s", name,
				 rows[i].instead);
	}
	return NULL;
}

char *absent_refusal(const char *const *words)
{
	auto_free char *two = words[1] ? xasprintf("%s %s", words[0], words[1]) : NULL;
	char *ret = two ? refusal(two) : NULL;

	return ret ? ret : refusal(words[0]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "absent.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "table.h"

/* How to come to the same end. */
#define NO_BUILD                                                                                  \
	"build the image with another tool, such as buildah, and load its archive with '" PROGRAM \
	" load'"
#define NO_CONTAINERS                                                                            \
	"it runs no containers; '" PROGRAM " mount --rw' and '" PROGRAM " attach --rw' give an " \
	"image's files or block device to another program"
#define NO_REGISTRY                                                                             \
	"it talks to no registry; 'skopeo copy' makes an archive for '" PROGRAM " load' of an " \
	"image in one"
#define NO_SAVE	  "keep the archive that was loaded"
#define NO_VERIFY "'" PROGRAM " check' compares catalogue, pool and labels"
#define NO_VOLUME "'" PROGRAM " attach --rw' makes a writable volume of an image"

/* By this the caller of `run` tells our failures from those of the program. */
#define STATUS_OF_RUN 125

static const struct {
	const char *names; /* "build|image build" */
	const char *instead;
	int status;
} rows[] = {
	{ "build|builder|image build", NO_BUILD, 1 },
	{ "commit|container|cp|diff|exec|export|kill|logs|pause|port|ps|rename", NO_CONTAINERS, 1 },
	{ "restart|rm|start|stats|stop|system prune|top|unpause|wait", NO_CONTAINERS, 1 },
	{ "create|run|container create|container run", NO_CONTAINERS, STATUS_OF_RUN },
	{ "login|logout|pull|push|search|image pull|image push", NO_REGISTRY, 1 },
	{ "save|image save", NO_SAVE, 1 },
	{ "verify", NO_VERIFY, 1 },
	{ "volume", NO_VOLUME, 1 },
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

static char *refusal(const char *name, int *ret_status)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!has_name(rows[i].names, name))
			continue;
		*ret_status = rows[i].status;
		return xasprintf(PROGRAM ": '" PROGRAM " %s' is not in this version: %s", name,
				 rows[i].instead);
	}
	return NULL;
}

char *absent_refusal(const char *const *words, int *ret_status)
{
	auto_free char *two = words[1] ? xasprintf("%s %s", words[0], words[1]) : NULL;
	char *ret = two ? refusal(two, ret_status) : NULL;

	return ret ? ret : refusal(words[0], ret_status);
}

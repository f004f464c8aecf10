/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/fs.h"

#include <string.h>

static const struct fs_kind *const kinds[] = { &fs_ext4, &fs_xfs };

const struct fs_kind *fs_find(const char *name, struct error *err)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	err_set(err, ERR_USAGE, "unknown file system '%s': use ext4 or xfs", name);
	return NULL;
}

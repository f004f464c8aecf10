/* SPDX-License-Identifier: Apache-2.0 */
/* volume_verity - what is told of damaged blocks, and views that do not show them */
#include <string.h>

#include "fs/ext4_owner.h"
#include "volume_private.h"

struct owner_sink {
	int (*found)(void *ctx, size_t index, const struct volume_owner *owner, struct error *err);
	void *ctx;
};

static int pass_owner(void *ctx, size_t index, const struct ext4_owner *owner, struct error *err)
{
	const struct owner_sink *sink = ctx;
	struct volume_owner told = { owner->what, owner->path };

	return sink->found(sink->ctx, index, &told, err);
}

int volume_block_owners(struct volume *volume, const uint64_t *blocks, size_t nr,
			int (*found)(void *ctx, size_t index, const struct volume_owner *owner,
				     struct error *err),
			void *ctx, struct error *err)
{
	struct owner_sink sink = { found, ctx };

	if (strcmp(volume->pool->fs->name, "ext4") != 0)
		return err_set(err, ERR_UNSUPPORTED, "volumes carry %s", volume->pool->fs->name);
	return ext4_owners(volume->node, blocks, nr, pass_owner, &sink, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/hardlinks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/nameset.h"
#include "limits.h"

#define FIRST_SLOTS 64

struct slot {
	dev_t dev;
	ino_t ino;
	uint64_t path; /* offset + 1 of its text; 0: the slot is free */
};

struct hardlinks {
	struct slot *slots; /* open addressing, at most half full */
	size_t nr_slots;
	size_t nr;
	struct buf paths;
	struct nameset *written; /* the same paths */
};

struct hardlinks *hardlinks_new(void)
{
	return xcalloc(1, sizeof(struct hardlinks));
}

void hardlinks_clear(struct hardlinks *links)
{
	free(links->slots);
	buf_done(&links->paths);
	nameset_free(links->written);
	*links = (struct hardlinks){ 0 };
}

void hardlinks_free(struct hardlinks *links)
{
	if (!links)
		return;
	hardlinks_clear(links);
	free(links);
}

/* The slot of a file, or the free one where it belongs; there are slots. */
static struct slot *find_slot(const struct hardlinks *links, dev_t dev, ino_t ino)
{
	/* Inodes are not chosen by anybody; they rise, and the product spreads them. */
	uint64_t hash = ((uint64_t)ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(hash >> 20);

	for (;; at++) {
		struct slot *slot = &links->slots[at & (links->nr_slots - 1)];

		if (!slot->path || (slot->dev == dev && slot->ino == ino))
			return slot;
	}
}

static void grow(struct hardlinks *links)
{
	struct slot *old = links->slots;
	size_t nr_old = links->nr_slots;

	links->nr_slots = nr_old ? 2 * nr_old : FIRST_SLOTS;
	links->slots = xcalloc(links->nr_slots, sizeof(*links->slots));
	for (size_t i = 0; i < nr_old; i++)
		if (old[i].path)
			*find_slot(links, old[i].dev, old[i].ino) = old[i];
	free(old);
}

const char *hardlinks_find(const struct hardlinks *links, const struct stat *file)
{
	const struct slot *slot = links->nr ? find_slot(links, file->st_dev, file->st_ino) : NULL;

	return slot && slot->path ? links->paths.data + slot->path - 1 : NULL;
}

int hardlinks_add(struct hardlinks *links, const struct stat *file, const char *path,
		  struct error *err)
{
	size_t size = strlen(path) + 1;

	if (links->paths.len + size + (links->nr + 1) * 4 * sizeof(struct slot) >
	    LIMIT_COPY_LINK_BYTES)
		return err_set(err, ERR_LIMIT, "too many files with several names (%zu)",
			       links->nr);
	if (!links->written)
		links->written = nameset_new(SIZE_MAX);
	if (nameset_add(links->written, 0, path, size - 1, err) < 0)
		return -1;
	if (2 * (links->nr + 1) > links->nr_slots)
		grow(links);
	*find_slot(links, file->st_dev, file->st_ino) =
		(struct slot){ file->st_dev, file->st_ino, links->paths.len + 1 };
	buf_append(&links->paths, path, size);
	links->nr++;
	return 0;
}

void hardlinks_overwritten(struct hardlinks *links, const char *path)
{
	if (links->nr && nameset_has(links->written, 0, path, strlen(path)))
		hardlinks_clear(links);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/filehash.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void filehash_number(struct hasher *hasher, uint64_t value)
{
	/* A key must be the same on every machine. */
	uint64_t little = htole64(value);

	hasher_add(hasher, &little, sizeof(little));
}

void filehash_field(struct hasher *hasher, const void *data, size_t len)
{
	filehash_number(hasher, len);
	hasher_add(hasher, data, len);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct tree_xattr *)a)->name, ((const struct tree_xattr *)b)->name);
}

void filehash_add(struct hasher *hasher, struct filehash_record *record)
{
	bool device = S_ISCHR(record->mode) || S_ISBLK(record->mode);

	filehash_field(hasher, record->name, strlen(record->name));
	filehash_number(hasher, record->mode);
	filehash_number(hasher, record->uid);
	filehash_number(hasher, record->gid);
	filehash_number(hasher, S_ISREG(record->mode) ? record->size_bytes : 0);
	filehash_number(hasher, device ? major(record->rdev) : 0);
	filehash_number(hasher, device ? minor(record->rdev) : 0);
	filehash_field(hasher, record->link ? record->link : "",
		       record->link ? strlen(record->link) : 0);
	if (record->nr_xattrs)
		qsort(record->xattrs, record->nr_xattrs, sizeof(*record->xattrs), compare_names);
	filehash_number(hasher, record->nr_xattrs);
	for (size_t i = 0; i < record->nr_xattrs; i++) {
		const struct tree_xattr *xattr = &record->xattrs[i];

		filehash_field(hasher, xattr->name, strlen(xattr->name));
		filehash_field(hasher, xattr->value, xattr->len);
	}
}

void filehash_of(struct filehash_record *record, struct digest *ret)
{
	auto_hasher struct hasher *hasher = hasher_new();

	filehash_add(hasher, record);
	hasher_end(hasher, ret);
}

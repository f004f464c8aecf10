/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devname - what the name of a device-mapper device says
 *
 * Ours have one text as name and uuid: see pool/pool.h. Others begin their uuid
 * with a word of their own.
 */
#ifndef POOL_DEVNAME_H
#define POOL_DEVNAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "pool/pool.h"

enum devname_kind {
	DEVNAME_POOL,
	DEVNAME_DATA,
	DEVNAME_META,
	DEVNAME_VOLUME,
	DEVNAME_READER, /* a volume's further device, of one process */
	DEVNAME_OTHER,	/* ours by its name, but none that we make */
};

struct devname {
	char store_id[9];
	enum devname_kind kind;
	uint32_t thin_id; /* of a volume or a reader */
};

/* Returns false when it is none of ours. Pure. */
bool devname_parse(const char *uuid, struct devname *ret);

/* Which program makes devices with such a uuid: "LVM", "cryptsetup"; static. Pure. */
const char *devname_owner(const char *uuid);

struct devname_texts {
	char name[129]; /* the kernel has 128 for each */
	char uuid[130];
};

/* As the kernel has them for this device; false when it is no device-mapper device. */
bool devname_read(dev_t device, struct devname_texts *ret);
/* The device of this name; false when there is none. */
bool devname_find(const char *name, dev_t *ret);
/* The names of all devices. */
void devname_list(struct strlist *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/probe.h"

#include <blkid/blkid.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"

static void probe_free(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

static const char *value_of(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : NULL;
}

static char *describe(blkid_probe probe)
{
	const char *type = value_of(probe, "TYPE");
	const char *table = value_of(probe, "PTTYPE");
	const char *usage = value_of(probe, "USAGE");

	if (table)
		return xasprintf("a partition table (%s)", table);
	if (!type)
		return xstrdup("an unknown signature");
	if (usage && strcmp(usage, "filesystem") == 0)
		return xasprintf("a file system (%s)", type);
	return xasprintf("a signature (%s)", type);
}

#define SUPER_BYTES    40u
#define SUPER_MAGIC_AT 32u

/*
 * Programs keep these on devices of their own that carry nothing else, and
 * libblkid does not know them. Source: Linux drivers/md/dm-{thin,cache}-metadata.c
 * and dm-era-target.c; all three have the magic number at one place.
 */
static const char *persistent_data(const uint8_t super[SUPER_BYTES])
{
	uint64_t magic;

	memcpy(&magic, super + SUPER_MAGIC_AT, sizeof(magic));
	switch (le64toh(magic)) {
	case 27022010:
		return "a signature (metadata of a thin pool)";
	case 06142003:
		return "a signature (metadata of a dm-cache)";
	case 2126579579:
		return "a signature (metadata of a dm-era)";
	default:
		return NULL;
	}
}

static int probe_super(int fd, char **ret, struct error *err)
{
	uint8_t super[SUPER_BYTES];
	const char *found;

	if (io_pread(fd, super, sizeof(super), 0, err) < 0)
		return -1;
	found = persistent_data(super);
	*ret = found ? xstrdup(found) : NULL;
	return 0;
}

int probe_signature(int fd, char **ret, struct error *err)
{
	__attribute__((cleanup(probe_free))) blkid_probe probe = blkid_new_probe();
	int found;

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0 ||
	    blkid_probe_enable_superblocks(probe, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
							     BLKID_SUBLKS_MAGIC) < 0 ||
	    blkid_probe_enable_partitions(probe, 1) < 0 ||
	    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC) < 0)
		return err_set(err, ERR_IO, "libblkid cannot look at the device");
	/* One signature is enough: which one does not matter, and two are no better. */
	found = blkid_do_probe(probe);
	if (found < 0)
		return err_set(err, ERR_IO, "libblkid cannot read the device");
	if (found)
		return probe_super(fd, ret, err);
	*ret = describe(probe);
	return 0;
}

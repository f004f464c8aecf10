/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/probe.h"

#include <blkid/blkid.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

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
	*ret = found == 0 ? describe(probe) : NULL;
	return 0;
}

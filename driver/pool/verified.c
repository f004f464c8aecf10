/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/verified.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "dm/devmap.h"
#include "pool/devices.h"
#include "pool/loop.h"

#define BLOCK_BYTES 4096u

void verified_name(const struct pool *pool, uint32_t id, char ret[POOL_NAME_BYTES])
{
	char part[32];

	snprintf(part, sizeof(part), DEVICES_VERITY "%" PRIu32, id);
	devices_name(pool_config(pool), part, ret);
}

static int make(const char *name, dev_t volume, uint64_t size_bytes, const char *tree_file,
		const unsigned char root[DIGEST_RAW_LEN], dev_t *ret_device, struct error *err)
{
	auto_table struct table table = { 0 };
	struct digest digest;
	struct stat st;
	auto_fd int loop_fd = loop_attach_for_now(tree_file, err);

	if (loop_fd < 0)
		return -1;
	if (fstat(loop_fd, &st) < 0)
		return err_sys(err, errno, "look at the loop device of '%s'", tree_file);
	digest_from_raw(root, &digest);
	table_add_verity(&table, volume, st.st_rdev, size_bytes, BLOCK_BYTES, digest_hex(&digest));
	return devmap_create(name, &table, DEVMAP_ANONYMOUS | DEVMAP_READ_ONLY, ret_device, err);
}

int verified_activate(struct pool *pool, uint32_t id, dev_t volume, uint64_t size_bytes,
		      const char *tree_file, const unsigned char root[DIGEST_RAW_LEN],
		      dev_t *ret_device, struct error *err)
{
	char name[POOL_NAME_BYTES];
	struct devmap_info info;

	verified_name(pool, id, name);
	if (devmap_info(name, &info, err) < 0)
		return -1;
	/* A process killed while it made the device leaves one without a table. */
	if (info.exists && !info.has_table) {
		if (devmap_remove(name, 0, err) < 0)
			return -1;
		info.exists = false;
	}
	if (info.exists) {
		*ret_device = info.device;
		return 0;
	}
	if (devmap_require_target("verity", err) < 0 ||
	    make(name, volume, size_bytes, tree_file, root, ret_device, err) < 0)
		return err_add(err, "verified device of volume %" PRIu32, id);
	return 0;
}

int verified_remove(struct pool *pool, uint32_t id, int wait_ms, struct error *err)
{
	char name[POOL_NAME_BYTES];

	verified_name(pool, id, name);
	if (devmap_remove(name, wait_ms, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return err_add(err, "remove the verified device of volume %" PRIu32, id);
}

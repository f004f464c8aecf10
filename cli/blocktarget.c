/* SPDX-License-Identifier: Apache-2.0 */
#include "blocktarget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "dm/devmap.h"
#include "volume.h"

#define MAPPER "/dev/mapper/"

/* A number is a thin id, never a file. */
static bool is_thin_id(const char *operand, uint32_t *ret)
{
	unsigned long id = strtoul(operand, NULL, 10);

	if (!*operand || strlen(operand) > 8 || operand[strspn(operand, "0123456789")] ||
	    id > VOLUME_ID_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

/* Where no udev runs there are no links in /dev/mapper. */
static int find_device(const char *operand, dev_t *ret, struct error *err)
{
	bool mapped = strncmp(operand, MAPPER, strlen(MAPPER)) == 0;
	const char *name = mapped ? operand + strlen(MAPPER) : operand;
	auto_free char *node = xasprintf("/dev/%s", operand);
	struct stat st;

	if (stat(operand, &st) == 0 || (!strchr(operand, '/') && stat(node, &st) == 0)) {
		*ret = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(err, errno, "look at '%s'", operand);
	if (!strchr(name, '/') && devname_find(name, ret))
		return 0;
	return err_set(err, ERR_NOT_FOUND, "'%s' is neither a device, a folder nor a thin id",
		       operand);
}

/* A reader's name has the process, its table the thin id. */
static uint32_t reader_thin_id(const char *name)
{
	auto_buf struct buf table = { 0 };
	struct error ignored;
	uint32_t id = 0;

	if (devmap_table(name, &table, &ignored) == 0 && table.len)
		sscanf(table.data, "%*u %*u thin %*u:%*u %" SCNu32, &id);
	return id;
}

static int whose(const char *operand, const char *store_id, struct blocktarget *ret,
		 struct error *err)
{
	struct devname_texts texts;

	if (!devname_read(ret->device, &texts))
		return err_set(err, ERR_NOT_FOUND,
			       "'%s' is on the device %u:%u, which is no device of device-mapper, "
			       "so none of veneer",
			       operand, major(ret->device), minor(ret->device));
	if (!devname_parse(texts.uuid, &ret->name))
		return err_set(err, ERR_NOT_FOUND,
			       "'%s' (%s) is no device of veneer: its uuid '%s' is one of %s",
			       operand, texts.name, texts.uuid, devname_owner(texts.uuid));
	if (!store_id || strcmp(store_id, ret->name.store_id) != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "'%s' (%s) belongs to the store %s of veneer, and this one is %s: "
			       "say --root",
			       operand, texts.name, ret->name.store_id,
			       store_id ? store_id : "without a pool");
	if (ret->name.kind == DEVNAME_READER)
		ret->name.thin_id = reader_thin_id(texts.name);
	return 0;
}

int blocktarget_find(const char *operand, const char *store_id, struct blocktarget *ret,
		     struct error *err)
{
	*ret = (struct blocktarget){ .name.kind = DEVNAME_VOLUME };
	if (is_thin_id(operand, &ret->name.thin_id)) {
		auto_free char *name = NULL;

		if (!store_id)
			return err_set(err, ERR_NOT_FOUND, "no thin id %s: the store has no pool",
				       operand);
		name = xasprintf("veneer-%s-%" PRIu32, store_id, ret->name.thin_id);
		snprintf(ret->name.store_id, sizeof(ret->name.store_id), "%s", store_id);
		ret->has_device = devname_find(name, &ret->device);
	} else {
		if (find_device(operand, &ret->device, err) < 0 ||
		    whose(operand, store_id, ret, err) < 0)
			return -1;
		ret->has_device = true;
	}
	if (ret->has_device)
		devmap_node(ret->device, ret->node);
	return 0;
}

int blocktarget_store_id(const char *root, char ret[9], struct error *err)
{
	auto_pool struct pool *pool = NULL;

	if (pool_open(root, &pool, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	memcpy(ret, pool_config(pool)->store_id, sizeof(pool_config(pool)->store_id));
	return 1;
}

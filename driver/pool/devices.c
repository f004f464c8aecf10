/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "tmeta/heldroot.h"

#define REMOVE_WAIT_MS 1000

/* What devices_apply() has to take back when a later step fails. */
struct made {
	char names[3][POOL_NAME_BYTES];
	int nr;
};

void devices_name(const struct pool_config *config, const char *part, char ret[POOL_NAME_BYTES])
{
	snprintf(ret, POOL_NAME_BYTES, "veneer-%s-%s", config->store_id, part);
}

void devices_close(struct devices *devices)
{
	backing_close(&devices->data);
	backing_close(&devices->meta);
}

struct backing *devices_meta(struct devices *devices)
{
	return devices->meta.path ? &devices->meta : &devices->data;
}

struct header *devices_meta_header(struct devices *devices)
{
	return devices->meta.path ? &devices->meta_header : &devices->data_header;
}

int devices_open(const struct pool_config *config, struct devices *ret, struct error *err)
{
	auto_devices struct devices devices = { 0 };

	if (backing_open(config->data_path, config->on_files, &devices.data, err) < 0)
		return err_add(err, "data of the pool");
	if (strcmp(config->data_path, config->meta_path) != 0 &&
	    backing_open(config->meta_path, config->on_files, &devices.meta, err) < 0)
		return err_add(err, "metadata of the pool");
	*ret = devices;
	devices = (struct devices){ 0 };
	return 0;
}

static int read_header(const struct pool_config *config, const struct backing *backing,
		       enum header_role role, struct header *ret, struct error *err)
{
	if (header_read(backing->fd, ret, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_CORRUPT;
		return err_add(err, "'%s' is not the pool of this store", backing->path);
	}
	if (strcmp(ret->uuid, config->uuid) != 0)
		return err_set(err, ERR_CORRUPT,
			       "'%s' belongs to the store %s, not to this one (%s)", backing->path,
			       ret->uuid, config->uuid);
	if (ret->role != role || ret->block_bytes != config->block_bytes)
		return err_set(err, ERR_CORRUPT, "'%s' is not what %s says it is", backing->path,
			       POOL_CONFIG_NAME);
	if (header_end(ret) > backing->size_bytes)
		return err_set(err, ERR_CORRUPT,
			       "'%s' has become smaller than the pool on it: %" PRIu64
			       " bytes are left of %" PRIu64,
			       backing->path, backing->size_bytes, header_end(ret));
	return 0;
}

/* To the callers above, "not found" says that there is no pool. */
static int cannot_open(struct error *err)
{
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	err->kind = ERR_DENIED;
	return err_add(err, "bring the device back, or give the pool up with 'veneer pool destroy "
			    "--force'");
}

int devices_open_ours(const struct pool_config *config, struct devices *ret, struct error *err)
{
	auto_devices struct devices devices = { 0 };
	bool shared;

	if (devices_open(config, &devices, err) < 0)
		return cannot_open(err);
	shared = !devices.meta.path;
	if (read_header(config, &devices.data, shared ? HEADER_BOTH : HEADER_DATA,
			&devices.data_header, err) < 0)
		return -1;
	if (!shared &&
	    read_header(config, &devices.meta, HEADER_META, &devices.meta_header, err) < 0)
		return -1;
	if (header_bytes(&devices.data_header, HEADER_DATA) < config->block_bytes ||
	    !header_bytes(devices_meta_header(&devices), HEADER_META))
		return err_set(err, ERR_CORRUPT, "the header of '%s' lacks data or metadata",
			       devices.data.path);
	*ret = devices;
	devices = (struct devices){ 0 };
	return 0;
}

static void table_of_segments(const struct header *header, enum header_role role, dev_t device,
			      struct table *ret)
{
	for (uint32_t i = 0; i < header->nr_segments; i++) {
		const struct header_segment *segment = &header->segments[i];

		if (segment->role == role)
			table_add_linear(ret, device, segment->start_bytes, segment->len_bytes);
	}
}

static void print_table(const struct table *table, struct buf *ret)
{
	for (size_t i = 0; i < table->nr; i++)
		buf_printf(ret, "%" PRIu64 " %" PRIu64 " %s %s\n", table->lines[i].start_sectors,
			   table->lines[i].len_sectors, table->lines[i].type,
			   table->lines[i].params);
}

/* The second slot's table becomes the live one. */
static int swap_table(const char *name, const struct table *table, unsigned suspend_flags,
		      struct error *err)
{
	struct error resume_err;

	if (devmap_load(name, table, 0, err) < 0)
		return -1;
	if (devmap_suspend(name, suspend_flags, err) < 0)
		return -1;
	if (devmap_resume(name, 0, err) == 0)
		return 0;
	/* The new table did not start; the kernel has dropped it and the old one can. */
	if (devmap_resume(name, 0, &resume_err) < 0)
		log_warn("%s stays suspended: %s", name, resume_err.text);
	return -1;
}

static int apply_linear(const char *name, const struct table *table, struct made *made,
			dev_t *ret_device, bool *ret_changed, struct error *err)
{
	auto_buf struct buf live = { 0 }, wanted = { 0 };
	struct devmap_info info;

	if (devmap_info(name, &info, err) < 0)
		return -1;
	if (!info.exists) {
		if (devmap_create(name, table, 0, ret_device, err) < 0)
			return -1;
		memcpy(made->names[made->nr++], name, POOL_NAME_BYTES);
		return 0;
	}
	*ret_device = info.device;
	/* Killed between making the device and giving it a table: as if it were another table. */
	if (info.has_table && devmap_table(name, &live, err) < 0)
		return -1;
	print_table(table, &wanted);
	if (!live.data || strcmp(live.data, wanted.data) != 0) {
		*ret_changed = true;
		return swap_table(name, table, 0, err);
	}
	return info.suspended ? devmap_resume(name, 0, err) : 0;
}

/* Does the kernel work with the sizes that the maps below have? */
static int pool_is_current(const char *name, const struct table *table, uint64_t meta_bytes,
			   bool *ret, struct error *err)
{
	auto_buf struct buf live = { 0 };
	auto_free char *line = NULL;
	struct poolstat stat;
	uint64_t len_sectors = 0;

	if (devmap_table(name, &live, err) < 0 ||
	    devmap_status(name, "thin-pool", &line, err) < 0 ||
	    poolstat_parse(line, &stat, err) < 0)
		return -1;
	if (live.data)
		sscanf(live.data, "%*u %" SCNu64, &len_sectors);
	*ret = len_sectors == table_sectors(table) &&
	       (stat.failed || stat.meta_total_blocks * POOLSTAT_META_BLOCK_BYTES >=
				       size_round_down(meta_bytes, POOLSTAT_META_BLOCK_BYTES));
	return 0;
}

/* dm-persistent-data has two numbers for damage: a bad checksum and a wrong kind of block. */
int devices_explain_damage(struct error *err)
{
	if (err->sys_errno != EILSEQ && err->sys_errno != ENOTBLK)
		return -1;
	err->kind = ERR_CORRUPT;
	return err_add(err, "the pool's metadata is damaged: run 'veneer check --repair'");
}

/* Before the kernel reads it: what it is told to release it releases, counted or not. */
static int undo_torn_snapshot(dev_t meta_device, struct error *err)
{
	char node[DEVMAP_NODE_BYTES];
	bool undone;

	devmap_node(meta_device, node);
	if (heldroot_undo(node, &undone, err) < 0)
		return -1;
	if (undone)
		log_debug("forgot a metadata snapshot that a power cut left half made");
	return 0;
}

static int apply_pool(const char *name, const struct table *table, dev_t meta_device,
		      uint64_t meta_bytes, bool changed, struct made *made, struct error *err)
{
	struct devmap_info info;
	bool current;

	if (devmap_info(name, &info, err) < 0 ||
	    (!info.has_table && undo_torn_snapshot(meta_device, err) < 0))
		return -1;
	if (!info.exists) {
		if (devmap_create(name, table, 0, NULL, err) < 0)
			return devices_explain_damage(err);
		memcpy(made->names[made->nr++], name, POOL_NAME_BYTES);
		return 0;
	}
	if (info.has_table && info.suspended && devmap_resume(name, 0, err) < 0)
		return -1;
	if (!info.has_table)
		return swap_table(name, table, 0, err) < 0 ? devices_explain_damage(err) : 0;
	if (pool_is_current(name, table, meta_bytes, &current, err) < 0)
		return -1;
	if (current && !changed)
		return 0;
	/* With a flush it would wait for writes that wait for the space we bring. */
	return swap_table(name, table, DEVMAP_NO_FLUSH | DEVMAP_NO_LOCKFS, err);
}

/* The part of a pool's table that says where and how large it is. */
struct live_pool {
	unsigned meta[2], data[2]; /* major and minor */
	uint64_t len_sectors, block_sectors, low_water_blocks;
};

static int read_live(const char *name, struct live_pool *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (devmap_table(name, &text, err) < 0)
		return -1;
	if (sscanf(text.data ? text.data : "",
		   "0 %" SCNu64 " thin-pool %u:%u %u:%u %" SCNu64 " %" SCNu64, &ret->len_sectors,
		   &ret->meta[0], &ret->meta[1], &ret->data[0], &ret->data[1], &ret->block_sectors,
		   &ret->low_water_blocks) != 7)
		return err_set(err, ERR_CORRUPT, "%s has a table that is not a pool's", name);
	return 0;
}

int devices_set_low_water(const struct pool_config *config, uint64_t blocks, bool again,
			  struct error *err)
{
	const unsigned flags = DEVMAP_NO_FLUSH | DEVMAP_NO_LOCKFS;
	auto_table struct table table = { 0 };
	char name[POOL_NAME_BYTES];
	struct live_pool live;

	devices_name(config, "pool", name);
	if (read_live(name, &live, err) < 0)
		return -1;
	if (live.low_water_blocks == blocks && !again)
		return 0;
	if (live.low_water_blocks == blocks)
		return devmap_suspend(name, flags, err) < 0 ? -1 : devmap_resume(name, 0, err);
	table_add_thin_pool(&table, makedev(live.meta[0], live.meta[1]),
			    makedev(live.data[0], live.data[1]),
			    size_from_sectors(live.len_sectors), config->block_bytes, blocks);
	return swap_table(name, &table, flags, err);
}

int devices_get_low_water(const struct pool_config *config, uint64_t *ret_blocks, struct error *err)
{
	char name[POOL_NAME_BYTES];
	struct live_pool live;

	devices_name(config, "pool", name);
	if (read_live(name, &live, err) < 0)
		return -1;
	*ret_blocks = live.low_water_blocks;
	return 0;
}

static int is_mapped(const struct pool_config *config, const char *part, bool *ret,
		     struct error *err)
{
	char name[POOL_NAME_BYTES];
	struct devmap_info info;

	devices_name(config, part, name);
	if (devmap_info(name, &info, err) < 0)
		return -1;
	*ret = info.exists;
	return 0;
}

static int refuse_stranger(struct backing *backing, struct error *err)
{
	int result = backing_claim(backing, true, err);

	backing_release(backing);
	return result;
}

/*
 * Between two device-mapper devices the kernel lets a third be shared, so a
 * pool made by hand on the same data would start beside ours, and both would
 * write. Once a map of ours is there, ours is what is found.
 */
static int refuse_strangers(const struct pool_config *config, struct devices *devices,
			    struct error *err)
{
	bool data, meta;

	if (is_mapped(config, "data", &data, err) < 0 || is_mapped(config, "meta", &meta, err) < 0)
		return -1;
	if (!devices->meta.path)
		return data || meta ? 0 : refuse_stranger(&devices->data, err);
	if (!data && refuse_stranger(&devices->data, err) < 0)
		return -1;
	return meta ? 0 : refuse_stranger(&devices->meta, err);
}

static int apply(const struct pool_config *config, struct devices *devices, struct made *made,
		 struct error *err)
{
	uint64_t data_bytes = size_round_down(header_bytes(&devices->data_header, HEADER_DATA),
					      config->block_bytes);
	uint64_t meta_bytes = header_bytes(devices_meta_header(devices), HEADER_META);
	auto_table struct table data = { 0 }, meta = { 0 }, pool = { 0 };
	char name[POOL_NAME_BYTES] = "";
	dev_t data_device, meta_device;
	bool changed = false;

	table_of_segments(&devices->data_header, HEADER_DATA, devices->data.device, &data);
	table_of_segments(devices_meta_header(devices), HEADER_META, devices_meta(devices)->device,
			  &meta);
	devices_name(config, "data", name);
	if (apply_linear(name, &data, made, &data_device, &changed, err) < 0)
		return -1;
	devices_name(config, "meta", name);
	if (apply_linear(name, &meta, made, &meta_device, &changed, err) < 0)
		return -1;
	table_add_thin_pool(&pool, meta_device, data_device, data_bytes, config->block_bytes, 0);
	devices_name(config, "pool", name);
	return apply_pool(name, &pool, meta_device, meta_bytes, changed, made, err);
}

int devices_apply(const struct pool_config *config, struct devices *devices, struct error *err)
{
	struct made made = { 0 };
	struct error why;

	if (refuse_strangers(config, devices, err) < 0)
		return -1;
	if (apply(config, devices, &made, err) == 0)
		return 0;
	while (made.nr > 0) {
		if (devmap_remove(made.names[--made.nr], REMOVE_WAIT_MS, &why) < 0)
			log_warn("%s", why.text);
	}
	return -1;
}

int devices_map_meta(const struct pool_config *config, struct devices *devices, dev_t *ret_device,
		     struct error *err)
{
	auto_table struct table table = { 0 };
	char name[POOL_NAME_BYTES] = "";
	struct made made = { 0 };
	bool changed = false;

	if (refuse_strangers(config, devices, err) < 0)
		return -1;
	table_of_segments(devices_meta_header(devices), HEADER_META, devices_meta(devices)->device,
			  &table);
	devices_name(config, "meta", name);
	return apply_linear(name, &table, &made, ret_device, &changed, err);
}

static int remove_one(const char *name, struct error *err)
{
	if (devmap_remove(name, REMOVE_WAIT_MS, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

int devices_list_readers(const struct pool_config *config, struct strlist *ret, struct error *err)
{
	char prefix[POOL_NAME_BYTES];

	devices_name(config, DEVICES_READER, prefix);
	return devmap_list(prefix, ret, err);
}

int devices_list_verified(const struct pool_config *config, struct strlist *ret, struct error *err)
{
	char prefix[POOL_NAME_BYTES];

	devices_name(config, DEVICES_VERITY, prefix);
	return devmap_list(prefix, ret, err);
}

int devices_list_volumes(const struct pool_config *config, struct strlist *ret, struct error *err)
{
	auto_strlist struct strlist names = { 0 };
	char prefix[POOL_NAME_BYTES];

	devices_name(config, "", prefix);
	if (devmap_list(prefix, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.nr; i++) {
		const char *id = names.items[i] + strlen(prefix);

		if (*id && !id[strspn(id, "0123456789")])
			strlist_add(ret, names.items[i]);
	}
	return 0;
}

static int volume_in_use(const char *name, struct error *err)
{
	return err_set(err, ERR_IN_USE, "volume %s is in use: unmount or detach it first",
		       strrchr(name, '-') + 1);
}

/* All or nothing, as far as that can be known. */
static int remove_unused(const struct strlist *names, struct error *err)
{
	for (size_t i = 0; i < names->nr; i++) {
		struct devmap_info info;

		if (devmap_info(names->items[i], &info, err) < 0)
			return -1;
		if (info.open_count)
			return volume_in_use(names->items[i], err);
	}
	for (size_t i = 0; i < names->nr; i++) {
		if (remove_one(names->items[i], err) < 0)
			return err->kind == ERR_IN_USE ? volume_in_use(names->items[i], err) : -1;
	}
	return 0;
}

static int remove_volumes(const struct pool_config *config, struct error *err)
{
	auto_strlist struct strlist verified = { 0 };
	auto_strlist struct strlist names = { 0 };

	/* These hold volumes open. */
	if (devices_list_verified(config, &verified, err) < 0 ||
	    remove_unused(&verified, err) < 0 || devices_list_volumes(config, &names, err) < 0 ||
	    devices_list_readers(config, &names, err) < 0)
		return -1;
	return remove_unused(&names, err);
}

/* Our volumes are gone by then. */
static int strangers_use(const char *name, struct error *err)
{
	return err_set(err, ERR_IN_USE,
		       "%s is in use by something that veneer did not make ('dmsetup ls --tree' "
		       "shows other devices on it): remove that first",
		       name);
}

int devices_remove(const struct pool_config *config, struct error *err)
{
	static const char *const parts[] = { "pool", "data", "meta" };
	char name[POOL_NAME_BYTES];

	if (remove_volumes(config, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		devices_name(config, parts[i], name);
		if (remove_one(name, err) < 0)
			return err->kind == ERR_IN_USE ? strangers_use(name, err) : -1;
	}
	if (backing_detach(config->data_path, config->on_files, err) < 0)
		return -1;
	return backing_detach(config->meta_path, config->on_files, err);
}

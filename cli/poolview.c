/* SPDX-License-Identifier: Apache-2.0 */
#include "poolview.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"
#include "inventory.h"
#include "pool/pool.h"
#include "store.h"

const struct gotmpl_type poolview_type = {
	.kind = GOTMPL_STRUCT,
	.name = "pool.Status",
	.fields =
		(const struct gotmpl_field[]){
			{ "Name", &gotmpl_string },
			{ "Active", &gotmpl_bool },
			{ "Health", &gotmpl_string },
			{ "Mode", &gotmpl_string },
			{ "TransactionId", &gotmpl_int64 },
			{ "Filesystem", &gotmpl_string },
			{ "BlockSize", &gotmpl_int64 },
			{ "VolumeSize", &gotmpl_int64 },
			{ "OnFiles", &gotmpl_bool },
			{ "DataDevice", &gotmpl_string },
			{ "DataUsed", &gotmpl_int64 },
			{ "DataFree", &gotmpl_int64 },
			{ "DataTotal", &gotmpl_int64 },
			{ "MetadataDevice", &gotmpl_string },
			{ "MetadataUsed", &gotmpl_int64 },
			{ "MetadataFree", &gotmpl_int64 },
			{ "MetadataTotal", &gotmpl_int64 },
			{ "Template", &gotmpl_int64 },
			{ "Volumes", &gotmpl_int64 },
			{ "Layers", &gotmpl_int64 },
			{ "Views", &gotmpl_int64 },
			{ "Work", &gotmpl_int64 },
			{ "Containers", &gotmpl_int64 },
			{ "Named", &gotmpl_int64 },
			{ "Unknown", &gotmpl_int64 },
			/* Of monitorview.c. */
			{ "Pressure", &gotmpl_string },
			{ "Monitor", &gotmpl_bool },
			{ "MonitorPid", &gotmpl_int64 },
			{ "Problem", &gotmpl_string },
			{ "GrowAt", &gotmpl_int64 },
			{ "GrowStep", &gotmpl_string },
			{ "GrowMax", &gotmpl_int64 },
			{ "Prune", &gotmpl_string },
			{ "PruneAt", &gotmpl_int64 },
			{ "PruneTo", &gotmpl_int64 },
			{ "Growths", &gotmpl_int64 },
			{ "PrunedImages", &gotmpl_int64 },
			{ "LastGrowth", &gotmpl_string },
			{ "LastPrune", &gotmpl_string },
			{ 0 },
		},
};

static void put_int(json_t *view, const char *key, uint64_t value)
{
	json_object_set_new(view, key, json_integer((json_int_t)value));
}

static const char *mode_of(const struct pool_status *status)
{
	if (!status->active)
		return "inactive";
	if (status->stat.failed)
		return "failed";
	if (status->stat.read_only)
		return "read-only";
	return status->stat.out_of_data ? "out of data space" : "read-write";
}

static void put_config(json_t *view, const struct pool_config *config,
		       const struct pool_status *status)
{
	auto_free char *name = xasprintf("veneer-%s-pool", config->store_id);

	json_object_set_new(view, "Name", json_string(name));
	json_object_set_new(view, "Active", json_boolean(status->active));
	json_object_set_new(view, "Health", json_string(pool_health(status)));
	json_object_set_new(view, "Mode", json_string(mode_of(status)));
	put_int(view, "TransactionId", status->stat.transaction_id);
	json_object_set_new(view, "Filesystem", json_string(config->fs));
	put_int(view, "BlockSize", config->block_bytes);
	put_int(view, "VolumeSize", config->volume_bytes);
	json_object_set_new(view, "OnFiles", json_boolean(config->on_files));
}

static void put_space(json_t *view, const struct pool_config *config,
		      const struct pool_status *status)
{
	json_object_set_new(view, "DataDevice", json_string(config->data_path));
	put_int(view, "DataUsed", status->data_used_bytes);
	put_int(view, "DataFree", status->data_total_bytes - status->data_used_bytes);
	put_int(view, "DataTotal", status->data_total_bytes);
	json_object_set_new(view, "MetadataDevice", json_string(config->meta_path));
	put_int(view, "MetadataUsed", status->meta_used_bytes);
	put_int(view, "MetadataFree", status->meta_total_bytes - status->meta_used_bytes);
	put_int(view, "MetadataTotal", status->meta_total_bytes);
}

static void put_counts(json_t *view, const struct inventory *inventory)
{
	size_t nr = 0;

	for (size_t i = 0; i < inventory->nr; i++) {
		const struct inventory_item *item = &inventory->items[i];

		nr += item->in_pool;
		if (item->in_pool && strcmp(item->kind, "template") == 0)
			put_int(view, "Template", item->thin_id);
	}
	put_int(view, "Volumes", nr);
	put_int(view, "Layers", inventory_count(inventory, "layer"));
	put_int(view, "Views", inventory_count(inventory, "view"));
	put_int(view, "Containers",
		inventory_count(inventory, "container") + inventory_count(inventory, "init"));
	put_int(view, "Named", inventory_count(inventory, "volume"));
	put_int(view, "Work", inventory_count(inventory, "work"));
	put_int(view, "Unknown", inventory_count(inventory, "unknown"));
}

int poolview_read(struct store *store, json_t **ret, struct error *ret_problem, struct error *err)
{
	json_auto_t *view = json_object();
	auto_inventory struct inventory inventory = { 0 };
	auto_pool struct pool *pool = NULL;
	struct pool_status status;

	*ret_problem = (struct error){ 0 };
	if (inventory_read(store, &inventory, err) < 0) {
		if (err->kind == ERR_NOT_FOUND || err->kind == ERR_CANCELLED)
			return -1;
		*ret_problem = *err;
	}
	if (pool_open(store->root.path, &pool, err) < 0 || pool_status(pool, &status, err) < 0)
		return -1;
	put_config(view, pool_config(pool), &status);
	put_space(view, pool_config(pool), &status);
	put_counts(view, &inventory);
	*ret = take_ptr(view);
	return 0;
}

static int64_t get_int(const json_t *view, const char *key)
{
	return json_integer_value(json_object_get(view, key));
}

static const char *get_text(const json_t *view, const char *key)
{
	const char *text = json_string_value(json_object_get(view, key));

	return text ? text : "";
}

#define LABEL_WIDTH 18

static void put_line(const char *label, const char *text, struct buf *ret)
{
	buf_printf(ret, "%-*s %s\n", LABEL_WIDTH, label, text);
}

static void put_size_line(const json_t *view, const char *label, const char *key, struct buf *ret)
{
	int64_t bytes = get_int(view, key);

	buf_printf(ret, "%-*s %s (%jd bytes)\n", LABEL_WIDTH, label,
		   human_size(bytes, HUMAN_TOTAL).text, (intmax_t)bytes);
}

static void put_space_lines(const json_t *view, const char *what, struct buf *ret)
{
	static const char *const parts[][2] = {
		{ "used:", "Used" },
		{ "free:", "Free" },
		{ "total:", "Total" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		auto_free char *label = xasprintf("%s %s", what, parts[i][0]);
		auto_free char *key = xasprintf("%s%s", what, parts[i][1]);

		put_size_line(view, label, key, ret);
	}
}

void poolview_text(const json_t *view, struct buf *ret)
{
	put_line("Pool:", get_text(view, "Name"), ret);
	put_line("Health:", get_text(view, "Health"), ret);
	put_line("Mode:", get_text(view, "Mode"), ret);
	buf_printf(ret, "%-*s %jd\n", LABEL_WIDTH,
		   "Transaction id:", (intmax_t)get_int(view, "TransactionId"));
	put_line("File system:", get_text(view, "Filesystem"), ret);
	put_size_line(view, "Pool block:", "BlockSize", ret);
	put_size_line(view, "Volume size:", "VolumeSize", ret);
	put_line("Data device:", get_text(view, "DataDevice"), ret);
	put_space_lines(view, "Data", ret);
	put_line("Metadata device:", get_text(view, "MetadataDevice"), ret);
	put_space_lines(view, "Metadata", ret);
	if (json_object_get(view, "Template"))
		buf_printf(ret, "%-*s thin id %jd\n", LABEL_WIDTH,
			   "Template:", (intmax_t)get_int(view, "Template"));
	else
		put_line("Template:", "none", ret);
	buf_printf(
		ret,
		"%-*s %jd (%jd layers, %jd views, %jd of containers, %jd named, %jd in work, %jd unknown)\n",
		LABEL_WIDTH, "Thin volumes:", (intmax_t)get_int(view, "Volumes"),
		(intmax_t)get_int(view, "Layers"), (intmax_t)get_int(view, "Views"),
		(intmax_t)get_int(view, "Containers"), (intmax_t)get_int(view, "Named"),
		(intmax_t)get_int(view, "Work"), (intmax_t)get_int(view, "Unknown"));
}

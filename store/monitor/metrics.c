/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "store.h"

struct writer {
	struct buf *to;
	char *label; /* root="..." */
};

static char *escape(const char *text)
{
	struct buf escaped = { 0 };

	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_putc(&escaped, '\\');
		if (*text == '\n')
			buf_puts(&escaped, "\\n");
		else
			buf_putc(&escaped, *text);
	}
	return buf_take(&escaped);
}

static void begin(const struct writer *writer, const char *name, const char *type, const char *help)
{
	buf_printf(writer->to, "# HELP veneer_%s %s\n# TYPE veneer_%s %s\n", name, help, name,
		   type);
}

static void put(const struct writer *writer, const char *name, const char *type, const char *help,
		int64_t value)
{
	begin(writer, name, type, help);
	buf_printf(writer->to, "veneer_%s{%s} %" PRId64 "\n", name, writer->label, value);
}

/* Unix time in seconds; nothing for what never was. */
static void put_time(const struct writer *writer, const char *name, const char *help, int64_t ns)
{
	if (!ns)
		return;
	begin(writer, name, "gauge", help);
	buf_printf(writer->to, "veneer_%s{%s} %" PRId64 ".%03" PRId64 "\n", name, writer->label,
		   ns / 1000000000, ns / 1000000 % 1000);
}

static void put_mode(const struct writer *writer, const struct pool_status *status)
{
	static const char *const modes[] = {
		"ok",	       "inactive",	    "failed",
		"read-only",   "out of data space", "out of metadata space",
		"needs check",
	};
	const char *mode = pool_health(status);

	begin(writer, "pool_mode", "gauge", "The pool is in this mode (1) or not (0).");
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		buf_printf(writer->to, "veneer_pool_mode{%s,mode=\"%s\"} %d\n", writer->label,
			   modes[i], strcmp(mode, modes[i]) == 0);
}

static void put_pool(const struct writer *writer, const struct pool_status *status)
{
	put(writer, "pool_active", "gauge", "The pool runs.", status->active);
	put_mode(writer, status);
	if (!status->active || status->stat.failed)
		return;
	put(writer, "pool_data_used_bytes", "gauge", "Data in use.",
	    (int64_t)status->data_used_bytes);
	put(writer, "pool_data_size_bytes", "gauge", "Data that the pool has.",
	    (int64_t)status->data_total_bytes);
	put(writer, "pool_metadata_used_bytes", "gauge",
	    "Metadata in use, the reserve of the kernel included.",
	    (int64_t)status->meta_used_bytes);
	put(writer, "pool_metadata_size_bytes", "gauge", "Metadata that the pool has.",
	    (int64_t)status->meta_total_bytes);
	put(writer, "pool_transaction_id", "gauge", "The transaction id of the pool.",
	    (int64_t)status->stat.transaction_id);
}

static void put_counts(const struct writer *writer, const struct metrics_counts *counts)
{
	put(writer, "images", "gauge", "Images in the store.", counts->images);
	put(writer, "layers", "gauge", "Layers in the store.", counts->layers);
	put(writer, "containers", "gauge", "Containers in the store.", counts->containers);
	put(writer, "containers_running", "gauge", "Containers that run.",
	    counts->containers_running);
	put(writer, "volumes", "gauge", "Named volumes in the store.", counts->volumes);
}

void metrics_text(const struct metrics *metrics, struct buf *ret)
{
	const struct monitor_state *state = &metrics->state;
	auto_free char *root = escape(metrics->root);
	auto_free char *label = xasprintf("root=\"%s\"", root);
	const struct writer writer = { .to = ret, .label = label };

	put_pool(&writer, &metrics->status);
	if (metrics->counted)
		put_counts(&writer, &metrics->counts);
	put(&writer, "monitor_growths_total", "counter", "How often the monitor let the pool grow.",
	    state->growths);
	put(&writer, "monitor_pruned_images_total", "counter", "Images that the monitor deleted.",
	    state->prunes);
	put(&writer, "monitor_problem", "gauge", "The monitor cannot relieve the pool.",
	    state->problem[0] != '\0');
	put_time(&writer, "monitor_last_growth_timestamp_seconds", "When the pool grew last.",
		 state->last_growth_ns);
	put_time(&writer, "monitor_last_prune_timestamp_seconds", "When images were deleted last.",
		 state->last_prune_ns);
	put_time(&writer, "monitor_last_event_timestamp_seconds",
		 "When the monitor looked last, after an event.", metrics->last_event_ns);
}

int metrics_count(struct store *store, struct metrics_counts *ret, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;

	if (db_prepare(store->db,
		       "SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM container),"
		       " (SELECT count(*) FROM container WHERE state IN ('starting', 'running')),"
		       " (SELECT count(*) FROM volume), (SELECT count(*) FROM layer)",
		       &stmt, err) < 0 ||
	    db_step(stmt, err) < 0)
		return -1;
	*ret = (struct metrics_counts){
		.images = db_int(stmt, 0),
		.containers = db_int(stmt, 1),
		.containers_running = db_int(stmt, 2),
		.volumes = db_int(stmt, 3),
		.layers = db_int(stmt, 4),
	};
	return 0;
}

int metrics_write(const char *path, const struct metrics *metrics, struct error *err)
{
	auto_buf struct buf text = { 0 };

	metrics_text(metrics, &text);
	if (io_replace_file(AT_FDCWD, path, text.data, text.len, 0644, err) < 0)
		return err_add(err, "write the metrics");
	return 0;
}

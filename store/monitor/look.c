/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/look.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/journal.h"
#include "base/size.h"
#include "db/rows.h"
#include "image/remove.h"
#include "monitor/metrics.h"
#include "store.h"

#define PRUNE_PAUSE_MS \
	5000 /* between two attempts that nothing but other devices' events asks for */

struct look {
	const struct monitor_options *options;
	struct monitor_memory *memory;
	struct root *root;
	struct pool *pool;
	struct pool_status status;
	bool can_grow; /* not refused in this look */
	char problem[MONITOR_TEXT_BYTES];
};

static void say(const struct look *look, enum journal_priority priority, const char *event,
		const char *fmt, ...) PRINTF_LIKE(4, 5);

static void say(const struct look *look, enum journal_priority priority, const char *event,
		const char *fmt, ...)
{
	const struct pool_status *status = &look->status;
	auto_strlist struct strlist fields = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strlist_take(&fields, xasprintf("VENEER_EVENT=%s", event));
	strlist_take(&fields, xasprintf("VENEER_ROOT=%s", look->root->path));
	strlist_take(&fields, xasprintf("VENEER_POOL=%s", pool_name(look->pool)));
	strlist_take(&fields,
		     xasprintf("VENEER_DATA_USED_BYTES=%" PRIu64, status->data_used_bytes));
	strlist_take(&fields,
		     xasprintf("VENEER_DATA_SIZE_BYTES=%" PRIu64, status->data_total_bytes));
	strlist_take(&fields,
		     xasprintf("VENEER_METADATA_USED_BYTES=%" PRIu64, status->meta_used_bytes));
	strlist_take(&fields,
		     xasprintf("VENEER_METADATA_SIZE_BYTES=%" PRIu64, status->meta_total_bytes));
	journal_send(priority, text, &fields);
}

/* The last one of a look is the one that counts; it is said once as long as it stays the same. */
static void note_problem(struct look *look, const char *text)
{
	snprintf(look->problem, sizeof(look->problem), "%.*s", (int)sizeof(look->problem) - 1,
		 text);
}

static int refresh(struct look *look, struct error *err)
{
	return pool_status(look->pool, &look->status, err);
}

static bool is_sound(const struct pool_status *status)
{
	return status->active && !status->stat.failed && !status->stat.needs_check;
}

static void count_growth(struct look *look)
{
	look->memory->state.growths++;
	look->memory->state.last_growth_ns = rows_now_ns();
}

/* Returns 1 when it has grown, 0 when it need not or cannot, or -1. */
static int grow_meta(struct look *look, struct error *err)
{
	const char *root = look->root->path;
	uint64_t before;
	struct error why;

	if (refresh(look, err) < 0)
		return -1;
	before = look->status.meta_total_bytes;
	if (!is_sound(&look->status) || !pressure_meta_grows(look->status.meta_used_bytes, before))
		return 0;
	if (pool_extend_meta(root, &look->options->limits.growth, &why) < 0) {
		auto_free char *text = xasprintf("metadata cannot grow: %s", why.text);

		note_problem(look, text);
		return 0;
	}
	count_growth(look);
	if (refresh(look, err) < 0)
		return -1;
	say(look, JOURNAL_NOTICE, "metadata-grown",
	    "the metadata of the pool has grown from %" PRIu64 " to %" PRIu64 " MiB", before / MIB,
	    look->status.meta_total_bytes / MIB);
	return 1;
}

/* One step; returns as above. */
static int grow_data(struct look *look, struct error *err)
{
	const struct pressure_limits *limits = &look->options->limits;
	uint64_t before, used;
	struct error why;

	if (refresh(look, err) < 0)
		return -1;
	before = look->status.data_total_bytes;
	used = look->status.data_used_bytes;
	if (!is_sound(&look->status) || !pressure_grows(limits, used, before))
		return 0;
	if (pool_extend_data(look->root->path, &limits->growth, &why) < 0) {
		auto_free char *text = xasprintf("the pool cannot grow: %s", why.text);

		look->can_grow = false;
		note_problem(look, text);
		return 0;
	}
	count_growth(look);
	if (refresh(look, err) < 0)
		return -1;
	if (look->status.data_total_bytes <= before) {
		look->can_grow = false;
		return 0;
	}
	say(look, JOURNAL_NOTICE, "data-grown",
	    "the pool has grown from %" PRIu64 " to %" PRIu64 " MiB: %" PRIu64
	    " MiB of it were in use",
	    before / MIB, look->status.data_total_bytes / MIB, used / MIB);
	return 1;
}

static int grow(struct look *look, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	int grown;

	if (root_lock(look->root, err) < 0)
		return -1;
	held = look->root;
	if (grow_meta(look, err) < 0)
		return -1;
	do
		grown = grow_data(look, err);
	while (grown > 0);
	return grown;
}

static void say_pruned(const struct look *look, const struct removal *removal, int nr)
{
	auto_buf struct buf names = { 0 };

	for (size_t i = 0; i < removal->nr && names.len < 512; i++)
		if (!removal->steps[i].deleted)
			buf_printf(&names, "%s%s", names.len ? ", " : "", removal->steps[i].what);
	say(look, JOURNAL_NOTICE, "images-pruned",
	    "%d unused image%s deleted (%s), which gave %" PRIu64 " MiB back", nr,
	    nr == 1 ? " was" : "s were", names.len ? names.data : "without names",
	    (uint64_t)removal->pool_bytes / MIB);
}

static int prune_images(struct look *look, uint64_t target_bytes, struct error *err)
{
	auto_store struct store *store = NULL;
	auto_removal struct removal removal = { 0 };
	int nr;

	if (store_open(look->options->store, &store, err) < 0)
		return -1;
	nr = image_prune_oldest(store, look->options->limits.prune == PRESSURE_PRUNE_ALL,
				target_bytes, &removal, err);
	if (refresh(look, err) < 0)
		return -1;
	if (removal.nr) {
		look->memory->state.prunes += nr > 0 ? nr : 1;
		look->memory->state.last_prune_ns = rows_now_ns();
		say_pruned(look, &removal, nr > 0 ? nr : 1);
	}
	return nr < 0 ? -1 : 0;
}

/* What is needed no more is given back. */
static int give_back(struct look *look, struct error *err)
{
	const struct pressure_limits *limits = &look->options->limits;
	uint64_t total = look->status.data_total_bytes, before = look->status.data_used_bytes;
	uint64_t target = pressure_target(limits, total);

	look->memory->tried_ms = clock_ms();
	if (volume_pool_trim(look->root->path, err) < 0 || refresh(look, err) < 0)
		return -1;
	if (look->status.data_used_bytes < before)
		say(look, JOURNAL_INFO, "trimmed",
		    "mounted file systems gave %" PRIu64 " MiB of deleted files back",
		    (before - look->status.data_used_bytes) / MIB);
	if (look->status.data_used_bytes > target && limits->prune != PRESSURE_PRUNE_NONE &&
	    prune_images(look, target, err) < 0)
		return -1;
	if (look->status.data_used_bytes > target && !*look->problem)
		note_problem(look, pressure_remedy(limits));
	return 0;
}

static bool may_give_back(const struct look *look)
{
	const struct monitor_memory *memory = look->memory;

	return pressure_prunes(&look->options->limits, look->status.data_used_bytes,
			       look->status.data_total_bytes) &&
	       (!memory->tried_ms || look->status.stat.out_of_data ||
		pool_event_nr(look->pool) != memory->event_nr ||
		clock_ms() - memory->tried_ms >= PRUNE_PAUSE_MS);
}

static int relieve(struct look *look, struct error *err)
{
	const struct pressure_limits *limits = &look->options->limits;
	const struct pool_status *status = &look->status;

	if (!is_sound(status))
		return 0;
	if ((pressure_meta_grows(status->meta_used_bytes, status->meta_total_bytes) ||
	     pressure_grows(limits, status->data_used_bytes, status->data_total_bytes)) &&
	    grow(look, err) < 0)
		return -1;
	if (!may_give_back(look)) {
		/* As it was: nothing was tried, or what was wanted is not reached yet. */
		if (!*look->problem &&
		    status->data_used_bytes > pressure_target(limits, status->data_total_bytes))
			note_problem(look, look->memory->state.problem);
		return 0;
	}
	return give_back(look, err);
}

/* The event at the mark comes once; whatever happened since may have been that. */
static int set_mark(struct look *look, struct error *err)
{
	const struct pool_status *status = &look->status;
	uint64_t free_bytes = status->data_total_bytes - status->data_used_bytes;
	auto_root_lock struct root *held = NULL;
	uint64_t wanted, live;
	bool used_up;

	if (refresh(look, err) < 0)
		return -1;
	if (!is_sound(status) || status->stat.out_of_data || status->stat.read_only)
		return 0;
	wanted = pressure_mark(&look->options->limits, status->data_used_bytes,
			       status->data_total_bytes, look->can_grow);
	wanted = size_round_down(wanted, pool_config(look->pool)->block_bytes);
	free_bytes = status->data_total_bytes - status->data_used_bytes;
	if (pool_low_water(look->pool, &live, err) < 0)
		return -1;
	/* Half of what is free is no more than a rule of thumb. */
	if (wanted == size_round_down(free_bytes / 2, pool_config(look->pool)->block_bytes) &&
	    live < free_bytes && live >= free_bytes / 4)
		wanted = live;
	used_up = pool_event_nr(look->pool) != look->memory->event_nr && free_bytes > wanted;
	if (live == wanted && !used_up)
		return 0;
	if (root_lock(look->root, err) < 0)
		return -1;
	held = look->root;
	if (refresh(look, err) < 0 || !status->active)
		return 0;
	if (pool_set_low_water(look->pool, wanted, used_up, err) < 0)
		return -1;
	look->memory->event_nr = pool_event_nr(look->pool);
	return 0;
}

static void say_health(struct look *look)
{
	const char *health = pool_health(&look->status);
	bool sound = strcmp(health, "ok") == 0;
	char *known = look->memory->health;
	struct error why;

	if (!sound && look->status.active && pool_check_health(look->pool, &look->status, &why) < 0)
		note_problem(look, why.text);
	if (strcmp(known, health) == 0)
		return;
	if (*known || !sound)
		say(look, sound || !look->status.active ? JOURNAL_NOTICE : JOURNAL_ERROR, "health",
		    "the pool is %s", sound ? "in order" : health);
	snprintf(known, sizeof(look->memory->health), "%s", health);
}

static void keep_state(struct look *look, const struct monitor_state *before)
{
	struct monitor_state *state = &look->memory->state;
	struct error why;

	if (*look->problem && strcmp(look->problem, state->problem) != 0)
		say(look, JOURNAL_WARNING, "problem", "%s", look->problem);
	memcpy(state->problem, look->problem, sizeof(state->problem));
	if (memcmp(state, before, sizeof(*state)) != 0 &&
	    monitor_state_write(look->root->fd, state, &why) < 0)
		say(look, JOURNAL_WARNING, "state", "%s", why.text);
}

static int write_metrics(const struct monitor_options *options, const struct monitor_memory *memory,
			 const struct pool_status *status, struct error *err)
{
	struct metrics metrics = {
		.root = options->store->root,
		.status = *status,
		.state = memory->state,
		.last_event_ns = rows_now_ns(),
	};

	if (!options->metrics)
		return 0;
	if (status->active) {
		auto_store struct store *store = NULL;

		metrics.counted = store_open(options->store, &store, err) == 0 &&
				  metrics_count(store, &metrics.counts, err) == 0;
	}
	return metrics_write(options->metrics, &metrics, err);
}

static int look_at(struct look *look, struct error *err)
{
	const struct monitor_state before = look->memory->state;
	int result;

	if (refresh(look, err) < 0)
		return -1;
	say_health(look);
	result = relieve(look, err);
	if (result < 0 && err->kind != ERR_CANCELLED) {
		note_problem(look, err->text);
		result = 0;
	}
	if (result == 0)
		result = set_mark(look, err);
	say_health(look);
	keep_state(look, &before);
	return result;
}

int look_once(const struct monitor_options *options, struct monitor_memory *memory,
	      struct error *err)
{
	const char *path = options->store->root;
	struct root root = { .fd = -1, .lock_fd = -1 };
	auto_pool struct pool *pool = NULL;
	struct look look = {
		.options = options,
		.memory = memory,
		.root = &root,
		.can_grow = true,
	};
	int result;

	if (pool_open(path, &pool, err) < 0) {
		memory->health[0] = '\0';
		return err->kind == ERR_NOT_FOUND
			       ? write_metrics(options, memory, &look.status, err)
			       : -1;
	}
	if (root_open(path, &root, err) < 0)
		return -1;
	look.pool = pool;
	result = look_at(&look, err);
	root_done(&root);
	if (result < 0)
		return -1;
	return write_metrics(options, memory, &look.status, err);
}

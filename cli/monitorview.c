/* SPDX-License-Identifier: Apache-2.0 */
#include "monitorview.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "format/human.h"
#include "monitor/state.h"
#include "pool/pool.h"
#include "store.h"

static void put_int(json_t *view, const char *key, int64_t value)
{
	json_object_set_new(view, key, json_integer(value));
}

static void put_text(json_t *view, const char *key, const char *text)
{
	json_object_set_new(view, key, jsonfield_text(text));
}

static void put_time(json_t *view, const char *key, int64_t ns)
{
	struct timespec time = human_time_from_ns(ns);

	put_text(view, key, ns ? human_time_rfc3339(&time).text : "");
}

static void put_limits(json_t *view, const struct pressure_limits *limits)
{
	put_int(view, "GrowAt", limits->grow_at);
	put_int(view, "GrowMax", (int64_t)limits->growth.max_bytes);
	put_text(view, "Prune", pressure_prune_name(limits->prune));
	put_int(view, "PruneAt", limits->prune_at);
	put_int(view, "PruneTo", limits->prune_to);
	if (limits->growth.step_bytes) {
		struct human_text step =
			human_size((int64_t)limits->growth.step_bytes, HUMAN_TOTAL);

		put_text(view, "GrowStep", step.text);
	} else {
		auto_free char *step = xasprintf("%u %%", limits->growth.step_percent);

		put_text(view, "GrowStep", step);
	}
}

int monitorview_add(struct store *store, const struct pressure_limits *limits, json_t *view,
		    struct error *err)
{
	bool running = monitor_is_running(store->root.fd);
	auto_pool struct pool *pool = NULL;
	auto_buf struct buf words = { 0 };
	struct pool_status status;
	struct monitor_state state;

	if (pool_open(store->root.path, &pool, err) < 0 || pool_status(pool, &status, err) < 0)
		return -1;
	pressure_words(limits, &status, &words);
	monitor_state_read(store->root.fd, &state);
	json_object_set_new(view, "Monitor", json_boolean(running));
	put_int(view, "MonitorPid", running ? state.pid : 0);
	put_text(view, "Pressure", words.data);
	put_text(view, "Problem", running ? state.problem : "");
	put_limits(view, limits);
	put_int(view, "Growths", state.growths);
	put_int(view, "PrunedImages", state.prunes);
	put_time(view, "LastGrowth", state.last_growth_ns);
	put_time(view, "LastPrune", state.last_prune_ns);
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

static void put_limit_lines(const json_t *view, struct buf *ret)
{
	if (get_int(view, "GrowMax"))
		buf_printf(ret, "%-18s at %jd %% of the data, by %s, up to %s\n",
			   "Grows:", (intmax_t)get_int(view, "GrowAt"), get_text(view, "GrowStep"),
			   human_size(get_int(view, "GrowMax"), HUMAN_TOTAL).text);
	else
		buf_printf(ret, "%-18s no (\"grow_max\" is not set), but for its metadata\n",
			   "Grows:");
	if (get_int(view, "PruneAt") < 100 && strcmp(get_text(view, "Prune"), "none") != 0)
		buf_printf(ret, "%-18s at %jd %% of the data, down to %jd %%, %s\n",
			   "Prunes:", (intmax_t)get_int(view, "PruneAt"),
			   (intmax_t)get_int(view, "PruneTo"),
			   strcmp(get_text(view, "Prune"), "all") == 0
				   ? "any unused image"
				   : "unused images that were pulled");
	else
		buf_printf(ret, "%-18s never\n", "Prunes:");
}

void monitorview_text(const json_t *view, struct buf *ret)
{
	buf_printf(ret, "%-18s %s\n", "Pressure:", get_text(view, "Pressure"));
	if (json_is_true(json_object_get(view, "Monitor")))
		buf_printf(ret, "%-18s running, process %jd\n",
			   "Monitor:", (intmax_t)get_int(view, "MonitorPid"));
	else
		buf_printf(ret, "%-18s not running; 'veneer monitor' starts it\n", "Monitor:");
	if (*get_text(view, "Problem"))
		buf_printf(ret, "%-18s %s\n", "Problem:", get_text(view, "Problem"));
	put_limit_lines(view, ret);
	if (*get_text(view, "LastGrowth"))
		buf_printf(ret, "%-18s %s, %jd in all\n",
			   "Last growth:", get_text(view, "LastGrowth"),
			   (intmax_t)get_int(view, "Growths"));
	if (*get_text(view, "LastPrune"))
		buf_printf(ret, "%-18s %s, %jd images in all\n",
			   "Last prune:", get_text(view, "LastPrune"),
			   (intmax_t)get_int(view, "PrunedImages"));
}

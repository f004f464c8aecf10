/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/pressure.h"

#include <string.h>

#include "base/size.h"
#include "monitor/metrics.h"
#include "unit.h"

static const struct pressure_limits limits = {
	.grow_at = 80,
	.growth = { .step_percent = 10, .max_bytes = 200 * MIB },
	.prune_at = 90,
	.prune_to = 50,
};

static void test_it_grows_from_its_mark_on(void)
{
	CU_ASSERT_FALSE(pressure_grows(&limits, 79 * MIB, 100 * MIB));
	CU_ASSERT_TRUE(pressure_grows(&limits, 80 * MIB, 100 * MIB));
	CU_ASSERT_FALSE(pressure_grows(&limits, 200 * MIB, 200 * MIB));
	CU_ASSERT_FALSE(pressure_grows(&limits, 0, 0));
}

static void test_a_step_ends_at_the_maximum(void)
{
	const struct pool_growth fixed = { .step_bytes = GIB, .max_bytes = 200 * MIB };
	const struct pool_growth none = { .step_bytes = GIB };

	CU_ASSERT_EQUAL(pool_growth_next(&limits.growth, 100 * MIB), 110 * MIB);
	CU_ASSERT_EQUAL(pool_growth_next(&limits.growth, 195 * MIB), 200 * MIB);
	CU_ASSERT_EQUAL(pool_growth_next(&fixed, 100 * MIB), 200 * MIB);
	CU_ASSERT_EQUAL(pool_growth_next(&none, 100 * MIB), 100 * MIB);
}

static void test_the_mark_is_the_next_limit(void)
{
	const uint64_t total = 100 * MIB;

	CU_ASSERT_EQUAL(pressure_mark(&limits, 0, total, true), total - total / 100 * 80);
	CU_ASSERT_EQUAL(pressure_mark(&limits, 0, total, false), total - total / 100 * 90);
	CU_ASSERT_EQUAL(pressure_mark(&limits, 96 * MIB, total, false), 2 * MIB);
	CU_ASSERT_EQUAL(pressure_mark(&limits, total, total, false), 0);
}

static void test_limits_do_not_contradict(void)
{
	struct pressure_limits bad = limits;
	struct error err;

	CU_ASSERT_EQUAL(pressure_check(&limits, &err), 0);
	bad.prune_to = 95;
	CU_ASSERT_EQUAL(pressure_check(&bad, &err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "pool.prune_to"));
}

static void test_only_pulled_images_go_by_default(void)
{
	const struct pressure_limits defaults = PRESSURE_DEFAULTS;
	const struct pool_status full = {
		.active = true,
		.data_used_bytes = 95 * MIB,
		.data_total_bytes = 100 * MIB,
	};
	auto_buf struct buf words = { 0 };

	CU_ASSERT_EQUAL(defaults.prune, PRESSURE_PRUNE_PULLED);
	pressure_words(&defaults, &full, &words);
	CU_ASSERT_PTR_NOT_NULL(strstr(words.data, "deletes unused images that were pulled"));
	CU_ASSERT_PTR_NOT_NULL(strstr(pressure_remedy(&defaults), "can be pulled again"));
}

static void test_which_images_go_is_said_by_name(void)
{
	static const enum pressure_prune all[] = { PRESSURE_PRUNE_PULLED, PRESSURE_PRUNE_ALL,
						   PRESSURE_PRUNE_NONE };
	enum pressure_prune got;
	struct error err;

	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(pressure_prune_parse(pressure_prune_name(all[i]), &got, &err), 0);
		CU_ASSERT_EQUAL(got, all[i]);
	}
	CU_ASSERT_EQUAL(pressure_prune_parse("some", &got, &err), -1);
	CU_ASSERT_EQUAL(pressure_prune_parse(NULL, &got, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
}

static void test_metrics_are_prometheus_text(void)
{
	const struct metrics metrics = {
		.root = "/a\"b\\c",
		.status = { .active = true, .data_used_bytes = 7, .data_total_bytes = 70 },
		.counted = true,
		.counts = { .images = 3 },
		.last_event_ns = INT64_C(1500000000250000000),
	};
	auto_buf struct buf text = { 0 };

	metrics_text(&metrics, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data,
				      "# TYPE veneer_pool_data_used_bytes gauge\n"
				      "veneer_pool_data_used_bytes{root=\"/a\\\"b\\\\c\"} 7\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, ",mode=\"ok\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "veneer_images{root=\"/a\\\"b\\\\c\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "} 1500000000.250\n"));
	CU_ASSERT_PTR_NULL(strstr(text.data, "last_growth"));
}

UNIT_SUITE(pressure, { "it grows from its mark on", test_it_grows_from_its_mark_on },
	   { "a step ends at the maximum", test_a_step_ends_at_the_maximum },
	   { "the mark is the next limit", test_the_mark_is_the_next_limit },
	   { "limits do not contradict each other", test_limits_do_not_contradict },
	   { "only images that were pulled go by default", test_only_pulled_images_go_by_default },
	   { "which images go is said by name", test_which_images_go_is_said_by_name },
	   { "metrics are Prometheus text", test_metrics_are_prometheus_text });

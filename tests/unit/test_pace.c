/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pace.h"

#include "unit.h"

static void test_begin(void)
{
	struct pace pace;

	pace_fed(&pace, 5000);
	CU_ASSERT_FALSE(pace_is_ahead_worth_it(&pace, 5000));
	CU_ASSERT_FALSE(pace_is_ahead_worth_it(&pace, 6400));
	/* Nobody reads: the line would be idle. */
	CU_ASSERT_TRUE(pace_is_ahead_worth_it(&pace, 6600));
}

static void test_slow_line(void)
{
	struct pace pace;

	pace_fed(&pace, 5000);
	for (int64_t now = 5000; now < 5490; now += 10)
		pace_waited(&pace, now, now + 10);
	CU_ASSERT_FALSE(pace_is_ahead_worth_it(&pace, 5490));
	pace_waited(&pace, 5490, 5600);
	CU_ASSERT_TRUE(pace_is_ahead_worth_it(&pace, 5600));
}

static void test_fast_line(void)
{
	struct pace pace;

	pace_fed(&pace, 5000);
	pace_waited(&pace, 5000, 5600);
	for (int64_t now = 5600; now < 9000; now += 100) {
		pace_fed(&pace, now);
		pace_waited(&pace, now, now + 20);
		CU_ASSERT_FALSE(pace_is_ahead_worth_it(&pace, now + 20));
	}
}

UNIT_SUITE(pace, { "where nobody reads", test_begin }, { "a reader who waits", test_slow_line },
	   { "a reader who has enough", test_fast_line });

/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/poolstat.h"
#include "unit.h"

static void check_flags(const char *line, bool failed, bool read_only, bool out_of_data,
			bool needs_check)
{
	struct poolstat st;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, poolstat_parse(line, &st, &err));
	CU_ASSERT_EQUAL(st.failed, failed);
	CU_ASSERT_EQUAL(st.read_only, read_only);
	CU_ASSERT_EQUAL(st.out_of_data, out_of_data);
	CU_ASSERT_EQUAL(st.needs_check, needs_check);
}

static void test_counters(void)
{
	struct poolstat st;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, poolstat_parse("7 419/4096 82/4800 - rw discard_passdown "
						"error_if_no_space - 1024 ",
						&st, &err));
	CU_ASSERT_EQUAL(st.transaction_id, 7);
	CU_ASSERT_EQUAL(st.meta_used_blocks, 419);
	CU_ASSERT_EQUAL(st.meta_total_blocks, 4096);
	CU_ASSERT_EQUAL(st.data_used_blocks, 82);
	CU_ASSERT_EQUAL(st.data_total_blocks, 4800);
	CU_ASSERT_EQUAL(st.held_block, 0);
}

static void test_held_block(void)
{
	struct poolstat st;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, poolstat_parse("0 30/1024 400/2048 133 rw no_discard_passdown "
						"queue_if_no_space - 1024",
						&st, &err));
	CU_ASSERT_EQUAL(st.held_block, 133);
}

static void test_modes(void)
{
	check_flags("7 30/1024 400/2048 - rw discard_passdown queue_if_no_space - 256", false,
		    false, false, false);
	check_flags("7 30/1024 400/2048 - ro discard_passdown error_if_no_space needs_check 256",
		    false, true, false, true);
	check_flags(
		"7 30/1024 2048/2048 - out_of_data_space ignore_discard error_if_no_space - 256",
		false, false, true, false);
	/* Before metadata thresholds were reported. */
	check_flags("7 30/1024 400/2048 - rw discard_passdown queue_if_no_space needs_check", false,
		    false, false, true);
}

static void test_lost_pool(void)
{
	check_flags("Fail", true, false, false, false);
	check_flags("Error", true, false, false, false);
}

static void test_unknown_lines_are_refused(void)
{
	static const char *const bad[] = {
		"",
		"Failed",
		"7",
		"-7 30/1024 400/2048 - rw discard_passdown queue_if_no_space - 1024",
		"7 30 1024 400/2048 - rw discard_passdown queue_if_no_space - 1024",
		"7 30/1024 400/ - rw discard_passdown queue_if_no_space - 1024",
		"7 30/1024 400/2048 - wr discard_passdown queue_if_no_space - 1024",
		"7 30/1024 400/2048 x rw discard_passdown queue_if_no_space - 1024",
		"99999999999999999999999 30/1024 400/2048 - rw discard_passdown - - 1024",
	};
	struct poolstat st = { .transaction_id = 99 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, poolstat_parse(bad[i], &st, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	}
	CU_ASSERT_EQUAL(st.transaction_id, 99);
}

UNIT_SUITE(poolstat, { "counters are read", test_counters },
	   { "a metadata snapshot's block is read", test_held_block },
	   { "modes are told apart", test_modes }, { "a lost pool is seen", test_lost_pool },
	   { "unknown lines are refused", test_unknown_lines_are_refused });

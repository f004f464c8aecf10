/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/table.h"

#include <sys/sysmacros.h>

#include "base/size.h"
#include "unit.h"

static void check_line(const struct table *table, size_t index, uint64_t start, uint64_t len,
		       const char *type, const char *params)
{
	CU_ASSERT_FATAL(index < table->nr);
	CU_ASSERT_EQUAL(table->lines[index].start_sectors, start);
	CU_ASSERT_EQUAL(table->lines[index].len_sectors, len);
	CU_ASSERT_STRING_EQUAL(table->lines[index].type, type);
	CU_ASSERT_STRING_EQUAL(table->lines[index].params, params);
}

static void test_linear_lines_follow_each_other(void)
{
	auto_table struct table table = { 0 };

	table_add_linear(&table, makedev(7, 3), MIB, 16 * MIB);
	table_add_linear(&table, makedev(259, 300), 100 * MIB, 4 * KIB);
	check_line(&table, 0, 0, 32768, "linear", "7:3 2048");
	check_line(&table, 1, 32768, 8, "linear", "259:300 204800");
	CU_ASSERT_EQUAL(table_sectors(&table), 32776);
}

static void test_pool_line(void)
{
	auto_table struct table table = { 0 };

	table_add_thin_pool(&table, makedev(253, 1), makedev(253, 0), 2 * GIB, 64 * KIB, 5);
	check_line(&table, 0, 0, 4194304, "thin-pool", "253:1 253:0 128 5 1 error_if_no_space");
}

static void test_thin_line(void)
{
	auto_table struct table table = { 0 };

	table_add_thin(&table, makedev(253, 2), 16777215, 10 * GIB);
	check_line(&table, 0, 0, 20971520, "thin", "253:2 16777215");
}

static void test_verity_line(void)
{
	auto_table struct table table = { 0 };

	table_add_verity(&table, makedev(253, 3), makedev(7, 1), MIB, 4096, "abc");
	check_line(&table, 0, 0, 2048, "verity", "1 253:3 7:1 4096 4096 256 0 sha256 abc -");
}

static void test_empty_table(void)
{
	struct table table = { 0 };

	CU_ASSERT_EQUAL(table_sectors(&table), 0);
	table_done(&table);
}

UNIT_SUITE(dmtable, { "linear lines follow each other", test_linear_lines_follow_each_other },
	   { "a pool zeroes new blocks and fails when full", test_pool_line },
	   { "a thin volume is named by pool and id", test_thin_line },
	   { "a verified device is named by volume, tree and root", test_verity_line },
	   { "an empty table has no size", test_empty_table });

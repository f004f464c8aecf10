/* SPDX-License-Identifier: Apache-2.0 */
#include "format/columns.h"

#include <string.h>

#include "unit.h"

static void check_text(const char *text, const char *expected)
{
	auto_columns struct columns table = { 0 };
	auto_buf struct buf out = { 0 };

	columns_text(&table, text, strlen(text));
	columns_print(&table, &out);
	CU_ASSERT_STRING_EQUAL(out.data ? out.data : "", expected);
}

static void test_widths(void)
{
	check_text("", "");
	check_text("A\tB\n", "A         B\n");
	check_text("1234567\tB\n", "1234567   B\n");
	check_text("12345678\tB\n", "12345678   B\n");
	check_text("NAME\tTAG\nlonger-name\tx\n", "NAME          TAG\nlonger-name   x\n");
}

static void test_the_last_cell_is_not_padded(void)
{
	check_text("A\t\n", "A         \n");
	check_text("A\tBBBBBBBBBBBB\nC\tD", "A         BBBBBBBBBBBB\nC         D\n");
}

static void test_wide_characters(void)
{
	/* Four characters of two cells, then one of a single cell */
	check_text("\u65e5\u672c\u8a9e\u6f22\tx\n", "\u65e5\u672c\u8a9e\u6f22   x\n");
	check_text("\u00e4\tx\n", "\u00e4         x\n");
	check_text("e\u0301\tx\n", "e\u0301         x\n");
	check_text("\xff\tx\n", "\xff         x\n");
}

static void test_a_shorter_row_ends_a_column(void)
{
	check_text("long long cell\tx\nalone\ns\ty\n", "long long cell   x\nalone\ns         y\n");
	check_text("a\tlong long cell\tx\nb\ty\nc\td\te\n",
		   "a         long long cell   x\nb         y\nc         d         e\n");
}

static void test_cells_stay_in_their_row(void)
{
	static const char *const head[] = { "A", "B" };
	static const char *const row[] = { "x\ty\nz", NULL };
	auto_columns struct columns table = { 0 };
	auto_buf struct buf out = { 0 };

	columns_row(&table, head, 2);
	columns_row(&table, row, 2);
	columns_print(&table, &out);
	CU_ASSERT_STRING_EQUAL(out.data, "A         B\nx y z     \n");
}

UNIT_SUITE(columns, { "a column has its longest cell and 3, at least 10", test_widths },
	   { "the last cell is not padded", test_the_last_cell_is_not_padded },
	   { "width counts display cells", test_wide_characters },
	   { "a shorter row ends a column", test_a_shorter_row_ends_a_column },
	   { "tabs and line ends in a cell become blanks", test_cells_stay_in_their_row });

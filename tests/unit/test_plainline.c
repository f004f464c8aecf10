/* SPDX-License-Identifier: Apache-2.0 */
#include "format/plainline.h"

#include <string.h>

#include "unit.h"

static void check(const char *text, const char *expected)
{
	auto_buf struct buf ret = { 0 };

	buf_puts(&ret, "> ");
	plainline_put(&ret, text, strlen(text));
	CU_ASSERT_EQUAL_FATAL(strncmp(ret.data, "> ", 2), 0);
	CU_ASSERT_STRING_EQUAL(ret.data + 2, expected);
}

static void test_text_stays(void)
{
	check("", "");
	check("CC\tmain.c  ", "CC\tmain.c  ");
	check("\u65e5\u672c \u2192 e\u0301", "\u65e5\u672c \u2192 e\u0301");
}

static void test_colours_and_titles_go(void)
{
	check("\033[1;32mok\033[0m", "ok");
	check("\033[38:5:1mred\033[K\033[?25h", "red");
	check("\033]0;title\aafter", "after");
	check("a\033]8;;http://x\033\\link\033]8;;\033\\b", "alinkb");
	check("\033(Bx\0337y", "xy");
	check("\033Pq#0\033\\z", "z");
}

static void test_what_is_no_sequence_is_shown(void)
{
	check("a\033", "a?");
	check("a\033[12", "a?[12");
	check("\033]0;no end", "?]0;no end");
	check("\a\b\177", "???");
	check("\xc2\x9b"
	      "2J",
	      "?2J");
	check("caf\xe9", "caf?");
}

static void test_the_last_text_of_a_line_stays(void)
{
	check("10%\r20%\r100%\r", "100%");
	check("\rdone", "done");
	check("working\r\033[Kdone", "done");
	check("working\r\033[K", "working");
	check("text\r", "text");
}

static void test_a_nul_is_no_end(void)
{
	auto_buf struct buf ret = { 0 };

	plainline_put(&ret, "a\0b\033\0c", 6);
	CU_ASSERT_STRING_EQUAL(ret.data, "a?b??c");
}

UNIT_SUITE(plainline, { "text stays as it is", test_text_stays },
	   { "colours and titles go", test_colours_and_titles_go },
	   { "what is no sequence is shown", test_what_is_no_sequence_is_shown },
	   { "of a line printed over itself the last text stays",
	     test_the_last_text_of_a_line_stays },
	   { "a NUL is no end", test_a_nul_is_no_end });

/* SPDX-License-Identifier: Apache-2.0 */
#include "ttyprogress.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

/* A screen that remembers every byte. */
struct screen {
	char *text;
	size_t len;
	FILE *out;
};

static void screen_open(struct screen *screen)
{
	*screen = (struct screen){ 0 };
	screen->out = open_memstream(&screen->text, &screen->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(screen->out);
}

static void screen_close(struct screen *screen)
{
	fclose(screen->out);
	free(screen->text);
}

#define BAR_HALF "[=========================>                         ] "
#define BAR_FULL "[==================================================>] "

static void test_lines_are_redrawn_in_place(void)
{
	struct ttyprogress tty;
	struct screen screen;

	screen_open(&screen);
	ttyprogress_init(&tty, screen.out, 120, 24, 0);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading layer", 0, 0);
	progress_update(ttyprogress_sink(&tty), "bb", "Loading layer", 1200000, 2400000);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading layer", 3400000, 3400000);
	ttyprogress_done(&tty);
	CU_ASSERT_STRING_EQUAL(screen.text, "aa: Loading layer\r\n"
					    "bb: Loading layer " BAR_HALF "   1.2MB/2.4MB\r\n"
					    "\033[2A\r\033[2Kaa: Loading layer " BAR_FULL
					    "   3.4MB/3.4MB\033[2B\r");
	screen_close(&screen);
}

static void test_a_narrow_screen_gets_numbers_only(void)
{
	struct ttyprogress tty;
	struct screen screen;

	screen_open(&screen);
	ttyprogress_init(&tty, screen.out, 30, 24, 0);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading", 1000, 2000);
	progress_update(ttyprogress_sink(&tty), "a-very-long-item-that-does-not-fit", "Loading", 0,
			0);
	progress_update(ttyprogress_sink(&tty), "\033[2Jx", "Loading", 0, 0);
	ttyprogress_done(&tty);
	CU_ASSERT_STRING_EQUAL(screen.text, "aa: Loading      1kB/2kB\r\n"
					    "a-very-long-item-that-does-not\r\n"
					    "?[2Jx: Loading\r\n");
	screen_close(&screen);
}

static void test_redraws_are_limited_but_nothing_is_lost(void)
{
	struct ttyprogress tty;
	struct screen screen;
	size_t before;

	screen_open(&screen);
	ttyprogress_init(&tty, screen.out, 80, 24, 3600 * 1000);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading", 0, 3000);
	progress_update(ttyprogress_sink(&tty), "aa", "Unpacking", 0, 3000);
	before = screen.len;
	progress_update(ttyprogress_sink(&tty), "aa", "Unpacking", 1000, 3000);
	progress_update(ttyprogress_sink(&tty), "aa", "Unpacking", 2000, 3000);
	CU_ASSERT_EQUAL(screen.len, before);
	ttyprogress_settle(&tty);
	CU_ASSERT_PTR_NOT_NULL(strstr(screen.text + before, "2kB/3kB"));
	CU_ASSERT_PTR_NULL(strstr(screen.text + before, "1kB/3kB"));
	ttyprogress_done(&tty);
	screen_close(&screen);
}

static void test_after_settling_lines_start_below(void)
{
	struct ttyprogress tty;
	struct screen screen;

	screen_open(&screen);
	ttyprogress_init(&tty, screen.out, 80, 24, 0);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading", 0, 0);
	ttyprogress_settle(&tty);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading", 0, 0);
	ttyprogress_done(&tty);
	CU_ASSERT_STRING_EQUAL(screen.text, "aa: Loading\r\naa: Loading\r\n");
	screen_close(&screen);
}

static void test_lines_that_scrolled_away_are_left_alone(void)
{
	struct ttyprogress tty;
	struct screen screen;

	screen_open(&screen);
	ttyprogress_init(&tty, screen.out, 80, 2, 0);
	progress_update(ttyprogress_sink(&tty), "aa", "Loading", 0, 0);
	progress_update(ttyprogress_sink(&tty), "bb", "Loading", 0, 0);
	progress_update(ttyprogress_sink(&tty), "aa", "Done", 0, 0);
	ttyprogress_done(&tty);
	CU_ASSERT_STRING_EQUAL(screen.text, "aa: Loading\r\nbb: Loading\r\n");
	screen_close(&screen);
}

static void test_a_file_gets_nothing(void)
{
	auto_file FILE *out = fopen("/dev/null", "w");
	struct ttyprogress tty;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	ttyprogress_open(&tty, out);
	CU_ASSERT_PTR_NULL(ttyprogress_sink(&tty));
	ttyprogress_done(&tty);
}

UNIT_SUITE(ttyprogress, { "lines are redrawn in place", test_lines_are_redrawn_in_place },
	   { "a narrow screen gets the numbers only", test_a_narrow_screen_gets_numbers_only },
	   { "redraws are limited, but the last state is drawn",
	     test_redraws_are_limited_but_nothing_is_lost },
	   { "after settling, lines start below", test_after_settling_lines_start_below },
	   { "lines that scrolled away are left alone",
	     test_lines_that_scrolled_away_are_left_alone },
	   { "what is no terminal gets nothing", test_a_file_gets_nothing });

/* SPDX-License-Identifier: Apache-2.0 */
#include "buildtty.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static int64_t clock_ns;

static int64_t test_clock(void)
{
	return clock_ns;
}

static void wait_ms(int64_t ms)
{
	clock_ns += ms * 1000000;
}

/* A view whose clock stands still, and all that it printed. */
struct show {
	struct buildtty tty;
	struct build_events events;
	char *text;
	size_t len;
	FILE *out;
};

static void show_open(struct show *show, unsigned columns, unsigned rows)
{
	*show = (struct show){ 0 };
	show->out = open_memstream(&show->text, &show->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(show->out);
	buildtty_init(&show->tty, show->out, columns, rows, 100 * 1000000);
	clock_ns = 1;
	show->tty.trace.now_ns = test_clock;
	show->tty.trace.begun_ns = clock_ns;
	buildtty_events(&show->tty, &show->events);
}

static void show_close(struct show *show)
{
	buildtty_done(&show->tty);
	fclose(show->out);
	free(show->text);
}

static void begin(struct show *show, unsigned number, const char *name)
{
	show->events.begin(show->events.ctx, number, name);
}

static void output(struct show *show, unsigned number, const char *text)
{
	show->events.output(show->events.ctx, number, LOG_STDERR, text, strlen(text));
}

static void end(struct show *show, unsigned number, enum build_end how, const char *error)
{
	show->events.end(show->events.ctx, number, how, error);
}

/* What the last frame shows, with '|' for the end of a line. Returns new. */
static char *last_frame(const struct show *show)
{
	auto_buf struct buf ret = { 0 };
	const char *at = show->text, *next;

	while ((next = strstr(at + 1, "[+] Building")))
		at = next;
	for (; *at; at++) {
		if (strncmp(at, "\033[K\r\n", 5) == 0) {
			buf_putc(&ret, '|');
			at += 4;
		} else if (strncmp(at, "\033[J", 3) == 0) {
			at += 2;
		} else {
			buf_putc(&ret, *at);
		}
	}
	return buf_take(&ret);
}

static void check_frame(const struct show *show, const char *expected)
{
	auto_free char *frame = last_frame(show);

	CU_ASSERT_STRING_EQUAL(frame, expected);
}

static void test_a_frame_replaces_the_one_before(void)
{
	struct show show;

	show_open(&show, 30, 24);
	begin(&show, 1, "a");
	end(&show, 1, BUILD_DONE, NULL);
	CU_ASSERT_STRING_EQUAL(show.text, "[+] Building 0.0s (0/1)\033[K\r\n"
					  " => a                    0.0s\033[K\r\n"
					  "\033[2A\r"
					  "[+] Building 0.0s (1/1)\033[K\r\n"
					  " => a                    0.0s\033[K\r\n");
	show_close(&show);
}

static void test_a_build_is_shown_as_buildkit_does(void)
{
	struct show show;

	show_open(&show, 40, 24);
	begin(&show, 1, "[internal] load definition");
	show.events.note(show.events.ctx, 1, "transferring: 3B done");
	end(&show, 1, BUILD_DONE, NULL);
	begin(&show, 2, "[1/2] FROM alpine");
	end(&show, 2, BUILD_CACHED, NULL);
	begin(&show, 3, "[2/2] RUN make");
	wait_ms(1234);
	output(&show, 3, "CC\tmain.c");
	check_frame(&show, "[+] Building 1.2s (2/3)|"
			   " => [internal] load definition     0.0s|"
			   " => => transferring: 3B done|"
			   " => CACHED [1/2] FROM alpine       0.0s|"
			   " => [2/2] RUN make                 1.2s|"
			   " => => # CC      main.c|");
	end(&show, 3, BUILD_FAILED, "exit code: 2");
	check_frame(&show, "[+] Building 1.2s (3/3)|"
			   " => [internal] load definition     0.0s|"
			   " => => transferring: 3B done|"
			   " => CACHED [1/2] FROM alpine       0.0s|"
			   " => ERROR [2/2] RUN make           1.2s|");
	show_close(&show);
}

static void test_the_end_stays(void)
{
	struct show show;

	show_open(&show, 36, 4);
	for (unsigned i = 1; i <= 5; i++) {
		begin(&show, i, (char[]){ (char)('a' + i), '\0' });
		end(&show, i, i == 5 ? BUILD_CANCELED : BUILD_DONE, NULL);
	}
	check_frame(&show, "[+] Building 0.0s (5/5)|"
			   " => e                          0.0s|"
			   " => CANCELED f                 0.0s|");
	buildtty_finish(&show.tty);
	check_frame(&show, "[+] Building 0.0s (5/5) FINISHED|"
			   " => b                          0.0s|"
			   " => c                          0.0s|"
			   " => d                          0.0s|"
			   " => e                          0.0s|"
			   " => CANCELED f                 0.0s|");
	show_close(&show);
}

static void test_what_runs_is_seen_first(void)
{
	struct show show;

	show_open(&show, 30, 6);
	begin(&show, 1, "runs");
	begin(&show, 2, "b");
	end(&show, 2, BUILD_DONE, NULL);
	begin(&show, 3, "c");
	end(&show, 3, BUILD_DONE, NULL);
	wait_ms(1000);
	for (char c = '1'; c <= '9'; c++)
		output(&show, 1, (char[]){ c, '\0' });
	wait_ms(1000);
	show.events.tick(show.events.ctx);
	check_frame(&show, "[+] Building 2.0s (2/3)|"
			   " => runs                 2.0s|"
			   " => => # 7|"
			   " => => # 8|"
			   " => => # 9|");
	show_close(&show);
}

static void test_frames_are_limited_but_for_beginnings_and_ends(void)
{
	struct show show;
	size_t len;

	show_open(&show, 30, 24);
	begin(&show, 1, "a");
	len = show.len;
	output(&show, 1, "one");
	wait_ms(99);
	show.events.tick(show.events.ctx);
	CU_ASSERT_EQUAL(show.len, len);
	wait_ms(1);
	output(&show, 1, "two");
	CU_ASSERT_TRUE(show.len > len);
	check_frame(&show, "[+] Building 0.1s (0/1)|"
			   " => a                    0.1s|"
			   " => => # one|"
			   " => => # two|");
	len = show.len;
	begin(&show, 2, "b");
	CU_ASSERT_TRUE(show.len > len);
	show_close(&show);
}

static void test_lines_are_cut(void)
{
	struct show show;

	show_open(&show, 24, 24);
	begin(&show, 1, "\u65e5\u672c\u65e5\u672c\u65e5\u672c\u65e5\u672c\u65e5\u672c");
	wait_ms(100);
	output(&show, 1, "0123456789012345678901234567890");
	check_frame(&show, "[+] Building 0.1s (0/1)|"
			   " => \u65e5\u672c\u65e5\u672c\u65e5\u672c\u65e5 0.1s|"
			   " => => # 01234567890123|");
	show_close(&show);
}

static void test_a_narrow_screen_has_no_times(void)
{
	struct show show;

	show_open(&show, 10, 3);
	begin(&show, 1, "abcdefghijkl");
	check_frame(&show, "[+] Build| => abcde|");
	show_close(&show);
}

static void test_colours(void)
{
	struct show show;

	show_open(&show, 30, 24);
	show.tty.colours = true;
	begin(&show, 1, "a");
	end(&show, 1, BUILD_DONE, NULL);
	begin(&show, 2, "b");
	wait_ms(200);
	output(&show, 2, "x");
	check_frame(&show, "[+] Building 0.2s (1/2)|"
			   "\033[34m => a                    0.0s\033[0m|"
			   " => b                    0.2s|"
			   "\033[2m => => # x\033[0m|");
	end(&show, 2, BUILD_FAILED, "e");
	CU_ASSERT_PTR_NOT_NULL(strstr(show.text, "\033[31m => ERROR b"));
	show_close(&show);
}

static void test_a_file_is_no_place_for_a_view(void)
{
	auto_file FILE *out = fopen("/dev/null", "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_FALSE(buildtty_can(out));
}

UNIT_SUITE(buildtty, { "a frame replaces the one before", test_a_frame_replaces_the_one_before },
	   { "a build is shown as BuildKit does", test_a_build_is_shown_as_buildkit_does },
	   { "the end stays, with all that there was", test_the_end_stays },
	   { "what runs is seen first", test_what_runs_is_seen_first },
	   { "frames are limited, but for beginnings and ends",
	     test_frames_are_limited_but_for_beginnings_and_ends },
	   { "lines are cut to the screen", test_lines_are_cut },
	   { "a narrow screen has no times", test_a_narrow_screen_has_no_times },
	   { "colours tell how it ended", test_colours },
	   { "what is no terminal is no place for a view", test_a_file_is_no_place_for_a_view });

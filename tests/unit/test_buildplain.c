/* SPDX-License-Identifier: Apache-2.0 */
#include "buildplain.h"

#include <stdlib.h>
#include <string.h>

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

/* A drawing whose clock stands still, and all that it printed. */
struct show {
	struct buildplain plain;
	struct build_events events;
	char *text;
	size_t len;
	FILE *out;
};

static void show_open(struct show *show)
{
	*show = (struct show){ 0 };
	show->out = open_memstream(&show->text, &show->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(show->out);
	buildplain_init(&show->plain, show->out);
	show->plain.trace.now_ns = test_clock;
	buildplain_events(&show->plain, &show->events);
}

static void show_close(struct show *show)
{
	buildplain_done(&show->plain);
	fclose(show->out);
	free(show->text);
}

static void begin(struct show *show, unsigned number, const char *name)
{
	show->events.begin(show->events.ctx, number, name);
}

static void note(struct show *show, unsigned number, const char *text)
{
	show->events.note(show->events.ctx, number, text);
}

static void output(struct show *show, unsigned number, const char *text)
{
	show->events.output(show->events.ctx, number, LOG_STDOUT, text, strlen(text));
}

static void end(struct show *show, unsigned number, enum build_end how, const char *error)
{
	show->events.end(show->events.ctx, number, how, error);
}

static void test_a_build_is_told_as_buildkit_does(void)
{
	struct show show;

	show_open(&show);
	begin(&show, 1, "[internal] load build definition from Dockerfile");
	note(&show, 1, "transferring dockerfile: 103B done");
	end(&show, 1, BUILD_DONE, NULL);
	begin(&show, 2, "[1/2] FROM docker.io/library/alpine:latest");
	end(&show, 2, BUILD_CACHED, NULL);
	begin(&show, 3, "[2/2] RUN make");
	wait_ms(213);
	output(&show, 3, "CC\tmain.c");
	wait_ms(200);
	end(&show, 3, BUILD_DONE, NULL);
	CU_ASSERT_STRING_EQUAL(show.text, "#1 [internal] load build definition from Dockerfile\n"
					  "#1 transferring dockerfile: 103B done\n"
					  "#1 DONE 0.0s\n"
					  "\n"
					  "#2 [1/2] FROM docker.io/library/alpine:latest\n"
					  "#2 CACHED\n"
					  "\n"
					  "#3 [2/2] RUN make\n"
					  "#3 0.213 CC\tmain.c\n"
					  "#3 DONE 0.4s\n");
	show_close(&show);
}

static void test_vertices_take_turns(void)
{
	struct show show;

	show_open(&show);
	begin(&show, 1, "[a] RUN x");
	begin(&show, 2, "[b] RUN y");
	wait_ms(12345);
	output(&show, 1, "one");
	wait_ms(100000);
	output(&show, 1, "two");
	end(&show, 2, BUILD_FAILED, "exit code: 1");
	end(&show, 1, BUILD_CANCELED, NULL);
	CU_ASSERT_STRING_EQUAL(show.text, "#1 [a] RUN x\n"
					  "#1 ...\n"
					  "\n"
					  "#2 [b] RUN y\n"
					  "#2 ...\n"
					  "\n"
					  "#1 [a] RUN x\n"
					  "#1 12.35 one\n"
					  "#1 112.3 two\n"
					  "#1 ...\n"
					  "\n"
					  "#2 [b] RUN y\n"
					  "#2 ERROR: exit code: 1\n"
					  "\n"
					  "#1 [a] RUN x\n"
					  "#1 CANCELED\n");
	show_close(&show);
}

static void test_nothing_steers_the_terminal(void)
{
	struct show show;

	show_open(&show);
	begin(&show, 1, "RUN printf '\033[2J'\nrm x");
	output(&show, 1, "\033[31mred\033[0m\b");
	output(&show, 1, "10%\r100%\r");
	note(&show, 1, "naming to \033]0;x\a");
	end(&show, 1, BUILD_FAILED, "a\nb\n");
	CU_ASSERT_STRING_EQUAL(show.text, "#1 RUN printf '' rm x\n"
					  "#1 0.000 red?\n"
					  "#1 0.000 100%\n"
					  "#1 naming to \n"
					  "#1 ERROR: a b\n");
	show_close(&show);
}

static void test_what_has_ended_says_no_more(void)
{
	struct show show;
	size_t len;

	show_open(&show);
	begin(&show, 1, "x");
	end(&show, 1, BUILD_DONE, NULL);
	len = show.len;
	output(&show, 1, "late");
	note(&show, 7, "never began");
	end(&show, 1, BUILD_FAILED, "again");
	CU_ASSERT_EQUAL(show.len, len);
	CU_ASSERT_EQUAL(show.plain.trace.nr_ended, 1);
	show_close(&show);
}

static void check_failure(const struct show *show, const char *expected)
{
	auto_buf struct buf text = { 0 };

	buf_puts(&text, "");
	buildtrace_put_failure(&show->plain.trace, &text);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
}

static void test_a_failure_shows_the_last_lines(void)
{
	struct show show;
	char line[] = "line 0";

	show_open(&show);
	begin(&show, 1, "[1/2] RUN fine");
	output(&show, 1, "fine");
	end(&show, 1, BUILD_DONE, NULL);
	begin(&show, 2, "[2/2] RUN make");
	check_failure(&show, "");
	for (char digit = 'a'; digit <= 'l'; digit++, wait_ms(10)) {
		line[5] = digit;
		output(&show, 2, line);
	}
	end(&show, 2, BUILD_FAILED, "exit code: 2");
	check_failure(&show, "------\n"
			     " > [2/2] RUN make:\n"
			     "0.020 line c\n0.030 line d\n0.040 line e\n0.050 line f\n"
			     "0.060 line g\n0.070 line h\n0.080 line i\n0.090 line j\n"
			     "0.100 line k\n0.110 line l\n"
			     "------\n");
	show_close(&show);
}

static void test_a_failure_without_output(void)
{
	struct show show;

	show_open(&show);
	begin(&show, 1, "COPY x /");
	end(&show, 1, BUILD_FAILED, "\"/x\": not found");
	check_failure(&show, "------\n > COPY x /:\n------\n");
	show_close(&show);
}

static void test_a_subject_has_one_note(void)
{
	struct show show;
	const struct strlist *notes;

	show_open(&show);
	begin(&show, 1, "exporting");
	note(&show, 1, "transferring context: 1kB");
	note(&show, 1, "exporting layers");
	note(&show, 1, "transferring context: 2kB done");
	note(&show, 1, "exporting layers done");
	note(&show, 1, "naming to x:1 done");
	note(&show, 1, "naming to x:2 done");
	notes = &show.plain.trace.items[0]->notes;
	CU_ASSERT_EQUAL_FATAL(notes->nr, 4);
	CU_ASSERT_STRING_EQUAL(notes->items[0], "transferring context: 2kB done");
	CU_ASSERT_STRING_EQUAL(notes->items[1], "exporting layers done");
	CU_ASSERT_STRING_EQUAL(notes->items[3], "naming to x:2 done");
	show_close(&show);
}

UNIT_SUITE(buildplain,
	   { "a build is told as BuildKit does", test_a_build_is_told_as_buildkit_does },
	   { "vertices take turns", test_vertices_take_turns },
	   { "nothing steers the terminal", test_nothing_steers_the_terminal },
	   { "what has ended says no more", test_what_has_ended_says_no_more },
	   { "a failure shows the last lines", test_a_failure_shows_the_last_lines },
	   { "a failure without output", test_a_failure_without_output },
	   { "a subject has one note", test_a_subject_has_one_note });

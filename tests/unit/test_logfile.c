/* SPDX-License-Identifier: Apache-2.0 */
#include "run/logfile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procmark.h"
#include "unit.h"

static int collect(void *ctx, const struct log_line *line, struct error *err)
{
	(void)err;
	buf_printf(ctx, "%c%.*s%s", line->stream == LOG_STDOUT ? 'o' : 'e', (int)line->len,
		   line->text, line->ends ? "|" : "+");
	return 0;
}

static char *read_all(const char *path, int64_t tail)
{
	struct logfile_filter filter = { .tail = tail };
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(logfile_read(path, &filter, NULL, collect, &text, &err), 0);
	return buf_take(&text);
}

static void check_tail(const char *path, int64_t tail, const char *expected)
{
	auto_free char *text = read_all(path, tail);

	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_round(void)
{
	char path[] = "/tmp/veneer-log-XXXXXX";
	auto_fd int fd = mkstemp(path);
	struct logfile log;
	struct error err;

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(logfile_open(path, &log, &err), 0);
	logfile_write(&log, LOG_STDOUT, "one\ntw", 6, &err);
	logfile_write(&log, LOG_STDERR, "bad\n", 4, &err);
	logfile_write(&log, LOG_STDOUT, "o\n\nend", 6, &err);
	logfile_close(&log);
	check_tail(path, -1, "oone|ebad|otwo|o|oend+");
	check_tail(path, 2, "o|oend+");
	check_tail(path, 0, "");
	check_tail(path, 100, "oone|ebad|otwo|o|oend+");
	check_tail("/tmp/veneer-there-is-no-log", -1, "");
	unlink(path);
}

static void test_long_lines(void)
{
	char path[] = "/tmp/veneer-log-XXXXXX";
	auto_fd int fd = mkstemp(path);
	auto_free char *data = xmalloc(3 * LOGFILE_LINE_MAX);
	auto_free char *text = NULL;
	struct logfile log;
	struct error err;

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	memset(data, 'x', 3 * LOGFILE_LINE_MAX);
	data[2 * LOGFILE_LINE_MAX + 9] = '\n';
	CU_ASSERT_EQUAL_FATAL(logfile_open(path, &log, &err), 0);
	logfile_write(&log, LOG_STDOUT, data, 2 * LOGFILE_LINE_MAX + 10, &err);
	logfile_close(&log);
	text = read_all(path, -1);
	CU_ASSERT_EQUAL(strlen(text), 2 * LOGFILE_LINE_MAX + 9 + 3 * 2);
	CU_ASSERT_EQUAL(text[LOGFILE_LINE_MAX + 1], '+');
	CU_ASSERT_EQUAL(text[strlen(text) - 1], '|');
	unlink(path);
}

static void test_parsing(void)
{
	static const char good[] = "2026-01-02T03:04:05.000000006+00:00 stderr F a b";
	static const char *const bad[] = { "", "x", "2026-01-02T03:04:05Z stdout",
					   "2026-01-02T03:04:05Z other F x",
					   "yesterday stdout F x" };
	struct log_line line;

	CU_ASSERT_TRUE_FATAL(logfile_parse(good, strlen(good), &line));
	CU_ASSERT_EQUAL(line.time_ns, INT64_C(1767323045000000006));
	CU_ASSERT_EQUAL(line.stream, LOG_STDERR);
	CU_ASSERT_EQUAL(line.len, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_FALSE(logfile_parse(bad[i], strlen(bad[i]), &line));
}

static void test_processes(void)
{
	struct procmark mark;
	struct error err;

	CU_ASSERT_EQUAL(procmark_start_of("7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 "
					  "18 4711 20"),
			4711);
	CU_ASSERT_EQUAL(procmark_start_of("7 (a) S 1 2"), -1);
	CU_ASSERT_EQUAL(procmark_start_of("nothing"), -1);
	CU_ASSERT_EQUAL_FATAL(procmark_read(getpid(), &mark, &err), 0);
	CU_ASSERT_TRUE(procmark_is_alive(&mark));
	mark.start_ticks--;
	CU_ASSERT_FALSE(procmark_is_alive(&mark));
}

UNIT_SUITE(logfile, { "what is written is read again, from any line", test_round },
	   { "long lines come in pieces", test_long_lines },
	   { "what is no line of a log is none", test_parsing },
	   { "a process is told from a later one with its number", test_processes });

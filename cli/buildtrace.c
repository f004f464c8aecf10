/* SPDX-License-Identifier: Apache-2.0 */
#include "buildtrace.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "format/plainline.h"

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void buildtrace_init(struct buildtrace *trace)
{
	*trace = (struct buildtrace){ .now_ns = monotonic_ns };
	trace->begun_ns = trace->now_ns();
}

void buildtrace_done(struct buildtrace *trace)
{
	for (size_t i = 0; i < trace->nr; i++) {
		struct buildtrace_vertex *vertex = trace->items[i];

		free(vertex->name);
		free(vertex->error);
		strlist_done(&vertex->notes);
		for (size_t line = 0; line < BUILDTRACE_LINES; line++)
			free(vertex->lines[line].text);
		free(vertex);
	}
	free(trace->items);
	*trace = (struct buildtrace){ 0 };
}

/* Returns new: one harmless line, also of a text that has several. */
static char *harmless(const char *text, size_t len)
{
	auto_buf struct buf ret = { 0 };

	buf_puts(&ret, "");
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	for (;;) {
		const char *end = memchr(text, '\n', len);

		plainline_put(&ret, text, end ? (size_t)(end - text) : len);
		if (!end)
			return buf_take(&ret);
		buf_putc(&ret, ' ');
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
}

static struct buildtrace_vertex *find_running(const struct buildtrace *trace, unsigned number)
{
	for (size_t i = trace->nr; i > 0; i--)
		if (trace->items[i - 1]->number == number)
			return trace->items[i - 1]->ended ? NULL : trace->items[i - 1];
	return NULL;
}

struct buildtrace_vertex *buildtrace_begin(struct buildtrace *trace, unsigned number,
					   const char *name)
{
	struct buildtrace_vertex *vertex = xcalloc(1, sizeof(*vertex));

	if (trace->nr == trace->cap) {
		trace->cap = trace->cap ? trace->cap * 2 : 16;
		trace->items = xrealloc(trace->items, trace->cap * sizeof(*trace->items));
	}
	vertex->number = number;
	vertex->name = harmless(name, strlen(name));
	vertex->begun_ns = trace->now_ns();
	trace->items[trace->nr++] = vertex;
	return vertex;
}

/* What a note is about: "transferring context" of "transferring context: 2kB done". */
static size_t subject_len(const char *note)
{
	static const char done[] = " done";
	const char *colon = strstr(note, ": ");
	size_t len = strlen(note), done_len = strlen(done);

	if (colon)
		return (size_t)(colon - note);
	if (len >= done_len && strcmp(note + len - done_len, done) == 0)
		return len - done_len;
	return len;
}

static bool same_subject(const char *a, const char *b)
{
	return subject_len(a) == subject_len(b) && memcmp(a, b, subject_len(a)) == 0;
}

struct buildtrace_vertex *buildtrace_note(struct buildtrace *trace, unsigned number,
					  const char *text)
{
	struct buildtrace_vertex *vertex = find_running(trace, number);
	char *note;

	if (!vertex)
		return NULL;
	note = harmless(text, strlen(text));
	vertex->noted = note;
	for (size_t i = 0; i < vertex->notes.nr; i++) {
		if (!same_subject(note, vertex->notes.items[i]))
			continue;
		free(vertex->notes.items[i]);
		vertex->notes.items[i] = note;
		return vertex;
	}
	strlist_take(&vertex->notes, note);
	return vertex;
}

struct buildtrace_vertex *buildtrace_output(struct buildtrace *trace, unsigned number,
					    const char *text, size_t len)
{
	struct buildtrace_vertex *vertex = find_running(trace, number);
	struct buildtrace_line *line;

	if (!vertex)
		return NULL;
	line = &vertex->lines[vertex->nr_lines++ % BUILDTRACE_LINES];
	free(line->text);
	line->text = harmless(text, len);
	line->after_ns = trace->now_ns() - vertex->begun_ns;
	return vertex;
}

struct buildtrace_vertex *buildtrace_end(struct buildtrace *trace, unsigned number,
					 enum build_end how, const char *error)
{
	struct buildtrace_vertex *vertex = find_running(trace, number);

	if (!vertex)
		return NULL;
	vertex->ended = true;
	vertex->how = how;
	vertex->ended_ns = trace->now_ns();
	if (how == BUILD_FAILED)
		vertex->error = harmless(error ? error : "", error ? strlen(error) : 0);
	trace->nr_ended++;
	return vertex;
}

static void on_begin(void *ctx, unsigned number, const char *name)
{
	buildtrace_begin(ctx, number, name);
}

static void on_note(void *ctx, unsigned number, const char *text)
{
	buildtrace_note(ctx, number, text);
}

static void on_output(void *ctx, unsigned number, enum log_stream stream, const char *text,
		      size_t len)
{
	(void)stream;
	buildtrace_output(ctx, number, text, len);
}

static void on_end(void *ctx, unsigned number, enum build_end how, const char *error)
{
	buildtrace_end(ctx, number, how, error);
}

void buildtrace_events(struct buildtrace *trace, struct build_events *ret)
{
	*ret = (struct build_events){
		.ctx = trace,
		.begin = on_begin,
		.note = on_note,
		.output = on_output,
		.end = on_end,
	};
}

size_t buildtrace_nr_kept(const struct buildtrace_vertex *vertex)
{
	return vertex->nr_lines < BUILDTRACE_LINES ? vertex->nr_lines : BUILDTRACE_LINES;
}

const struct buildtrace_line *buildtrace_line(const struct buildtrace_vertex *vertex, size_t index)
{
	size_t first = vertex->nr_lines - buildtrace_nr_kept(vertex);

	return &vertex->lines[(first + index) % BUILDTRACE_LINES];
}

void buildtrace_put_time(struct buf *ret, int64_t after_ns)
{
	double secs = (double)after_ns / 1e9;

	buf_printf(ret, "%.*f", secs < 10 ? 3 : secs < 100 ? 2 : 1, secs);
}

void buildtrace_put_failure(const struct buildtrace *trace, struct buf *ret)
{
	for (size_t i = 0; i < trace->nr; i++) {
		const struct buildtrace_vertex *vertex = trace->items[i];

		if (!vertex->ended || vertex->how != BUILD_FAILED)
			continue;
		buf_printf(ret, "------\n > %s:\n", vertex->name);
		for (size_t line = 0; line < buildtrace_nr_kept(vertex); line++) {
			buildtrace_put_time(ret, buildtrace_line(vertex, line)->after_ns);
			buf_printf(ret, " %s\n", buildtrace_line(vertex, line)->text);
		}
		buf_puts(ret, "------\n");
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "buildtty.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "format/utf8.h"

#define INTERVAL_NS	100000000
#define MIN_NAME_CELLS	12 /* on a narrower screen the times go */
#define TAB_CELLS	8
#define SHORT_TIME_SECS 0.05 /* below it, "0.0s" */

#define COLOUR_OFF "\033[0m"

static const char *colour_of(const struct buildtrace_vertex *vertex)
{
	if (!vertex->ended)
		return NULL;
	switch (vertex->how) {
	case BUILD_FAILED:
		return "\033[31m";
	case BUILD_CANCELED:
		return "\033[33m";
	case BUILD_DONE:
	case BUILD_CACHED:
		break;
	}
	return "\033[34m";
}

static const char *word_of(const struct buildtrace_vertex *vertex)
{
	if (!vertex->ended)
		return "";
	switch (vertex->how) {
	case BUILD_CACHED:
		return "CACHED ";
	case BUILD_FAILED:
		return "ERROR ";
	case BUILD_CANCELED:
		return "CANCELED ";
	case BUILD_DONE:
		break;
	}
	return "";
}

/* How many lines of output are shown: of what runs, what is said now. */
static size_t nr_output(const struct buildtrace_vertex *vertex)
{
	size_t kept = buildtrace_nr_kept(vertex);

	if (vertex->ended)
		return 0;
	return kept < BUILDTTY_OUTPUT_LINES ? kept : BUILDTTY_OUTPUT_LINES;
}

static size_t nr_lines(const struct buildtrace_vertex *vertex)
{
	return 1 + vertex->notes.nr + nr_output(vertex);
}

/* ---- one line ---- */

/* Tabs end where they do on an empty line: the columns of a table stay below each other. */
static void put_without_tabs(struct buf *ret, const char *text)
{
	for (size_t cells = 0; *text;) {
		size_t len = strcspn(text, "\t");

		buf_append(ret, text, len);
		cells += utf8_cells(text, len);
		text += len;
		if (*text != '\t')
			return;
		do
			buf_putc(ret, ' ');
		while (++cells % TAB_CELLS);
		text++;
	}
}

/*
 * @right: what ends the line at the screen's edge, or NULL
 *
 * The last column stays free: some terminals wrap as soon as it is used.
 */
static void put_line(const struct buildtty *tty, const char *left, const char *right,
		     const char *colour, struct buf *ret)
{
	size_t cells = tty->columns > 1 ? tty->columns - 1 : 1;
	size_t right_cells = right ? strlen(right) : 0;
	size_t used;

	if (cells < right_cells + MIN_NAME_CELLS)
		right_cells = 0;
	if (tty->colours && colour)
		buf_puts(ret, colour);
	used = utf8_put_cells(ret, left, strlen(left), cells - right_cells);
	if (right_cells)
		buf_printf(ret, "%*s%s", (int)(cells - right_cells - used), "", right);
	if (tty->colours && colour)
		buf_puts(ret, COLOUR_OFF);
	buf_puts(ret, "\033[K\r\n");
}

static void put_name(const struct buildtty *tty, const struct buildtrace_vertex *vertex,
		     struct buf *ret)
{
	int64_t until_ns = vertex->ended ? vertex->ended_ns : tty->trace.now_ns();
	double secs = (double)(until_ns - vertex->begun_ns) / 1e9;
	auto_free char *name = xasprintf(" => %s%s", word_of(vertex), vertex->name);
	auto_free char *time = xasprintf(" %3.1fs", secs < SHORT_TIME_SECS ? 0 : secs);

	put_line(tty, name, time, colour_of(vertex), ret);
}

static void put_output(const struct buildtty *tty, const char *text, struct buf *ret)
{
	auto_buf struct buf plain = { 0 };

	buf_puts(&plain, " => => # ");
	put_without_tabs(&plain, text);
	put_line(tty, plain.data, NULL, "\033[2m", ret);
}

/* As many lines as there is room for. Returns how many. */
static size_t put_vertex(const struct buildtty *tty, const struct buildtrace_vertex *vertex,
			 size_t room, struct buf *ret)
{
	size_t kept = buildtrace_nr_kept(vertex), output = nr_output(vertex);
	size_t notes = vertex->notes.nr;

	if (room == 0)
		return 0;
	put_name(tty, vertex, ret);
	room--;
	if (output > room)
		output = room;
	if (notes > room - output)
		notes = room - output;
	for (size_t i = vertex->notes.nr - notes; i < vertex->notes.nr; i++) {
		auto_free char *note = xasprintf(" => => %s", vertex->notes.items[i]);

		put_line(tty, note, NULL, colour_of(vertex), ret);
	}
	for (size_t i = kept - output; i < kept; i++)
		put_output(tty, buildtrace_line(vertex, i)->text, ret);
	return 1 + notes + output;
}

/* ---- the frame ---- */

/* Lines for each vertex: first for what runs, then for the newest. Returns new. */
static size_t *share_room(const struct buildtrace *trace, size_t room)
{
	size_t *ret = xcalloc(trace->nr + 1, sizeof(*ret));

	for (int running = 1; running >= 0; running--) {
		for (size_t i = trace->nr; i > 0 && room; i--) {
			const struct buildtrace_vertex *vertex = trace->items[i - 1];
			size_t wanted = nr_lines(vertex);

			if (vertex->ended == (bool)running)
				continue;
			if (!vertex->ended || wanted <= room)
				ret[i - 1] = wanted < room ? wanted : room;
			else
				ret[i - 1] = 1;
			room -= ret[i - 1];
		}
	}
	return ret;
}

static void put_header(const struct buildtty *tty, bool last, struct buf *ret)
{
	const struct buildtrace *trace = &tty->trace;
	double secs = (double)(trace->now_ns() - trace->begun_ns) / 1e9;
	bool all = last && trace->nr && trace->nr_ended == trace->nr;
	auto_free char *text = xasprintf("[+] Building %.1fs (%zu/%zu)%s", secs, trace->nr_ended,
					 trace->nr, all ? " FINISHED" : "");

	put_line(tty, text, NULL, NULL, ret);
}

static void measure(struct buildtty *tty)
{
	struct winsize size = { 0 };

	if (!tty->measures)
		return;
	ioctl(fileno(tty->out), TIOCGWINSZ, &size);
	tty->columns = size.ws_col ? size.ws_col : 80;
	tty->rows = size.ws_row ? size.ws_row : 24;
}

/* @last: with all vertices, also those that scroll away by it */
static void draw(struct buildtty *tty, bool last)
{
	const struct buildtrace *trace = &tty->trace;
	auto_free size_t *rooms = NULL;
	auto_buf struct buf text = { 0 };
	size_t nr = 1;

	measure(tty);
	/* The header and the line of the cursor are no room. */
	rooms = share_room(trace, last ? SIZE_MAX : tty->rows > 3 ? tty->rows - 2 : 1);
	if (tty->nr_drawn)
		buf_printf(&text, "\033[%zuA\r", tty->nr_drawn);
	put_header(tty, last, &text);
	for (size_t i = 0; i < trace->nr; i++)
		nr += put_vertex(tty, trace->items[i], rooms[i], &text);
	if (nr < tty->nr_drawn)
		buf_puts(&text, "\033[J");
	/* At once: half an escape sequence must not wait in a stream's buffer. */
	fwrite(text.data, 1, text.len, tty->out);
	fflush(tty->out);
	tty->nr_drawn = nr;
	tty->drawn_ns = trace->now_ns();
}

static void draw_soon(struct buildtty *tty)
{
	if (tty->trace.now_ns() - tty->drawn_ns >= tty->interval_ns)
		draw(tty, false);
}

static void on_begin(void *ctx, unsigned number, const char *name)
{
	struct buildtty *tty = ctx;

	buildtrace_begin(&tty->trace, number, name);
	draw(tty, false);
}

static void on_note(void *ctx, unsigned number, const char *text)
{
	struct buildtty *tty = ctx;

	buildtrace_note(&tty->trace, number, text);
	draw_soon(tty);
}

static void on_output(void *ctx, unsigned number, enum log_stream stream, const char *text,
		      size_t len)
{
	struct buildtty *tty = ctx;

	(void)stream;
	buildtrace_output(&tty->trace, number, text, len);
	draw_soon(tty);
}

static void on_end(void *ctx, unsigned number, enum build_end how, const char *error)
{
	struct buildtty *tty = ctx;

	buildtrace_end(&tty->trace, number, how, error);
	draw(tty, false);
}

static void on_tick(void *ctx)
{
	draw_soon(ctx);
}

bool buildtty_can(FILE *out)
{
	const char *kind = getenv("TERM");

	return isatty(fileno(out)) && !(kind && strcmp(kind, "dumb") == 0);
}

void buildtty_init(struct buildtty *tty, FILE *out, unsigned columns, unsigned rows,
		   int64_t interval_ns)
{
	*tty = (struct buildtty){
		.out = out,
		.columns = columns,
		.rows = rows,
		.interval_ns = interval_ns,
	};
	buildtrace_init(&tty->trace);
}

void buildtty_open(struct buildtty *tty, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	buildtty_init(tty, out, 0, 0, INTERVAL_NS);
	tty->colours = !no_color || !*no_color;
	tty->measures = true;
}

void buildtty_done(struct buildtty *tty)
{
	buildtrace_done(&tty->trace);
	*tty = (struct buildtty){ 0 };
}

void buildtty_events(struct buildtty *tty, struct build_events *ret)
{
	*ret = (struct build_events){
		.ctx = tty,
		.begin = on_begin,
		.note = on_note,
		.output = on_output,
		.end = on_end,
		.tick = on_tick,
	};
}

void buildtty_finish(struct buildtty *tty)
{
	if (tty->trace.nr)
		draw(tty, true);
}

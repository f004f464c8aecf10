/* SPDX-License-Identifier: Apache-2.0 */
#include "ttyprogress.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "format/human.h"
#include "format/utf8.h"

#define BAR_CELLS	50
#define BAR_MIN_COLUMNS 110 /* on a narrower screen the numbers alone */
#define INTERVAL_MS	100

struct ttyprogress_line {
	char *item;
	const char *phase;
	uint64_t done_bytes, total_bytes;
	bool stale; /* the screen shows older numbers */
};

static void put_bar(const struct ttyprogress_line *line, struct buf *text)
{
	uint64_t done = line->done_bytes, total = line->total_bytes;
	int full = done >= total ? BAR_CELLS : (int)((double)done / (double)total * BAR_CELLS);

	buf_putc(text, '[');
	for (int i = 0; i < full; i++)
		buf_putc(text, '=');
	buf_printf(text, ">%*s] ", BAR_CELLS - full, "");
}

static void put_numbers(const struct ttyprogress_line *line, struct buf *text)
{
	buf_printf(text, "%8s", human_size((int64_t)line->done_bytes, HUMAN_TOTAL).text);
	if (line->total_bytes && line->done_bytes <= line->total_bytes)
		buf_printf(text, "/%s", human_size((int64_t)line->total_bytes, HUMAN_TOTAL).text);
}

static void put_line(const struct ttyprogress *tty, const struct ttyprogress_line *line,
		     struct buf *ret)
{
	auto_buf struct buf text = { 0 };

	buf_printf(&text, "%s: %s", line->item, line->phase);
	if (line->done_bytes || line->total_bytes)
		buf_putc(&text, ' ');
	if (line->total_bytes && tty->columns > BAR_MIN_COLUMNS)
		put_bar(line, &text);
	if (line->done_bytes || line->total_bytes)
		put_numbers(line, &text);
	utf8_put_cells(ret, text.data, text.len, tty->columns);
}

/* Writes at once: half an escape sequence must not wait in a stream's buffer. */
static void send(struct ttyprogress *tty, const struct buf *text)
{
	fwrite(text->data, 1, text->len, tty->out);
	fflush(tty->out);
}

static void redraw(struct ttyprogress *tty, size_t index)
{
	struct ttyprogress_line *line = &tty->lines[index];
	auto_buf struct buf text = { 0 };
	size_t up = tty->nr_lines - index;

	line->stale = false;
	if (up >= tty->rows)
		return; /* scrolled away: the cursor cannot reach it */
	buf_printf(&text, "\033[%zuA\r\033[2K", up);
	put_line(tty, line, &text);
	buf_printf(&text, "\033[%zuB\r", up);
	send(tty, &text);
}

static void draw_new(struct ttyprogress *tty, const struct ttyprogress_line *line)
{
	auto_buf struct buf text = { 0 };

	put_line(tty, line, &text);
	buf_puts(&text, "\r\n");
	send(tty, &text);
}

static void redraw_stale(struct ttyprogress *tty)
{
	for (size_t i = 0; i < tty->nr_lines; i++)
		if (tty->lines[i].stale)
			redraw(tty, i);
}

static size_t find_line(const struct ttyprogress *tty, const char *item)
{
	for (size_t i = tty->nr_lines; i > 0; i--)
		if (strcmp(tty->lines[i - 1].item, item) == 0)
			return i - 1;
	return tty->nr_lines;
}

static struct ttyprogress_line *add_line(struct ttyprogress *tty, const char *item)
{
	if (tty->nr_lines == tty->cap_lines) {
		tty->cap_lines = tty->cap_lines ? tty->cap_lines * 2 : 16;
		tty->lines = xrealloc(tty->lines, tty->cap_lines * sizeof(*tty->lines));
	}
	tty->lines[tty->nr_lines] = (struct ttyprogress_line){ .item = xstrdup(item) };
	return &tty->lines[tty->nr_lines++];
}

static void on_update(struct progress *self, const char *item, const char *phase,
		      uint64_t done_bytes, uint64_t total_bytes)
{
	struct ttyprogress *tty = (struct ttyprogress *)self;
	size_t index = find_line(tty, item);
	bool is_new = index == tty->nr_lines;
	struct ttyprogress_line *line = is_new ? add_line(tty, item) : &tty->lines[index];
	bool at_once = !line->phase || strcmp(line->phase, phase) != 0 ||
		       (total_bytes && done_bytes >= total_bytes);

	line->phase = phase;
	line->done_bytes = done_bytes;
	line->total_bytes = total_bytes;
	if (is_new) {
		draw_new(tty, line);
		return;
	}
	line->stale = true;
	if (!at_once && clock_ms() - tty->drawn_ms < tty->interval_ms)
		return;
	redraw_stale(tty);
	tty->drawn_ms = clock_ms();
}

void ttyprogress_init(struct ttyprogress *tty, FILE *out, unsigned int columns, unsigned int rows,
		      int64_t interval_ms)
{
	*tty = (struct ttyprogress){
		.progress = { .update = on_update },
		.out = out,
		.columns = columns,
		.rows = rows,
		.interval_ms = interval_ms,
	};
}

void ttyprogress_open(struct ttyprogress *tty, FILE *out)
{
	struct winsize size = { 0 };
	const char *kind = getenv("TERM");

	*tty = (struct ttyprogress){ 0 };
	if (!isatty(fileno(out)) || (kind && strcmp(kind, "dumb") == 0))
		return;
	ioctl(fileno(out), TIOCGWINSZ, &size);
	ttyprogress_init(tty, out, size.ws_col ? size.ws_col : 80, size.ws_row ? size.ws_row : 24,
			 INTERVAL_MS);
}

struct progress *ttyprogress_sink(struct ttyprogress *tty)
{
	return tty->out ? &tty->progress : NULL;
}

void ttyprogress_settle(struct ttyprogress *tty)
{
	redraw_stale(tty);
	for (size_t i = 0; i < tty->nr_lines; i++)
		free(tty->lines[i].item);
	tty->nr_lines = 0;
}

void ttyprogress_done(struct ttyprogress *tty)
{
	ttyprogress_settle(tty);
	free(tty->lines);
	*tty = (struct ttyprogress){ 0 };
}

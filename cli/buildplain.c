/* SPDX-License-Identifier: Apache-2.0 */
#include "buildplain.h"

/* What comes next is of this vertex: its header, unless its lines come already. */
static void turn_to(struct buildplain *plain, const struct buildtrace_vertex *vertex,
		    struct buf *ret)
{
	if (plain->current == vertex->number)
		return;
	if (plain->current)
		buf_printf(ret, "#%u ...\n", plain->current);
	if (plain->begun)
		buf_putc(ret, '\n');
	plain->begun = true;
	plain->current = vertex->number;
	buf_printf(ret, "#%u %s\n", vertex->number, vertex->name);
}

static void send(const struct buildplain *plain, const struct buf *text)
{
	fwrite(text->data, 1, text->len, plain->out);
	fflush(plain->out);
}

static void on_begin(void *ctx, unsigned number, const char *name)
{
	struct buildplain *plain = ctx;
	auto_buf struct buf text = { 0 };

	turn_to(plain, buildtrace_begin(&plain->trace, number, name), &text);
	send(plain, &text);
}

static void on_note(void *ctx, unsigned number, const char *note)
{
	struct buildplain *plain = ctx;
	struct buildtrace_vertex *vertex = buildtrace_note(&plain->trace, number, note);
	auto_buf struct buf text = { 0 };

	if (!vertex)
		return;
	turn_to(plain, vertex, &text);
	buf_printf(&text, "#%u %s\n", number, vertex->noted);
	send(plain, &text);
}

static void on_output(void *ctx, unsigned number, enum log_stream stream, const char *line,
		      size_t len)
{
	struct buildplain *plain = ctx;
	struct buildtrace_vertex *vertex = buildtrace_output(&plain->trace, number, line, len);
	const struct buildtrace_line *last;
	auto_buf struct buf text = { 0 };

	(void)stream;
	if (!vertex)
		return;
	last = buildtrace_line(vertex, buildtrace_nr_kept(vertex) - 1);
	turn_to(plain, vertex, &text);
	buf_printf(&text, "#%u ", number);
	buildtrace_put_time(&text, last->after_ns);
	buf_printf(&text, " %s\n", last->text);
	send(plain, &text);
}

static void on_end(void *ctx, unsigned number, enum build_end how, const char *error)
{
	struct buildplain *plain = ctx;
	struct buildtrace_vertex *vertex = buildtrace_end(&plain->trace, number, how, error);
	auto_buf struct buf text = { 0 };

	if (!vertex)
		return;
	turn_to(plain, vertex, &text);
	buf_printf(&text, "#%u ", number);
	switch (how) {
	case BUILD_DONE:
		buf_printf(&text, "DONE %.1fs\n",
			   (double)(vertex->ended_ns - vertex->begun_ns) / 1e9);
		break;
	case BUILD_CACHED:
		buf_puts(&text, "CACHED\n");
		break;
	case BUILD_FAILED:
		buf_printf(&text, "ERROR: %s\n", vertex->error);
		break;
	case BUILD_CANCELED:
		buf_puts(&text, "CANCELED\n");
		break;
	}
	plain->current = 0;
	send(plain, &text);
}

void buildplain_init(struct buildplain *plain, FILE *out)
{
	*plain = (struct buildplain){ .out = out };
	buildtrace_init(&plain->trace);
}

void buildplain_done(struct buildplain *plain)
{
	buildtrace_done(&plain->trace);
	*plain = (struct buildplain){ 0 };
}

void buildplain_events(struct buildplain *plain, struct build_events *ret)
{
	*ret = (struct build_events){
		.ctx = plain,
		.begin = on_begin,
		.note = on_note,
		.output = on_output,
		.end = on_end,
	};
}

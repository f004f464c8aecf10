/* SPDX-License-Identifier: Apache-2.0 */
#include "format/columns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

#define MIN_WIDTH 10
#define PADDING	  3

void columns_done(struct columns *table)
{
	buf_done(&table->text);
	free(table->cells);
	free(table->row_ends);
	*table = (struct columns){ 0 };
}

static void add_cell(struct columns *table, const char *text, size_t len)
{
	if (table->nr_cells == table->cap_cells) {
		table->cap_cells = table->cap_cells ? 2 * table->cap_cells : 64;
		table->cells = xrealloc(table->cells, table->cap_cells * sizeof(*table->cells));
	}
	table->cells[table->nr_cells++] = (struct column_cell){
		.offset = table->text.len,
		.len = len,
		.width = utf8_cells(text, len),
	};
	buf_append(&table->text, text, len);
}

static void end_row(struct columns *table)
{
	if (table->nr_rows == table->cap_rows) {
		table->cap_rows = table->cap_rows ? 2 * table->cap_rows : 16;
		table->row_ends =
			xrealloc(table->row_ends, table->cap_rows * sizeof(*table->row_ends));
	}
	table->row_ends[table->nr_rows++] = table->nr_cells;
}

void columns_row(struct columns *table, const char *const cells[], size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const char *text = cells[i] ? cells[i] : "";
		size_t at = table->text.len;

		add_cell(table, text, strlen(text));
		for (; at < table->text.len; at++)
			if (strchr("\t\n\v\f\r", table->text.data[at]))
				table->text.data[at] = ' ';
	}
	end_row(table);
}

void columns_text(struct columns *table, const char *text, size_t len)
{
	const char *end, *start = text;

	if (!len)
		return;
	end = text + len;
	for (; text < end; text++) {
		if (!strchr("\t\v\n\f", *text) || !*text)
			continue;
		add_cell(table, start, (size_t)(text - start));
		start = text + 1;
		if (*text == '\n' || *text == '\f')
			end_row(table);
	}
	if (start < end || end[-1] == '\t' || end[-1] == '\v') {
		add_cell(table, start, (size_t)(end - start));
		end_row(table);
	}
}

static size_t row_start(const struct columns *table, size_t row)
{
	return row ? table->row_ends[row - 1] : 0;
}

/* Cells with another cell behind them: those that belong to a column. */
static size_t nr_padded(const struct columns *table, size_t row)
{
	size_t nr = row < table->nr_rows ? table->row_ends[row] - row_start(table, row) : 0;

	return nr ? nr - 1 : 0;
}

/* One column from its first row down to the first row that lacks it. */
static void fit_column(struct columns *table, size_t first_row, size_t column)
{
	size_t width = MIN_WIDTH, row;

	for (row = first_row; column < nr_padded(table, row); row++) {
		const struct column_cell *cell = &table->cells[row_start(table, row) + column];

		if (cell->width + PADDING > width)
			width = cell->width + PADDING;
	}
	while (row-- > first_row)
		table->cells[row_start(table, row) + column].pad_to = width;
}

void columns_print(struct columns *table, struct buf *ret)
{
	for (size_t row = 0; row < table->nr_rows; row++) {
		size_t above = row ? nr_padded(table, row - 1) : 0;

		for (size_t column = above; column < nr_padded(table, row); column++)
			fit_column(table, row, column);
	}
	for (size_t row = 0, i = 0; row < table->nr_rows; row++) {
		for (; i < table->row_ends[row]; i++) {
			const struct column_cell *cell = &table->cells[i];

			buf_append(ret, table->text.data + cell->offset, cell->len);
			if (i + 1 == table->row_ends[row])
				continue;
			for (size_t at = cell->width; at < cell->pad_to; at++)
				buf_putc(ret, ' ');
		}
		buf_putc(ret, '\n');
	}
}

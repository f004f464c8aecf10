/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns - tables as Docker prints them: no lines, aligned by blanks
 *
 * A column is as wide as its longest cell plus 3, at least 10; the last cell of
 * a row is not padded. Width counts display cells. A row with fewer cells than
 * its neighbours ends their columns there, as in Go's text/tabwriter.
 * Source: spec/cli.md section 1, "Tables"; Docker's tabwriter settings (10, 1, 3, ' ').
 *
 *	auto_columns struct columns table = { 0 };
 *
 *	columns_row(&table, (const char *const[]){ "TAG", "IMAGE ID" }, 2);
 *	...
 *	columns_print(&table, &out);
 */
#ifndef FORMAT_COLUMNS_H
#define FORMAT_COLUMNS_H

#include <stddef.h>

#include "base/buf.h"

struct column_cell {
	size_t offset; /* into text */
	size_t len;
	size_t width; /* display cells of the text; 0 for none */
	size_t pad_to;
};

struct columns {
	struct buf text; /* all cells one behind the other */
	struct column_cell *cells;
	size_t nr_cells, cap_cells;
	size_t *row_ends; /* one for each row: index behind its last cell */
	size_t nr_rows, cap_rows;
};

void columns_done(struct columns *table);
#define auto_columns __attribute__((cleanup(columns_done)))

/* One row; tabs and line ends inside a cell become blanks. NULL counts as "". */
void columns_row(struct columns *table, const char *const cells[], size_t nr);
/* Ready text: cells end at a tab, rows at a newline (the last one may be missing). */
void columns_text(struct columns *table, const char *text, size_t len);
/* Appends the whole table to ret. */
void columns_print(struct columns *table, struct buf *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "imagetree.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/human.h"
#include "format/utf8.h"

#define UNTAGGED      "<untagged>"
#define SPACING	      "   "
#define ID_WIDTH      12
#define DISK_WIDTH    10
#define CONTENT_WIDTH 12
#define EXTRA_WIDTH   5
#define LEGEND	      "i Info →   U  In Use"

/* One name of an image with what is known of it. */
struct tree_row {
	const char *name; /* borrowed from names, or UNTAGGED */
	const struct image *image;
	bool used;
};

static int by_name(const void *a, const void *b)
{
	const struct tree_row *x = a, *y = b;
	bool x_untagged = strcmp(x->name, UNTAGGED) == 0;
	bool y_untagged = strcmp(y->name, UNTAGGED) == 0;

	if (x_untagged != y_untagged)
		return x_untagged ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Returns new: the rows, sorted; names keeps the texts. */
static struct tree_row *make_rows(const struct image_list *list, const struct image_usage *usage,
				  struct strlist *names, size_t *ret_nr)
{
	struct tree_row *rows;
	size_t nr = 0, cap = 0;

	for (size_t i = 0; i < list->nr; i++)
		cap += list->items[i].nr_refs + 1;
	rows = xcalloc(cap, sizeof(*rows));
	for (size_t i = 0; i < list->nr; i++) {
		const struct image *image = &list->items[i];
		bool used = usage[i].nr_containers > 0;
		bool tagged = false;

		for (size_t j = 0; j < image->nr_refs; j++) {
			if (!image->refs[j].tag)
				continue;
			strlist_take(names, image_ref_text(&image->refs[j]));
			rows[nr++] = (struct tree_row){ names->items[names->nr - 1], image, used };
			tagged = true;
		}
		if (!tagged)
			rows[nr++] = (struct tree_row){ UNTAGGED, image, used };
	}
	qsort(rows, nr, sizeof(*rows), by_name);
	*ret_nr = nr;
	return rows;
}

static void put_line(const char *name, size_t width, const struct tree_row *row, struct buf *ret)
{
	const struct image *image = row->image;
	size_t cells = utf8_cells(name, strlen(name));

	buf_printf(ret, "%s%*s", name, (int)(width - cells), "");
	buf_printf(ret, SPACING "%-*s", ID_WIDTH, human_short_id(image->id.text).text);
	buf_printf(ret, SPACING "%*s", DISK_WIDTH, human_size(image->size_bytes, HUMAN_LIST).text);
	buf_printf(ret, SPACING "%*s", CONTENT_WIDTH, "N/A");
	buf_printf(ret, SPACING "%-*s\n", EXTRA_WIDTH, row->used ? "U" : "");
}

static char *platform_line(const struct image *image)
{
	return xasprintf("└─ %s/%s", image->os, image->architecture);
}

static size_t first_column_width(const struct tree_row *rows, size_t nr)
{
	size_t width = strlen("IMAGE");

	for (size_t i = 0; i < nr; i++) {
		auto_free char *platform = platform_line(rows[i].image);
		size_t cells = utf8_cells(rows[i].name, strlen(rows[i].name));
		size_t below = utf8_cells(platform, strlen(platform));

		if (cells > width)
			width = cells;
		if (below > width)
			width = below;
	}
	return width;
}

void image_tree_text(const struct image_list *list, const struct image_usage *usage, bool on_screen,
		     unsigned int columns, struct buf *ret)
{
	auto_strlist struct strlist names = { 0 };
	size_t nr, width, legend = utf8_cells(LEGEND, strlen(LEGEND));
	auto_free struct tree_row *rows = make_rows(list, usage, &names, &nr);

	if (on_screen)
		buf_printf(ret, "%*s%s\n", columns > legend ? (int)(columns - legend) : 0, "",
			   LEGEND);
	width = first_column_width(rows, nr);
	buf_printf(ret, "%-*s" SPACING "%-*s" SPACING "%*s" SPACING "%*s" SPACING "%-*s\n",
		   (int)width, "IMAGE", ID_WIDTH, "ID", DISK_WIDTH, "DISK USAGE", CONTENT_WIDTH,
		   "CONTENT SIZE", EXTRA_WIDTH, "EXTRA");
	for (size_t i = 0; i < nr; i++) {
		auto_free char *platform = platform_line(rows[i].image);

		put_line(rows[i].name, width, &rows[i], ret);
		put_line(platform, width, &rows[i], ret);
		buf_putc(ret, '\n');
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "format/columns.h"
#include "format/gotmpl_eval.h"

struct listing {
	const struct listing_kind *kind;
	struct gotmpl *tmpl;
	char *text; /* of the template */
	bool is_table;
	struct buf rows;
};

/* In a template from the command line, \t and \n are spelled out. */
static char *unescaped(const char *text)
{
	auto_buf struct buf ret = { 0 };

	buf_puts(&ret, "");
	for (; *text; text++) {
		if (text[0] == '\\' && (text[1] == 't' || text[1] == 'n'))
			buf_putc(&ret, *++text == 't' ? '\t' : '\n');
		else
			buf_putc(&ret, *text);
	}
	return buf_take(&ret);
}

static char *without_blanks(const char *text)
{
	size_t len;

	text += strspn(text, " ");
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		len--;
	return xasprintf("%.*s", (int)len, text);
}

/* The template that a format stands for. Returns new. */
static char *template_of(const struct listing_kind *kind, const char *format, bool quiet,
			 bool *ret_is_table)
{
	auto_free char *trimmed = without_blanks(format ? format : "");
	const char *text = trimmed;

	*ret_is_table = !*text || strncmp(text, "table", 5) == 0;
	if (!*text || strcmp(text, "table") == 0) {
		*ret_is_table = !quiet || !kind->quiet;
		return xstrdup(*ret_is_table ? kind->table : kind->quiet);
	}
	if (strcmp(text, "json") == 0)
		return xstrdup("{{json .}}");
	if (strcmp(text, "raw") == 0 && kind->raw)
		return xstrdup(quiet && kind->quiet_raw ? kind->quiet_raw : kind->raw);
	if (*ret_is_table)
		text += 5;
	auto_free char *body = without_blanks(text);

	return unescaped(body);
}

static int template_error(struct error *err)
{
	err_add(err, "template parsing error");
	err->kind = ERR_USAGE; /* 64 is for inspect alone */
	return -1;
}

int listing_open(const struct listing_kind *kind, const char *format, bool quiet,
		 struct listing **ret, struct error *err)
{
	auto_listing struct listing *list = xcalloc(1, sizeof(*list));

	list->kind = kind;
	list->text = template_of(kind, format, quiet, &list->is_table);
	if (gotmpl_parse(list->text, &list->tmpl, err) < 0)
		return template_error(err);
	*ret = take_ptr(list);
	return 0;
}

int listing_row(struct listing *list, json_t *row, struct error *err)
{
	json_auto_t *owned = row;

	if (gotmpl_run(list->tmpl, owned, list->kind->type, 0, &list->rows, err) < 0)
		return template_error(err);
	buf_putc(&list->rows, '\n');
	return 0;
}

/* Docker passes over what goes wrong here: the line ends there. */
static void put_header(struct listing *list, struct columns *table)
{
	static const struct gotmpl_type type = {
		.kind = GOTMPL_MAP,
		.name = "formatter.SubHeaderContext",
		.elem = &gotmpl_string,
	};
	json_auto_t *headers = json_object();
	auto_buf struct buf line = { 0 };
	struct error ignored;

	for (const struct listing_header *header = list->kind->headers; header->field; header++)
		json_object_set_new(headers, header->field, json_string(header->text));
	gotmpl_run(list->tmpl, headers, &type, GOTMPL_HEADER, &line, &ignored);
	buf_putc(&line, '\n');
	columns_text(table, line.data, line.len);
}

void listing_text(struct listing *list, struct buf *ret)
{
	auto_columns struct columns table = { 0 };

	if (!list->is_table) {
		buf_append(ret, list->rows.data, list->rows.len);
		return;
	}
	put_header(list, &table);
	columns_text(&table, list->rows.data, list->rows.len);
	columns_print(&table, ret);
}

void listing_print(struct listing *list)
{
	auto_buf struct buf text = { 0 };

	listing_text(list, &text);
	if (list->is_table)
		cli_print_table(text.data, text.len);
	else
		fwrite(text.data, 1, text.len, stdout);
	cli_flush();
}

void listing_free(struct listing *list)
{
	if (!list)
		return;
	gotmpl_free(list->tmpl);
	free(list->text);
	buf_done(&list->rows);
	free(list);
}

bool listing_wants(const struct listing *list, const char *field)
{
	return strstr(list->text, field) != NULL;
}

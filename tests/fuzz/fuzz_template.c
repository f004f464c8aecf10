/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_template - --format templates on arbitrary JSON
 *
 * The input is a template, a newline and a document. A first byte of 1 to 4
 * chooses a way: a row of a table, missing keys as errors, a header, a table.
 * Seeds: tests/spec/template. Beyond "no crash": the same run twice gives the
 * same text, and a failure has a message.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/columns.h"
#include "format/gotmpl_eval.h"
#include "fuzz.h"

#define MAX_FIELDS 8

static int run(const struct gotmpl *tmpl, json_t *document, int way, struct buf *out)
{
	struct gotmpl_field fields[MAX_FIELDS + 1] = { 0 };
	const struct gotmpl_type row = { .kind = GOTMPL_STRUCT,
					 .name = "*formatter.imageContext",
					 .fields = fields,
					 .is_row = true };
	struct error err = { 0 };
	const char *key;
	json_t *value;
	size_t nr = 0;
	int ret;

	json_object_foreach(document, key, value)
	{
		if (nr < MAX_FIELDS)
			fields[nr++].name = key;
	}
	ret = gotmpl_run(tmpl, document, way == 1 ? &row : NULL,
			 way == 2   ? GOTMPL_MISSING_KEY_ERROR
			 : way == 3 ? GOTMPL_HEADER
				    : 0,
			 out, &err);
	if ((ret < 0) != (err.text[0] != '\0'))
		abort();
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *newline = memchr(data, '\n', len), *end = data + len;
	auto_buf struct buf text = { 0 }, out = { 0 }, again = { 0 };
	auto_columns struct columns table = { 0 };
	auto_gotmpl struct gotmpl *tmpl = NULL;
	json_auto_t *document = NULL;
	json_error_t ignored;
	struct error err;
	int way = 0;

	if (!newline)
		return 0;
	if (*data >= 1 && *data <= 4)
		way = *data++;
	for (; data < newline; data++) /* an argument has no NUL; lines come as \r */
		buf_putc(&text, *data ? (*data == '\r' ? '\n' : (char)*data) : ' ');
	if (!text.len || gotmpl_parse(text.data, &tmpl, &err) < 0)
		return 0;
	document = json_loadb((const char *)newline + 1, (size_t)(end - newline - 1),
			      JSON_DECODE_ANY, &ignored);
	if (!document)
		return 0;
	run(tmpl, document, way, &out);
	run(tmpl, document, way, &again);
	if (out.len != again.len || (out.len && memcmp(out.data, again.data, out.len) != 0))
		abort();
	if (way == 4) {
		columns_text(&table, out.data, out.len);
		buf_reset(&again);
		columns_print(&table, &again);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "inspection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "format/gotmpl_eval.h"

struct inspection {
	struct gotmpl *tmpl; /* NULL: JSON */
	bool compact;
	json_t *array;	 /* JSON */
	struct buf text; /* of the template */
};

int inspection_open(const char *format, struct inspection **ret, struct error *err)
{
	auto_inspection struct inspection *output = xcalloc(1, sizeof(*output));

	output->array = json_array();
	output->compact = format && strcmp(format, "json") == 0;
	if (format && *format && !output->compact && gotmpl_parse(format, &output->tmpl, err) < 0) {
		err_add(err, "template parsing error");
		err->kind = ERR_TEMPLATE;
		return -1;
	}
	*ret = take_ptr(output);
	return 0;
}

void inspection_free(struct inspection *output)
{
	if (!output)
		return;
	gotmpl_free(output->tmpl);
	json_decref(output->array);
	buf_done(&output->text);
	free(output);
}

int inspection_add(struct inspection *output, json_t *object, const struct gotmpl_type *type,
		   struct error *err)
{
	json_auto_t *owned = object;
	auto_buf struct buf text = { 0 };

	if (!output->tmpl) {
		json_array_append(output->array, owned);
		return 0;
	}
	if (gotmpl_run(output->tmpl, owned, type, 0, &text, err) < 0) {
		buf_reset(&text);
		if (gotmpl_run(output->tmpl, owned, NULL, GOTMPL_MISSING_KEY_ERROR, &text, err) <
		    0) {
			err_add(err, "template parsing error");
			err->kind = ERR_USAGE;
			return -1;
		}
	}
	buf_append(&output->text, text.data, text.len);
	buf_putc(&output->text, '\n');
	return 0;
}

void inspection_text(const struct inspection *output, struct buf *ret)
{
	size_t flags = output->compact ? JSON_COMPACT : JSON_INDENT(4);
	auto_free char *text = NULL;

	if (output->tmpl) {
		if (output->text.len)
			buf_append(ret, output->text.data, output->text.len);
		else
			buf_putc(ret, '\n');
		return;
	}
	text = json_dumps(output->array, flags);
	buf_puts(ret, text ? text : "[]");
	buf_putc(ret, '\n');
}

void inspection_print(const struct inspection *output)
{
	auto_buf struct buf text = { 0 };

	inspection_text(output, &text);
	fwrite(text.data, 1, text.len, stdout);
}

int inspection_one(const char *format, json_t *object, const struct gotmpl_type *type,
		   struct error *err)
{
	const char *text = strcmp(format, "json") == 0 ? "{{json .}}" : format;
	auto_inspection struct inspection *output = NULL;

	if (inspection_open(text, &output, err) < 0) {
		json_decref(object);
		return -1;
	}
	if (inspection_add(output, object, type, err) < 0)
		return -1;
	inspection_print(output);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "inspection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "format/gotmpl_eval.h"
#include "format/gotmpl_print.h"

#define BLANKS_PER_LEVEL 4

struct inspection {
	struct gotmpl *tmpl; /* NULL: JSON */
	bool compact;
	json_t *array;			/* JSON */
	const struct gotmpl_type *type; /* of its elements */
	struct buf text;		/* of the template */
};

static int parsing_error(struct error *err, enum err_kind kind)
{
	err_add(err, "template parsing error");
	err->kind = kind;
	return -1;
}

int inspection_open(const char *format, struct inspection **ret, struct error *err)
{
	auto_inspection struct inspection *output = xcalloc(1, sizeof(*output));

	output->array = json_array();
	output->compact = format && strcmp(format, "json") == 0;
	if (format && *format && !output->compact && gotmpl_parse(format, &output->tmpl, err) < 0)
		return parsing_error(err, ERR_TEMPLATE);
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
		output->type = type;
		return 0;
	}
	if (gotmpl_run(output->tmpl, owned, type, 0, &text, err) < 0) {
		buf_reset(&text);
		if (gotmpl_run(output->tmpl, owned, NULL, GOTMPL_MISSING_KEY_ERROR, &text, err) < 0)
			return parsing_error(err, ERR_USAGE);
	}
	buf_append(&output->text, text.data, text.len);
	buf_putc(&output->text, '\n');
	return 0;
}

void inspection_text(const struct inspection *output, struct buf *ret)
{
	const struct gotmpl_type list = {
		.kind = GOTMPL_LIST,
		.name = "[]interface {}",
		.elem = output->type,
	};
	const struct govalue all = { .json = output->array, .type = &list };

	if (output->tmpl) {
		if (output->text.len)
			buf_append(ret, output->text.data, output->text.len);
		else
			buf_putc(ret, '\n');
		return;
	}
	if (output->compact)
		goprint_json(ret, &all, false);
	else
		goprint_json_lines(ret, &all, BLANKS_PER_LEVEL);
	buf_putc(ret, '\n');
}

void inspection_print(const struct inspection *output)
{
	auto_buf struct buf text = { 0 };

	inspection_text(output, &text);
	fwrite(text.data, 1, text.len, stdout);
	cli_flush();
}

int inspection_one(const char *format, json_t *object, const struct gotmpl_type *type,
		   struct error *err)
{
	json_auto_t *owned = object;
	auto_gotmpl struct gotmpl *tmpl = NULL;
	auto_buf struct buf text = { 0 };
	int result;

	if (gotmpl_parse(strcmp(format, "json") == 0 ? "{{json .}}" : format, &tmpl, err) < 0)
		return parsing_error(err, ERR_TEMPLATE);
	result = gotmpl_run(tmpl, owned, type, 0, &text, err);
	if (result < 0)
		err->kind = ERR_USAGE; /* 64 is for what does not parse */
	buf_putc(&text, '\n');
	fwrite(text.data, 1, text.len, stdout); /* on failure what came before, as Docker does */
	cli_flush();
	return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspection - the output of the inspect commands
 *
 * A JSON array with four blanks per level, or a template for each object.
 * Source: spec/cli.md, "image inspect".
 */
#ifndef INSPECTION_H
#define INSPECTION_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "format/gotmpl_value.h"

#define OBJECT_FORMAT_HELP                           \
	"Format output using a custom template:\n"   \
	"'json':             Print in JSON format\n" \
	"'TEMPLATE':         Print output using the given Go template"

struct inspection;

/* @format: NULL or "": the array; "json": compact. ERR_TEMPLATE: "template parsing error: …" */
int inspection_open(const char *format, struct inspection **ret, struct error *err);
void inspection_free(struct inspection *output);
static inline void inspection_free_(struct inspection **output)
{
	inspection_free(*output);
}
#define auto_inspection __attribute__((cleanup(inspection_free_)))

/*
 * Takes object, also on failure. A template sees it as the type says, and when
 * that fails as plain JSON. ERR_USAGE when both fail.
 */
int inspection_add(struct inspection *output, json_t *object, const struct gotmpl_type *type,
		   struct error *err);

/* What was added; an empty array or, with a template, an empty line for nothing. */
void inspection_text(const struct inspection *output, struct buf *ret);
void inspection_print(const struct inspection *output);

/*
 * inspection_one - one object in a format that is not empty, and a newline
 *
 * Takes object, also on failure. ERR_TEMPLATE when the template does not parse,
 * ERR_USAGE when it does not fit the object.
 */
int inspection_one(const char *format, json_t *object, const struct gotmpl_type *type,
		   struct error *err);

#endif

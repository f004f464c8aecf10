/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing - rows in the format that --format asks for
 *
 * "table", "table TEMPLATE", "json", "raw", or a template for each row. Nothing
 * is printed before every row was evaluated, so a wrong template prints nothing.
 * Source: spec/cli.md section 1, "Tables" and "Go templates".
 *
 *	auto_listing struct listing *list = NULL;
 *
 *	listing_open(&images_listing, format, quiet, &list, err);
 *	listing_row(list, json_pack(...), err);
 *	listing_print(list);
 */
#ifndef LISTING_H
#define LISTING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "format/gotmpl_value.h"

#define LISTING_FORMAT_HELP                                                                \
	"Format output using a custom template:\n"                                         \
	"'table':            Print output in table format with column headers (default)\n" \
	"'table TEMPLATE':   Print output in table format using the given Go template\n"   \
	"'json':             Print in JSON format\n"                                       \
	"'TEMPLATE':         Print output using the given Go template"

struct listing_header {
	const char *field; /* "ID" */
	const char *text;  /* "IMAGE ID" */
};

/* What a command lists. */
struct listing_kind {
	const struct gotmpl_type *type;	      /* of a row */
	const struct listing_header *headers; /* ends with a zeroed row */
	const char *table;		      /* the default table's template */
	const char *quiet;		      /* the template of -q, or NULL */
	const char *raw;		      /* the template of "raw", or NULL */
	const char *quiet_raw;		      /* of "raw" with -q, or NULL */
};

struct listing;

/**
 * listing_open - parse the format
 * @format: NULL and "" mean "table"
 * @quiet:  counts with "table" and "raw" only, as in Docker
 *
 * ERR_USAGE with "template parsing error: …".
 */
int listing_open(const struct listing_kind *kind, const char *format, bool quiet,
		 struct listing **ret, struct error *err);
/* Takes row, also on failure. ERR_USAGE as above. */
int listing_row(struct listing *list, json_t *row, struct error *err);
/* Everything, on stdout. */
void listing_print(struct listing *list);
/* The same text appended to ret. */
void listing_text(struct listing *list, struct buf *ret);

void listing_free(struct listing *list);
static inline void listing_free_(struct listing **list)
{
	listing_free(*list);
}
#define auto_listing __attribute__((cleanup(listing_free_)))

/* Does the user's format ask for this field? Some are costly to know. */
bool listing_wants(const struct listing *list, const char *field);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_eval - fill in a Go template from JSON
 *
 * Source: Go text/template; spec/cli.md section 1, "Go templates".
 */
#ifndef FORMAT_GOTMPL_EVAL_H
#define FORMAT_GOTMPL_EVAL_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "format/gotmpl_parse.h"
#include "format/gotmpl_value.h"

/* A missing key of a map is an error instead of "<no value>". */
#define GOTMPL_MISSING_KEY_ERROR 1u
/* The data are column names: json, lower, join ... leave them alone. */
#define GOTMPL_HEADER 2u

/**
 * gotmpl_run - evaluate a template
 * @data:  borrowed
 * @type:  what data is, see gotmpl_value.h; NULL: as the JSON says
 * @flags: GOTMPL_...
 * @ret:   appended to; on failure it has what came out before, as in Go
 *
 * Returns 0, or -1 with ERR_TEMPLATE and Go's message, ERR_LIMIT when the
 * output or the work is too much.
 */
int gotmpl_run(const struct gotmpl *tmpl, json_t *data, const struct gotmpl_type *type,
	       unsigned flags, struct buf *ret, struct error *err);

#endif

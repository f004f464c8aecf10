/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_parse - a Go text/template, for --format
 *
 * The language of Go's text/template with Docker's functions, without
 * definitions of further templates. Evaluated by gotmpl_eval.h. Messages are
 * Go's, so that they can be searched for: `template: :1: function "x" not defined`.
 * Source: Go text/template; spec/cli.md section 1, "Go templates".
 */
#ifndef FORMAT_GOTMPL_PARSE_H
#define FORMAT_GOTMPL_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define GOTMPL_MAX_BYTES (64 * 1024)
#define GOTMPL_MAX_DEPTH 100 /* of parentheses and blocks together */

struct gotmpl;

/**
 * gotmpl_parse - read a template
 * @ret: returns new
 *
 * Returns 0, or -1 with ERR_TEMPLATE, ERR_LIMIT when it is too long or too deep.
 */
int gotmpl_parse(const char *text, struct gotmpl **ret, struct error *err);
void gotmpl_free(struct gotmpl *tmpl);

static inline void auto_gotmpl_(struct gotmpl **tmpl)
{
	gotmpl_free(*tmpl);
}
#define auto_gotmpl __attribute__((cleanup(auto_gotmpl_)))

#endif

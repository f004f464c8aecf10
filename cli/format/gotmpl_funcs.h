/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotmpl_funcs - the functions a template may call: Go's and Docker's
 *
 * Private to the templates. `and` and `or` are listed, but the evaluator does
 * their work, as they do not evaluate all their operands.
 */
#ifndef FORMAT_GOTMPL_FUNCS_H
#define FORMAT_GOTMPL_FUNCS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "format/gotmpl_value.h"

#define GOTMPL_MAX_OUTPUT (64u * 1024 * 1024) /* bytes of one value, and of all output */

struct gofunc {
	const char *name;
	/*
	 * One letter for each operand: 'v' and 'a' take anything (Go's
	 * reflect.Value and interface {}), 's' a string, 'i' an integer. A '*'
	 * behind the last one: none or more of it.
	 */
	const char *params;
	/* ret: new. Returns 0 or -1 with ERR_TEMPLATE and the bare reason. */
	int (*call)(const struct govalue *args, size_t nr, struct govalue *ret, struct error *err);
};

/* header: the variants that leave a column's name alone. NULL: no such function. */
const struct gofunc *gofunc_find(const char *name, size_t len, bool header);

#endif

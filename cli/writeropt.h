/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writeropt - the option --writer: how this command gets layers into their volumes
 *
 * In the place of the configuration's key "writer" and of VENEER_WRITER.
 */
#ifndef WRITEROPT_H
#define WRITEROPT_H

#include "base/err.h"
#include "opts.h"

struct store;

/* The row of a command whose values have `const char *writer`. */
#define WRITEROPT_ROW(type_)                                                    \
	OPT_VALUE(OPT_STRING, "writer", 0, type_, writer, "auto|direct|mount",  \
		  "Write layers as blocks, where the file system is known\n"    \
		  "well enough, or by system calls on a mount (default auto:\n" \
		  "as direct, without a warning where it cannot be)")

/* ERR_USAGE: it names no writer. NULL: it was not given. */
int writeropt_check(const char *text, struct error *err);
/* After the check. */
int writeropt_use(const char *text, struct store *store, struct error *err);

#endif

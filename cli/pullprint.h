/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullprint - what a pull or a push does, drawn on a terminal or printed line by line
 *
 * Source: spec/cli.md, "pull".
 */
#ifndef PULLPRINT_H
#define PULLPRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "registry/pull.h"
#include "ttyprogress.h"

struct reference; /* oci/reference.h */

struct pullprint {
	struct pull_report report;
	FILE *out; /* NULL: quiet */
	struct ttyprogress tty;
	struct strlist retrying; /* layers that wait to be tried again */
	struct strlist phases;	 /* that were drawn */
};

/* Draws when out is a terminal. */
void pullprint_init(struct pullprint *print, FILE *out, bool quiet);
/* Leaves what was drawn behind. */
void pullprint_done(struct pullprint *print);
/* "Digest: ..." and "Status: ..." */
void pullprint_result(FILE *out, const struct reference *ref, const struct pull_result *result);
#define auto_pullprint __attribute__((cleanup(pullprint_done)))

#endif

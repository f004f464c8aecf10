/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envfile - the environment that -e and --env-file ask for
 */
#ifndef ENVFILE_H
#define ENVFILE_H

#include "base/buf.h"
#include "base/err.h"

/**
 * envfile_text - the lines of an --env-file
 * @ret: "KEY=value" is added for each; a key alone has our own value, if any
 *
 * Empty lines and those that begin with '#' do not count. ERR_USAGE: "no
 * variable name on line '=x'", "variable 'a b' contains whitespaces".
 */
int envfile_text(const char *text, struct strlist *ret, struct error *err);

/* Files first, then single words; later ones win by their place. */
int envfile_collect(const struct strlist *files, const struct strlist *words, struct strlist *ret,
		    struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin - `docker veneer …`: the program under the name docker-veneer
 *
 * Docker's command line looks for programs of such names. It asks one for its
 * metadata, and calls it with every word that it was itself called with:
 * docker-veneer [DOCKER'S OPTIONS] veneer ARG..., for `docker help veneer` with
 * "help veneer".
 * Source: docker/cli, cli-plugins/manager
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Is this the name of the plugin? argv0 may be a path. */
bool plugin_is_called(const char *argv0);

/**
 * plugin_metadata - what docker asks for
 * @argv: NULL terminated, of the plugin
 *
 * Returns new: a line of JSON; NULL when argv asks for something else.
 */
char *plugin_metadata(const char *const *argv);

/**
 * plugin_argv - the command line that the program would have been called with
 * @argv: NULL terminated, of the plugin
 * @ret:  empty; begins with the program's name
 *
 * ERR_USAGE for options that say where a daemon is, since there is none.
 */
int plugin_argv(const char *const *argv, struct strlist *ret, struct error *err);

#endif

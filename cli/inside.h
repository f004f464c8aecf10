/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside - does this command run here, or inside the appliance?
 */
#ifndef INSIDE_H
#define INSIDE_H

#include <stdbool.h>

#include "cli.h"

/* Are we what the appliance runs? Then everything is done here. */
bool inside_already(void);

/* Whether the settings and this machine's kernel send a command into the appliance. */
bool inside_wanted(const struct settings *settings);

/*
 * Before a command runs here: ERR_UNSUPPORTED or ERR_DENIED when it would make a
 * store that the host's kernel has no pool for, and that shuts the appliance out.
 */
int inside_check_host(const struct settings *settings, struct error *err);

/**
 * inside_run - the same command line inside
 * @values: of the command's options; devices among them are passed on
 * @argv:   of this process
 *
 * Returns the exit status, or -1.
 */
int inside_run(struct cli *cli, const void *values, char *const *argv, struct error *err);

#endif

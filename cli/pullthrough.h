/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullthrough - a pull into the store of the appliance, from the network out here
 */
#ifndef PULLTHROUGH_H
#define PULLTHROUGH_H

#include "cli.h"
#include "registry/pull.h"

/*
 * Runs "image receive" inside, in a process of its own, and serves it (registry/relay.h). writer is
 * that of --writer, or NULL.
 * Returns 0, the exit status of what failed inside and has said why, or -1.
 */
int pull_through(struct cli *cli, const struct pull_args *args, const char *writer,
		 struct pull_result *ret, struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushthrough - a push out of the store of the appliance, to the network out here
 */
#ifndef PUSHTHROUGH_H
#define PUSHTHROUGH_H

#include "cli.h"
#include "registry/push.h"

/*
 * Runs "image send" inside, in a process of its own, and pushes what that has
 * (registry/pushrelay.h). Returns 0, the exit status of what ended inside, or -1.
 */
int push_through(struct cli *cli, const struct push_args *args, struct error *err);

#endif

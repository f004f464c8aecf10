/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units - what systemd has to start for the plans of this server
 *
 * For each plan the instance veneer-provision@NAME.service, wanted by veneer-provision.target, with
 * what it waits for: its archive's file system, or the network. For a volume that is to be mounted a
 * mount unit behind it, so that units of others can say RequiresMountsFor=. A device may take as long
 * as a pull does.
 *
 * A mount that nobody could make never stops a boot (nofail), and is tried again when its plan is.
 */
#ifndef PROVISION_UNITS_H
#define PROVISION_UNITS_H

#include "provision/plans.h"

#define UNITS_TARGET "veneer-provision.target"

typedef void units_say_fn(const char *text);

/**
 * units_write - write them into a folder, as a generator does (systemd.generator(7))
 * @folder: exists
 * @say:    what is wrong with a plan, by a line; the others are written all the same
 *
 * A broken plan has its service, which fails and says why.
 */
int units_write(const struct plans *plans, const char *folder, units_say_fn *say,
		struct error *err);

#endif

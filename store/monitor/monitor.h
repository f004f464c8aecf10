/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor - watch over the pool of a store until a signal ends it
 *
 * It waits for device-mapper events and nothing else; each look (monitor/look.h) is a process of its
 * own, so that what waits stays small, and a look that dies leaves a monitor. systemd is told
 * READY=1 after the first look, STOPPING=1 at the end, and WATCHDOG=1 where it asks for that.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "base/err.h"
#include "monitor/look.h"

/*
 * The caller has called cancel_catch_signals(). Returns 0 when SIGTERM or SIGINT ended it, or -1:
 * ERR_IN_USE while another one runs for this store, ERR_UNSUPPORTED, ERR_DENIED.
 */
int monitor_run(const struct monitor_options *options, struct error *err);

#endif

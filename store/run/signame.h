/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signame - signals by name or number, as STOPSIGNAL and --stop-signal have them
 */
#ifndef RUN_SIGNAME_H
#define RUN_SIGNAME_H

#include "base/err.h"

/* "SIGTERM", "term", "15", "RTMIN+3". Returns the number, or -1 with ERR_USAGE "invalid signal: X". */
int signame_parse(const char *text, struct error *err);

#endif

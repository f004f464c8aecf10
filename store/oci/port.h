/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port - what EXPOSE and STOPSIGNAL name: ports and signals
 */
#ifndef OCI_PORT_H
#define OCI_PORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * port_expand - "80", "80/udp", "8000-8010/tcp"
 * @max: of ports in ret, beyond which the answer is ERR_LIMIT
 * @ret: "80/tcp", one for each port, are added
 *
 * Returns 0, or -1 with ERR_USAGE in Docker's words.
 */
int port_expand(const char *word, size_t max, struct strlist *ret, struct error *err);

/* "TERM", "SIGTERM", "15", "RTMIN+3" in any case: is it a signal of Linux? */
bool signal_is_known(const char *text);

#endif

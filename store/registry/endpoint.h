/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint - where a registry is, from the domain of a reference
 */
#ifndef REGISTRY_ENDPOINT_H
#define REGISTRY_ENDPOINT_H

#include <stdbool.h>

/* "registry-1.docker.io" for "docker.io"; any other is its own host. Borrowed. */
const char *endpoint_host(const char *domain);

/*
 * Is the host, with or without a port, this very machine: localhost, 127.0.0.0/8, ::1? Then it
 * may be asked over http, and any certificate will do.
 */
bool endpoint_is_loopback(const char *host);

#endif

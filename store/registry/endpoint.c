/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/endpoint.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "oci/reference.h"

#define HUB_HOST "registry-1.docker.io"

const char *endpoint_host(const char *domain)
{
	return strcmp(domain, REFERENCE_DEFAULT_DOMAIN) == 0 ? HUB_HOST : domain;
}

bool endpoint_is_loopback(const char *host)
{
	size_t len = strcspn(host, ":");
	char name[INET_ADDRSTRLEN];
	struct in_addr address;

	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (strcasecmp(name, "localhost") == 0)
		return true;
	return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

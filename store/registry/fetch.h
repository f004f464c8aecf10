/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - one file from a web server, as ADD takes it
 *
 * What is sent are the URL and the program's name: no credentials, no cookies, and nothing that
 * a configuration or the environment says, except the proxies that libcurl knows: http_proxy (in
 * small letters only), https_proxy, all_proxy, no_proxy.
 * Source: libcurl's CURLOPT pages; spec/dockerfile.md, section 3 ("ADD").
 */
#ifndef REGISTRY_FETCH_H
#define REGISTRY_FETCH_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/progress.h"

struct fetch_args {
	const char *url;
	int fd;		    /* written to */
	uint64_t max_bytes; /* 0: LIMIT_FETCH_BYTES */
	/* Seconds, 0: what is usual. For a connection, names and TLS included; and without any data. */
	unsigned connect_seconds, stall_seconds;
	struct progress *progress; /* may be NULL */
	const char *progress_item;
};

struct fetch_result {
	struct timespec mtime; /* Last-Modified; 0 when the server does not say */
	uint64_t bytes;
};

/**
 * fetch_url - download
 *
 * Redirects are followed, ten at most, to http and https only. Certificates are verified. There
 * is no bound on the time as long as data comes. Returns 0, or -1 with the URL in the text:
 * ERR_USAGE (no such URL, or one with a password), ERR_UNSUPPORTED (libcurl is not there),
 * ERR_NOT_FOUND (404, 410), ERR_REMOTE (any other status but 2xx; network, TLS), ERR_LIMIT,
 * ERR_CANCELLED, ERR_IO and ERR_NO_SPACE for fd. What was written stays.
 */
int fetch_url(const struct fetch_args *args, struct fetch_result *ret, struct error *err);

#endif

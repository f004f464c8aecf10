/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login_request - one GET with credentials, answered by a small document
 *
 * Certificates are verified. Redirects are followed, but credentials go to no other host, port or
 * protocol than those of the URL. From the environment come the proxies only, and none for the
 * loopback.
 */
#ifndef REGISTRY_LOGIN_REQUEST_H
#define REGISTRY_LOGIN_REQUEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct login_request {
	const char *url;
	const char *username, *password; /* Basic; NULL: without */
	const char *bearer;		 /* NULL: without */
	/* Seconds, 0: what is usual. For a connection; and for all of it. */
	unsigned connect_seconds, total_seconds;
};

struct login_answer {
	long status;
	struct strlist challenges; /* values of WWW-Authenticate */
	struct buf body;	   /* at most LIMIT_AUTH_ANSWER_BYTES; may hold a token */
	bool no_tls;		   /* after a failure: nobody is there, or no TLS is spoken */
};

void login_answer_done(struct login_answer *answer);
#define auto_login_answer __attribute__((cleanup(login_answer_done)))

/**
 * login_get - ask
 * @ret: needs login_answer_done(), also after a failure
 *
 * Any status is an answer. Returns 0, or -1 with 'Get "URL": why': ERR_UNSUPPORTED (libcurl),
 * ERR_USAGE (no such URL), ERR_REMOTE, ERR_LIMIT, ERR_CANCELLED.
 */
int login_get(const struct login_request *request, struct login_answer *ret, struct error *err);

/* The host of a URL, without its port and an address' brackets; new, or NULL with a user's name. */
char *login_url_host(const char *url);
/* Whether a host is this machine: localhost, 127.0.0.0/8, ::1. */
bool login_is_loopback(const char *host);

#endif

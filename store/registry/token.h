/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - what a token server gives for credentials
 *
 * They go to a realm over http only when the registry is asked over http too, and the realm is
 * this machine, or insecure by the configuration. A server that says a secret back is not quoted.
 * Source: distribution's token authentication (auth/token, auth/oauth).
 */
#ifndef REGISTRY_TOKEN_H
#define REGISTRY_TOKEN_H

#include <stdbool.h>

#include "registry/credentials.h"
#include "registry/http.h"
#include "registry/transport.h"

/* Everything borrowed. */
struct token_request {
	const struct curllib *lib;
	const struct http_limits *limits;
	const struct challenge *challenge;     /* CHALLENGE_BEARER */
	const struct credentials *credentials; /* all NULL: anonymous */
	/* "repository:library/debian:pull"; several with blanks between; NULL: none. */
	const char *scope;
	bool own_scope;			    /* that, whatever the challenge says */
	bool secure;			    /* the registry is asked over https */
	bool offline;			    /* a refresh token is wanted, too */
	const struct registry_table *table; /* what holds for the realm's host; or NULL */
	const struct transport *registry;   /* whose roots are good for the realm, too; or NULL */
};

struct token {
	char *text;
	char *refresh;	  /* NULL: none came */
	unsigned seconds; /* that it is good for */
};

void token_done(struct token *token); /* wipes */
#define auto_token __attribute__((cleanup(token_done)))

/* Errors of refusal_read(), ERR_DENIED for a realm over http, ERR_REMOTE, ERR_LIMIT, ERR_CANCELLED. */
int token_get(const struct token_request *request, struct token *ret, struct error *err);

/* "Authorization: Basic ...", a secret of the caller's. */
char *token_basic_line(const struct credentials *credentials);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth - what stands in the Authorization of requests to one registry
 *
 * Nothing until the registry asks; then Basic, or a token of the server that the registry
 * names. The credentials go to the registry itself and to that server, never over http when the
 * registry is asked over https. There is a token for each set of rights that was asked for. Not
 * for two threads at once.
 * Source: distribution's token authentication (auth/token, auth/oauth).
 */
#ifndef REGISTRY_AUTH_H
#define REGISTRY_AUTH_H

#include "registry/credentials.h"
#include "registry/http.h"

struct auth;
struct registry_table; /* registry/transport.h */
struct transport;

/* @scope: "repository:library/debian:pull"; takes what credentials hold. The caller owns it. */
struct auth *auth_new(const struct curllib *lib, const char *scope, struct credentials *credentials,
		      const struct http_limits *limits);
/* How the registry is spoken to, and where to look for its token server. Borrowed. */
void auth_set_transport(struct auth *auth, const struct registry_table *table,
			const struct transport *transport);
void auth_free(struct auth *auth);
static inline void auth_free_(struct auth **auth)
{
	auth_free(*auth);
}
#define auto_auth __attribute__((cleanup(auth_free_)))

/*
 * Tokens are asked for by our own scope before that of a challenge: whoever is going to write
 * does not want one for what the first request needs.
 */
void auth_insist(struct auth *auth);

/**
 * auth_line - the Authorization for the next request
 * @more: rights besides those of auth_new(): "repository:other:pull"; NULL: none
 *
 * Returns NULL for none. Valid until the next call.
 */
const char *auth_line(struct auth *auth, const char *more);

/**
 * auth_answer - a request, made with the last auth_line() for `more`, was answered with 401
 * @secure: it went over https
 *
 * Returns 1 when it is worth to ask again with the new auth_line(), 0 when we have nothing
 * better, or -1: ERR_DENIED, ERR_REMOTE with the token server's refusal.
 */
int auth_answer(struct auth *auth, const char *more, const struct http_head *head, bool secure,
		struct error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login - does a registry accept these credentials?
 *
 * GET /v2/ without them tells how they are wanted. Basic: GET /v2/ with them. Bearer: the token
 * server gets them, and GET /v2/ goes with its token; a server that gives a refresh token too
 * gets that in the password's place from then on.
 *
 * Plain HTTP is spoken with this machine alone, when it does not speak TLS; which token server may
 * have the credentials is in token.h.
 * Source: spec/registry-and-archive.md, section 6; distribution's token specification.
 */
#ifndef REGISTRY_LOGIN_H
#define REGISTRY_LOGIN_H

#include "base/err.h"
#include "registry/credentials.h"

struct registry_table; /* registry/transport.h */

/**
 * login_check - ask
 * @server:             a registry's host, or a URL of it; one of Docker Hub's names
 * @credentials:        a user's name and a password
 * @table:              "registries" of the configuration; or NULL
 * @ret_identity_token: new, for secret_free(); NULL when the server gave none
 *
 * Returns 0, or -1: ERR_DENIED (they are not accepted), ERR_USAGE (no such server), ERR_REMOTE,
 * ERR_LIMIT, ERR_UNSUPPORTED, ERR_CANCELLED. No secret is in the text.
 */
int login_check(const char *server, const struct credentials *credentials,
		const struct registry_table *table, char **ret_identity_token, struct error *err);

#endif

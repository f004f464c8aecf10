/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login_challenge - how a registry wants to be told who we are: WWW-Authenticate
 *
 * Several challenges may stand in one header, and there may be several headers; the parameters
 * come in any order, quoted or not, and unknown ones are passed over.
 * Source: RFC 9110, section 11; distribution, "Token Authentication Specification".
 */
#ifndef REGISTRY_LOGIN_CHALLENGE_H
#define REGISTRY_LOGIN_CHALLENGE_H

#include "base/buf.h"

enum login_scheme {
	LOGIN_NONE, /* no challenge, or none that we know */
	LOGIN_BASIC,
	LOGIN_BEARER,
};

struct login_challenge {
	enum login_scheme scheme;
	char *realm, *service; /* of LOGIN_BEARER; service may be NULL */
};

/* The best of all challenges: Bearer with a realm, else Basic. @headers: values, without names. */
void login_challenge_choose(const struct strlist *headers, struct login_challenge *ret);
void login_challenge_done(struct login_challenge *challenge);
#define auto_login_challenge __attribute__((cleanup(login_challenge_done)))

#endif

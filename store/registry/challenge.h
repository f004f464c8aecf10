/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge - what a registry that answers 401 wants to see
 *
 * Source: RFC 9110 section 11.6.1 (several challenges in one header, separated by commas, as
 * their parameters are); RFC 6750 section 3.
 */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

#include <stddef.h>

enum challenge_scheme {
	CHALLENGE_OTHER,
	CHALLENGE_BASIC,
	CHALLENGE_BEARER,
};

struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope, *error; /* NULL when absent */
};

struct challenge_list {
	struct challenge *items;
	size_t nr;
};

/* Appends those of one WWW-Authenticate header; stops at what makes no sense. */
void challenge_parse(const char *value, struct challenge_list *ret);
void challenge_list_done(struct challenge_list *list);
#define auto_challenge_list __attribute__((cleanup(challenge_list_done)))

/* The first of a scheme; NULL without one. */
const struct challenge *challenge_find(const struct challenge_list *list,
				       enum challenge_scheme scheme);

#endif

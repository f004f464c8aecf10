/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credhelper - programs that keep credentials: docker-credential-NAME
 *
 * A request goes to their standard input, the answer comes from their standard output; what they
 * say to the user goes to our standard error. The registry's key and every secret are in the
 * request, not in the arguments.
 * Source: docker/docker-credential-helpers; spec/registry-and-archive.md, section 6.
 */
#ifndef REGISTRY_CREDHELPER_H
#define REGISTRY_CREDHELPER_H

#include "base/err.h"
#include "registry/credentials.h"

struct credhelper {
	const char *name; /* "pass" */
	int deadline_ms;  /* 0: what a user needs to unlock a keychain */
};

/*
 * All of them return -1 with ERR_USAGE (no name for a helper), ERR_NOT_FOUND (not installed),
 * ERR_REMOTE (it says no), ERR_CORRUPT, ERR_LIMIT, ERR_CANCELLED or ERR_IO. What a helper says
 * when it fails is in the text, unless the secret is in it.
 */

/* Returns 1, or 0 when the helper has none for that key. */
int credhelper_get(const struct credhelper *helper, const char *key, struct credentials *ret,
		   struct error *err);
int credhelper_store(const struct credhelper *helper, const char *key,
		     const struct credentials *credentials, struct error *err);
int credhelper_erase(const struct credhelper *helper, const char *key, struct error *err);

#endif

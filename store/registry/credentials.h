/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials - who we are for a registry: found, stored and erased where Docker keeps it
 *
 * Looked up in this order, the first that has something counts:
 *
 *	DOCKER_AUTH_CONFIG	a document like config.json, whose "auths" alone are looked at
 *	config.json		the helper that "credHelpers" names for the registry, else the one of
 *				"credsStore", else "auths"
 *	podman's auth.json	REGISTRY_AUTH_FILE, or else containers/auth.json in XDG_RUNTIME_DIR,
 *				then in XDG_CONFIG_HOME or ~/.config
 *
 * Docker's own is before podman's, so that a login with this program has an effect at once.
 * Source: spec/registry-and-archive.md, section 6; docker/cli; containers-auth.json(5).
 */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Docker Hub's name in config.json and for the helpers. */
#define CREDENTIALS_HUB_KEY "https://index.docker.io/v1/"

struct credentials {
	char *username, *password; /* NULL: anonymous */
	char *identity_token;	   /* a refresh token instead of the password; or NULL */
};

/* Wipes; while any are held, the process leaves no core dump (base/secret.h). */
void credentials_done(struct credentials *credentials);
#define auto_credentials __attribute__((cleanup(credentials_done)))

/* Between filling one by hand and credentials_done(): begins to hold it. */
void credentials_hold(void);
/* For one that was filled in part and is not held. */
void credentials_wipe(struct credentials *credentials);

/**
 * credentials_find - what to say to a registry
 * @registry: its host as in a reference ("docker.io", "localhost:5000"); "/repository" may follow,
 *            for which podman's files may have credentials of their own
 * @ret:      needs credentials_done(); all NULL when there are none, which is no error
 *
 * Returns 0, or -1: ERR_CORRUPT, ERR_LIMIT or ERR_IO for a file (the text names it), ERR_NOT_FOUND
 * for a helper that is not installed, ERR_IO for one that fails, ERR_CANCELLED. No text has a
 * secret in it.
 */
int credentials_find(const char *docker_config_dir, const char *registry, struct credentials *ret,
		     struct error *err);

/* The same in Docker's places alone, where credentials_store() stores. */
int credentials_find_stored(const char *docker_config_dir, const char *registry,
			    struct credentials *ret, struct error *err);

/* The host of a registry that is written as a URL, or with a path; new. */
char *credentials_host(const char *server);
/* Whether that host is one of Docker Hub's. */
bool credentials_is_hub(const char *host);

/* Whether config.json can be read, and so be changed; the error names no path. */
int credentials_check(const char *docker_config_dir, struct error *err);

/**
 * credentials_store - keep what a registry has accepted
 * @registry:  as for credentials_find()
 * @ret_plain: a password was written into config.json, which was changed
 *
 * With a helper for the registry the file gets an empty entry. Every other key stays, in its
 * order. Returns 0, or -1 with the file as it was.
 */
int credentials_store(const char *docker_config_dir, const char *registry,
		      const struct credentials *credentials, bool *ret_plain, struct error *err);

/**
 * credentials_erase - forget all that is stored for a registry
 * @server:       as the user wrote it
 * @ret_problems: "KEY: why", for each key that could not be erased
 *
 * Erased are the keys server, HOST, http://HOST and https://HOST. Nothing stored for one of them
 * is no problem in the file; a helper may say that it is. Returns the number of keys without
 * problem.
 */
int credentials_erase(const char *docker_config_dir, const char *server,
		      struct strlist *ret_problems);

#endif

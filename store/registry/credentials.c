/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/log.h"
#include "base/secret.h"
#include "registry/authfile.h"
#include "registry/credhelper.h"

#define HUB_NAME "docker.io"

/* What the hub is called; the first is its name in references and for podman. */
static const char *const hub_hosts[] = { HUB_NAME, "index.docker.io", "registry-1.docker.io",
					 NULL };

void credentials_hold(void)
{
	secret_hold();
}

void credentials_wipe(struct credentials *credentials)
{
	secret_free(credentials->username);
	secret_free(credentials->password);
	secret_free(credentials->identity_token);
	*credentials = (struct credentials){ 0 };
}

void credentials_done(struct credentials *credentials)
{
	if (!credentials->username && !credentials->password && !credentials->identity_token)
		return;
	credentials_wipe(credentials);
	secret_release();
}

/* ---- names ---- */

char *credentials_host(const char *server)
{
	const char *scheme = strstr(server, "://");
	const char *host = scheme ? scheme + 3 : server;

	return xasprintf("%.*s", (int)strcspn(host, scheme ? "/?#" : "/"), host);
}

bool credentials_is_hub(const char *host)
{
	for (const char *const *at = hub_hosts; *at; at++)
		if (strcmp(host, *at) == 0)
			return true;
	return false;
}

/* The name of a registry in Docker's file and for its helpers; new. */
static char *docker_key(const char *registry)
{
	auto_free char *host = credentials_host(registry);

	return credentials_is_hub(host) ? xstrdup(CREDENTIALS_HUB_KEY) : take_ptr(host);
}

static char *config_path(const char *docker_config_dir)
{
	return xasprintf("%s/config.json", docker_config_dir);
}

/* ---- look up ---- */

/* In "auths" alone: the key itself, or else one that names the same host in an older way. */
static int get_entry(const json_t *document, const char *key, const char *registry,
		     struct credentials *ret, struct error *err)
{
	auto_free char *host = credentials_host(registry);
	const char *const own[] = { host, NULL };
	int result = authfile_get(document, key, ret, err);

	if (result != 0 || json_object_get(json_object_get(document, "auths"), key))
		return result;
	key = authfile_match(document, credentials_is_hub(host) ? hub_hosts : own);
	return key ? authfile_get(document, key, ret, err) : 0;
}

/* The helper decides where there is one: what the file says beside it is a rest of old days. */
static int get_from(const json_t *document, const char *key, const char *registry,
		    struct credentials *ret, struct error *err)
{
	const struct credhelper helper = { authfile_helper(document, key), 0 };

	if (helper.name)
		return credhelper_get(&helper, key, ret, err);
	return get_entry(document, key, registry, ret, err);
}

static int find_in_environment(const char *registry, struct credentials *ret, struct error *err)
{
	const char *text = getenv("DOCKER_AUTH_CONFIG");
	auto_free char *key = docker_key(registry);
	auto_json json_t *document = NULL;
	int result;

	if (!text || !*text)
		return 0;
	if (authfile_parse(text, strlen(text), &document, err) < 0)
		return err_add(err, "DOCKER_AUTH_CONFIG");
	result = get_entry(document, key, registry, ret, err);
	return result < 0 ? err_add(err, "DOCKER_AUTH_CONFIG") : result;
}

static int find_in_config(const char *docker_config_dir, const char *registry,
			  struct credentials *ret, struct error *err)
{
	auto_free char *path = config_path(docker_config_dir);
	auto_free char *key = docker_key(registry);
	auto_json json_t *document = NULL;
	int result;

	if (authfile_read(path, &document, err) < 0)
		return err_add(err, "%s", path);
	result = get_from(document, key, registry, ret, err);
	return result < 0 ? err_add(err, "%s", path) : result;
}

/* "host/a/b", then "host/a", then "host". */
static int get_nearest(const json_t *document, const char *registry, struct credentials *ret,
		       struct error *err)
{
	auto_free char *host = credentials_host(registry);
	const char *rest = strstr(registry, "://") ? "" : registry + strlen(host);
	auto_free char *name = xasprintf("%s%s", credentials_is_hub(host) ? HUB_NAME : host, rest);

	for (char *slash; (slash = strrchr(name, '/')); *slash = '\0') {
		int result = authfile_get(document, name, ret, err);

		if (result != 0)
			return result;
	}
	return get_from(document, name, registry, ret, err);
}

/* @explicit: the user has named it, so what is wrong with it is an error */
static int find_in_podman_file(const char *path, bool named, const char *registry,
			       struct credentials *ret, struct error *err)
{
	auto_json json_t *document = NULL;
	int result = authfile_read(path, &document, err);

	if (result == 0)
		result = get_nearest(document, registry, ret, err);
	if (result >= 0)
		return result;
	err_add(err, "%s", path);
	if (named || err->kind == ERR_CANCELLED)
		return -1;
	log_warn("%s", err->text);
	return 0;
}

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

static int find_in_podman(const char *registry, struct credentials *ret, struct error *err)
{
	const char *named = environment("REGISTRY_AUTH_FILE");
	const char *runtime = environment("XDG_RUNTIME_DIR");
	const char *config = environment("XDG_CONFIG_HOME"), *home = environment("HOME");
	auto_free char *first = runtime ? xasprintf("%s/containers/auth.json", runtime)
					: xasprintf("/run/containers/%u/auth.json", geteuid());
	auto_free char *second = config ? xasprintf("%s/containers/auth.json", config)
				 : home ? xasprintf("%s/.config/containers/auth.json", home)
					: NULL;
	int result;

	if (named)
		return find_in_podman_file(named, true, registry, ret, err);
	result = find_in_podman_file(first, false, registry, ret, err);
	if (result == 0 && second)
		result = find_in_podman_file(second, false, registry, ret, err);
	return result;
}

static int find(const char *docker_config_dir, const char *registry, bool podman,
		struct credentials *ret, struct error *err)
{
	int result;

	*ret = (struct credentials){ 0 };
	secret_hold();
	result = find_in_environment(registry, ret, err);
	if (result == 0)
		result = find_in_config(docker_config_dir, registry, ret, err);
	if (result == 0 && podman)
		result = find_in_podman(registry, ret, err);
	secret_release();
	return result < 0 ? -1 : 0;
}

int credentials_find(const char *docker_config_dir, const char *registry, struct credentials *ret,
		     struct error *err)
{
	return find(docker_config_dir, registry, true, ret, err);
}

int credentials_find_stored(const char *docker_config_dir, const char *registry,
			    struct credentials *ret, struct error *err)
{
	return find(docker_config_dir, registry, false, ret, err);
}

/* ---- change ---- */

int credentials_check(const char *docker_config_dir, struct error *err)
{
	auto_free char *path = config_path(docker_config_dir);
	auto_json json_t *document = NULL;

	return authfile_read(path, &document, err);
}

int credentials_store(const char *docker_config_dir, const char *registry,
		      const struct credentials *credentials, bool *ret_plain, struct error *err)
{
	auto_free char *path = config_path(docker_config_dir);
	auto_free char *key = docker_key(registry);
	auto_json json_t *document = NULL;
	struct credhelper helper = { 0 };
	int result;

	*ret_plain = false;
	if (authfile_read(path, &document, err) < 0)
		return err_add(err, "%s", path);
	helper.name = authfile_helper(document, key);
	if (helper.name && credhelper_store(&helper, key, credentials, err) < 0)
		return -1;
	result = authfile_put(path, key, helper.name ? NULL : credentials, err);
	if (result < 0)
		return err_add(err, "%s", path);
	*ret_plain = result && !helper.name && credentials->password && *credentials->password;
	return 0;
}

static int erase(const char *path, const char *key, struct error *err)
{
	auto_json json_t *document = NULL;
	struct credhelper helper = { 0 };

	if (authfile_read(path, &document, err) < 0)
		return err_add(err, "%s", path);
	helper.name = authfile_helper(document, key);
	if (helper.name && credhelper_erase(&helper, key, err) < 0)
		return -1;
	return authfile_remove(path, key, err) < 0 ? err_add(err, "%s", path) : 0;
}

int credentials_erase(const char *docker_config_dir, const char *server,
		      struct strlist *ret_problems)
{
	auto_free char *path = config_path(docker_config_dir);
	auto_free char *host = credentials_host(server);
	auto_strlist struct strlist keys = { 0 };
	int nr_erased = 0;

	strlist_add(&keys, server);
	if (credentials_is_hub(host) && strcmp(server, CREDENTIALS_HUB_KEY) != 0)
		strlist_add(&keys, CREDENTIALS_HUB_KEY);
	if (strcmp(server, CREDENTIALS_HUB_KEY) != 0) {
		if (strcmp(host, server) != 0)
			strlist_add(&keys, host);
		strlist_take(&keys, xasprintf("http://%s", host));
		strlist_take(&keys, xasprintf("https://%s", host));
	}
	for (size_t i = 0; i < keys.nr; i++) {
		struct error err;

		if (erase(path, keys.items[i], &err) == 0)
			nr_erased++;
		else
			strlist_take(ret_problems, xasprintf("%s: %s", keys.items[i], err.text));
	}
	return nr_erased;
}

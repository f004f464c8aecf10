/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "limits.h"
#include "registry/endpoint.h"

/* ---- the table ---- */

/* Host and port alone: it becomes part of a URL, and the name of a folder. */
static int check_host(const char *host, struct error *err)
{
	size_t len = strlen(host);

	if (len && len <= LIMIT_DOMAIN_BYTES && *host != '.' && *host != '-' &&
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
		    len)
		return 0;
	return err_set(err, ERR_USAGE, "'%.*s' is not a registry's host", LIMIT_DOMAIN_BYTES, host);
}

static int read_mirror(const char *text, struct strlist *ret, struct error *err)
{
	static const char scheme[] = "https://";
	const char *host = text;
	auto_free char *copy = NULL;

	if (strncmp(host, scheme, strlen(scheme)) == 0)
		host += strlen(scheme);
	copy = xstrdup(host);
	if (*copy && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	if (check_host(copy, err) < 0)
		return -1;
	strlist_take(ret, take_ptr(copy));
	return 0;
}

static int read_mirrors(const json_t *value, struct registry_row *row, struct error *err)
{
	if (!json_is_array(value) || json_array_size(value) > LIMIT_MIRRORS)
		return err_set(err, ERR_USAGE, "\"mirrors\" must be a list of at most %d hosts",
			       LIMIT_MIRRORS);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (!text)
			return err_set(err, ERR_USAGE, "\"mirrors\" must be a list of hosts");
		if (read_mirror(text, &row->mirrors, err) < 0)
			return err_add(err, "\"mirrors\"");
	}
	return 0;
}

static int read_row(json_t *object, struct registry_row *row, struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return err_set(err, ERR_USAGE, "must be an object");
	json_object_foreach(object, key, value)
	{
		const char *text = json_string_value(value);

		if (strcmp(key, "mirrors") == 0) {
			if (read_mirrors(value, row, err) < 0)
				return -1;
		} else if (strcmp(key, "insecure") == 0) {
			if (!json_is_boolean(value))
				return err_set(err, ERR_USAGE,
					       "\"insecure\" must be true or false");
			row->insecure = json_is_true(value);
		} else if (strcmp(key, "ca") == 0) {
			if (!text || *text != '/' || strlen(text) >= PATH_MAX)
				return err_set(err, ERR_USAGE, "\"ca\" must be an absolute path");
			row->ca = xstrdup(text);
		} else {
			return err_set(err, ERR_USAGE, "unknown key \"%.64s\"", key);
		}
	}
	return 0;
}

int registry_table_read(json_t *object, struct registry_table *ret, struct error *err)
{
	const char *host;
	json_t *value;

	registry_table_done(ret);
	if (!json_is_object(object))
		return err_set(err, ERR_USAGE, "must be an object");
	ret->rows = xcalloc(json_object_size(object) + 1, sizeof(*ret->rows));
	json_object_foreach(object, host, value)
	{
		struct registry_row *row = &ret->rows[ret->nr++];

		row->host = xstrdup(host);
		if (check_host(host, err) < 0 || read_row(value, row, err) < 0)
			return err_add(err, "\"%.*s\"", LIMIT_DOMAIN_BYTES, host);
	}
	return 0;
}

void registry_table_done(struct registry_table *table)
{
	for (size_t i = 0; i < table->nr; i++) {
		free(table->rows[i].host);
		free(table->rows[i].ca);
		strlist_done(&table->rows[i].mirrors);
	}
	free(table->rows);
	table->rows = NULL;
	table->nr = 0;
}

const struct registry_row *registry_table_find(const struct registry_table *table, const char *host)
{
	for (size_t i = 0; table && i < table->nr; i++)
		if (strcasecmp(table->rows[i].host, host) == 0)
			return &table->rows[i];
	return NULL;
}

/* ---- certificates ---- */

static int add_roots(const char *path, struct buf *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (io_read_file(AT_FDCWD, path, LIMIT_CERTIFICATE_BYTES, &text, err) < 0)
		return -1;
	if (ret->len + text.len > LIMIT_CERTIFICATE_BYTES)
		return err_set(err, ERR_LIMIT, "'%s': more than %u bytes of certificates", path,
			       LIMIT_CERTIFICATE_BYTES);
	buf_append(ret, text.data, text.len);
	buf_puts(ret, "\n");
	return 0;
}

static char *other_end(const char *path, const char *end, const char *other)
{
	return xasprintf("%.*s%s", (int)(strlen(path) - strlen(end)), path, other);
}

/* The first pair is ours. */
static int take_pair(char *cert, char *key, struct transport *ret, struct error *err)
{
	auto_free char *our_cert = cert, *our_key = key;

	if (access(cert, F_OK) < 0)
		return err_set(err, ERR_USAGE, "missing client certificate %s for key %s", cert,
			       key);
	if (access(key, R_OK) < 0)
		return err_set(err, ERR_USAGE,
			       "missing key %s for client certificate %s; CA certificates must use "
			       "the extension .crt",
			       key, cert);
	if (!ret->cert) {
		ret->cert = take_ptr(our_cert);
		ret->key = take_ptr(our_key);
	}
	return 0;
}

static int take_file(const char *path, struct transport *ret, struct error *err)
{
	if (path_has_suffix(path, ".crt"))
		return add_roots(path, &ret->roots, err);
	if (path_has_suffix(path, ".cert"))
		return take_pair(xstrdup(path), other_end(path, ".cert", ".key"), ret, err);
	if (path_has_suffix(path, ".key"))
		return take_pair(other_end(path, ".key", ".cert"), xstrdup(path), ret, err);
	return 0;
}

/* By name, so that it is the same pair each time. */
static int read_folder(const char *folder, const char *host, struct transport *ret,
		       struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", folder, host);
	struct dirent **names = NULL;
	int nr = scandir(path, &names, NULL, alphasort), result = 0;

	if (nr < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : err_sys(err, errno, "folder '%s'", path);
	for (int i = 0; i < nr; i++) {
		auto_free char *file = xasprintf("%s/%s", path, names[i]->d_name);

		if (result == 0)
			result = take_file(file, ret, err);
		free(names[i]);
	}
	free(names);
	return result;
}

static int read_folders(const struct registry_table *table, const char *host, struct transport *ret,
			struct error *err)
{
	static const char *const usual[] = { "/etc/docker/certs.d", "/etc/containers/certs.d",
					     NULL };
	const char *const *folders = table && table->folders ? table->folders : usual;

	for (; *folders; folders++)
		if (read_folder(*folders, host, ret, err) < 0)
			return -1;
	return 0;
}

int transport_open(const struct registry_table *table, const char *host, struct transport *ret,
		   struct error *err)
{
	const struct registry_row *row = registry_table_find(table, host);
	const char *asked = endpoint_host(host);

	*ret = (struct transport){ 0 };
	if (check_host(host, err) < 0 ||
	    (row && row->ca && add_roots(row->ca, &ret->roots, err) < 0) ||
	    read_folders(table, asked, ret, err) < 0)
		return err_add(err, "certificates for %.*s", LIMIT_DOMAIN_BYTES, host);
	ret->plain_first = endpoint_is_loopback(asked) && !ret->roots.len && !ret->cert;
	ret->unverified =
		(row && row->insecure) || (endpoint_is_loopback(asked) && !ret->roots.len);
	ret->plain_allowed = ret->unverified;
	return 0;
}

void transport_done(struct transport *transport)
{
	buf_done(&transport->roots);
	free(transport->cert);
	free(transport->key);
	transport->cert = transport->key = NULL;
}

void transport_apply(const struct transport *transport, struct http_request *request)
{
	request->unverified = transport->unverified;
	request->tls = (struct http_tls){
		.roots = transport->roots.data,
		.roots_len = transport->roots.len,
		.cert = transport->cert,
		.key = transport->key,
	};
}

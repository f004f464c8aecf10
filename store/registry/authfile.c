/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "base/path.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/base64.h"

#define LINKS_MAX    40 /* as the kernel */
#define LOCK_SECONDS 10
#define TRIES_MAX    20 /* of a change that another program comes between */

/* ---- read ---- */

/* What a document held is wiped when it is released. */
static void wipe_json(void)
{
	json_set_alloc_funcs(malloc, secret_free);
}

static int check_object(const json_t *document, const char *key, struct error *err)
{
	const json_t *object = json_object_get(document, key);

	if (object && !json_is_null(object) && !json_is_object(object))
		return err_set(err, ERR_CORRUPT, "%s is not an object", key);
	return 0;
}

static int check_entries(const json_t *document, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(document, "auths"), key, value)
	{
		if (!json_is_object(value) && !json_is_null(value))
			return err_set(err, ERR_CORRUPT, "auths: '%s' is not an object", key);
	}
	json_object_foreach(json_object_get(document, "credHelpers"), key, value)
	{
		if (!json_is_string(value))
			return err_set(err, ERR_CORRUPT, "credHelpers: '%s' is not text", key);
	}
	return 0;
}

static int check_document(const json_t *document, struct error *err)
{
	const json_t *store = json_object_get(document, "credsStore");

	if (!json_is_object(document))
		return err_set(err, ERR_CORRUPT, "not an object");
	if (check_object(document, "auths", err) < 0 ||
	    check_object(document, "credHelpers", err) < 0)
		return -1;
	if (store && !json_is_null(store) && !json_is_string(store))
		return err_set(err, ERR_CORRUPT, "credsStore is not text");
	return check_entries(document, err);
}

int authfile_load(const char *text, size_t len, size_t max, json_t **ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	char *near;

	pthread_once(&once, wipe_json);
	if (jsonfield_load(text, len, max, ret, err) == 0)
		return 0;
	/* The parser shows the text that it stumbled over. */
	near = strstr(err->text, " near ");
	if (near)
		*near = '\0';
	return -1;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \t\r\n", text[i], 4))
			return false;
	return true;
}

int authfile_parse(const char *text, size_t len, json_t **ret, struct error *err)
{
	auto_json json_t *document = NULL;

	if (is_blank(text, len)) {
		*ret = json_object();
		return 0;
	}
	if (authfile_load(text, len, LIMIT_AUTH_FILE_BYTES, &document, err) < 0 ||
	    check_document(document, err) < 0)
		return -1;
	*ret = take_ptr(document);
	return 0;
}

/* @ret: made here; empty when there is no such file. */
static int read_text(const char *path, struct buf *ret, struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t got;

	secret_buf_init(ret, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open");
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) /* a pipe may never end */
		return err_set(err, ERR_CORRUPT, "not a file");
	if (st.st_size > (off_t)LIMIT_AUTH_FILE_BYTES)
		return err_set(err, ERR_LIMIT, "larger than %u bytes", LIMIT_AUTH_FILE_BYTES);
	secret_buf_done(ret);
	secret_buf_init(ret, LIMIT_AUTH_FILE_BYTES + 1);
	got = io_read(fd, ret->data, LIMIT_AUTH_FILE_BYTES + 1, err);
	if (got < 0)
		return -1;
	if ((size_t)got > LIMIT_AUTH_FILE_BYTES)
		return err_set(err, ERR_LIMIT, "larger than %u bytes", LIMIT_AUTH_FILE_BYTES);
	ret->len = (size_t)got;
	return 0;
}

int authfile_read(const char *path, json_t **ret, struct error *err)
{
	auto_secret_buf struct buf text = { 0 };

	if (read_text(path, &text, err) < 0)
		return -1;
	return authfile_parse(text.data, text.len, ret, err);
}

/* ---- entries ---- */

/* New, or NULL for what is not there or empty. -1: not text, or too long. */
static int get_text(const json_t *entry, const char *key, char **ret, struct error *err)
{
	const json_t *value = json_object_get(entry, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_CORRUPT, "%s is not text", key);
	if (json_string_length(value) > LIMIT_CREDENTIAL_BYTES)
		return err_set(err, ERR_LIMIT, "%s is longer than %u bytes", key,
			       LIMIT_CREDENTIAL_BYTES);
	if (json_string_length(value))
		*ret = xstrdup(json_string_value(value));
	return 0;
}

/* base64("USER:PASSWORD"); the first colon counts. */
static int decode_auth(const char *auth, struct credentials *ret, struct error *err)
{
	auto_secret_buf struct buf plain = { 0 };
	char *colon;

	if (base64_decode(auth, &plain) < 0)
		return err_set(err, ERR_CORRUPT, "auth is no base64");
	while (plain.len && plain.data[plain.len - 1] == '\0')
		plain.len--;
	if (memchr(plain.data, '\0', plain.len))
		return err_set(err, ERR_CORRUPT, "auth has a NUL in it");
	colon = memchr(plain.data, ':', plain.len);
	if (!colon || colon == plain.data)
		return err_set(err, ERR_CORRUPT, "auth is no base64 of USER:PASSWORD");
	*colon = '\0';
	secret_free(ret->username);
	secret_free(ret->password);
	ret->username = xstrdup(plain.data);
	ret->password = xstrdup(colon + 1);
	return 0;
}

static int read_entry(const json_t *entry, struct credentials *ret, struct error *err)
{
	auto_secret char *auth = NULL;

	if (get_text(entry, "username", &ret->username, err) < 0 ||
	    get_text(entry, "password", &ret->password, err) < 0 ||
	    get_text(entry, "identitytoken", &ret->identity_token, err) < 0 ||
	    get_text(entry, "auth", &auth, err) < 0)
		return -1;
	return auth ? decode_auth(auth, ret, err) : 0;
}

int authfile_get(const json_t *document, const char *key, struct credentials *ret,
		 struct error *err)
{
	const json_t *entry = json_object_get(json_object_get(document, "auths"), key);
	struct credentials found = { 0 };

	if (read_entry(entry, &found, err) < 0) {
		credentials_wipe(&found);
		return err_add(err, "auths: '%s'", key);
	}
	if (!found.identity_token && !found.username) {
		credentials_wipe(&found);
		return 0;
	}
	if (found.identity_token) {
		secret_free(found.password);
		found.password = NULL;
	} else if (!found.password) {
		found.password = xstrdup("");
	}
	*ret = found;
	credentials_hold();
	return 1;
}

const char *authfile_match(const json_t *document, const char *const *hosts)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(document, "auths"), key, value)
	{
		auto_free char *host = credentials_host(key);

		for (const char *const *at = hosts; *at; at++)
			if (strcmp(host, *at) == 0)
				return key;
	}
	return NULL;
}

const char *authfile_helper(const json_t *document, const char *key)
{
	const json_t *own = json_object_get(json_object_get(document, "credHelpers"), key);
	const char *name = json_string_value(own ?: json_object_get(document, "credsStore"));

	return name && *name ? name : NULL;
}

/* ---- change ---- */

/* The file itself behind links, of which the last may lead to nothing yet; new. */
static char *follow_links(const char *path, struct error *err)
{
	auto_free char *at = xstrdup(path);

	for (int i = 0; i <= LINKS_MAX; i++) {
		char target[LIMIT_PATH_BYTES];
		ssize_t len = readlink(at, target, sizeof(target) - 1);
		char *next;

		if (len < 0)
			return take_ptr(at);
		target[len] = '\0';
		next = *target == '/' ? xstrdup(target)
				      : xasprintf("%.*s%s", (int)(path_base(at) - at), at, target);
		free(at);
		at = next;
	}
	err_sys(err, ELOOP, "follow");
	return NULL;
}

/* Where a file system has no such locks, the comparison before the rename has to do. */
static int lock_folder(int fd, struct error *err)
{
	const struct timespec moment = { .tv_nsec = 50000000 };

	for (int i = 0; i < LOCK_SECONDS * 20; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return 0;
		if (cancel_check(err) < 0)
			return -1;
		nanosleep(&moment, NULL);
	}
	return err_set(err, ERR_IN_USE, "another program is changing the file");
}

/* The folder of a file, opened and locked; it is made when it is missing. */
static int open_folder(const char *path, struct error *err)
{
	auto_free char *copy = xstrdup(path);
	const char *folder = dirname(copy);
	auto_fd int fd = -1;

	if (io_make_dirs(folder, 0700, err) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", folder);
	if (lock_folder(fd, err) < 0)
		return -1;
	return take_fd(fd);
}

/* Tab for each level, as Docker writes it. */
static void print_document(const json_t *document, struct buf *ret)
{
	size_t len = json_dumpb(document, NULL, 0, JSON_INDENT(1));

	secret_buf_init(ret, len);
	ret->len = json_dumpb(document, ret->data, len, JSON_INDENT(1));
	for (char *at = ret->data; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		for (; *at == ' '; at++)
			*at = '\t';
	}
}

/* The new file under a name of its own, durable. Whose the old one is, this one is too. */
static int write_new(int folder_fd, const char *name, const char *old, const struct buf *text,
		     struct error *err)
{
	auto_fd int fd = -1;
	struct stat st;

	unlinkat(folder_fd, name, 0); /* of a writer that was killed: we have the lock */
	fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "create '%s'", name);
	if (fstatat(folder_fd, old, &st, 0) == 0 && (st.st_uid != geteuid()) &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		return err_sys(err, errno, "owner of '%s'", name);
	if (fchmod(fd, 0600) < 0 || io_write(fd, text->data, text->len, err) < 0)
		return err_add(err, "write '%s'", name);
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync '%s'", name);
	return 0;
}

struct edit {
	const char *key;
	const struct credentials *credentials;
	bool remove;
};

static void set_secret(json_t *entry, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(entry, key, json_string(text));
}

static void put_entry(json_t *auths, const struct edit *edit)
{
	static const char *const ours[] = { "auth",	     "username",      "password",
					    "identitytoken", "registrytoken", "serveraddress" };
	json_t *old = json_object_get(auths, edit->key);
	auto_json json_t *entry = json_is_object(old) ? json_incref(old) : json_object();

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		json_object_del(entry, ours[i]);
	if (edit->credentials) {
		const char *user = edit->credentials->username ?: "";
		const char *password = edit->credentials->password ?: "";
		auto_secret char *plain = xasprintf("%s:%s", user, password);
		auto_secret_buf struct buf auth = { 0 };

		base64_encode(plain, strlen(plain), &auth);
		set_secret(entry, "auth", *user || *password ? auth.data : NULL);
		set_secret(entry, "identitytoken", edit->credentials->identity_token);
	}
	if (entry != old)
		json_object_set(auths, edit->key, entry);
}

static void apply(json_t *document, const struct edit *edit)
{
	json_t *auths = json_object_get(document, "auths");

	if (edit->remove) {
		json_object_del(auths, edit->key);
		return;
	}
	if (!json_is_object(auths)) {
		json_object_set_new(document, "auths", json_object());
		auths = json_object_get(document, "auths");
	}
	put_entry(auths, edit);
}

/*
 * Returns 1 when the file is another now, 0 when there is nothing to change, 2 when somebody else
 * has changed it meanwhile, or -1. Until the rename the old file is there, after it the new one;
 * a crash may leave the new one under its own name, which the next change takes away.
 */
static int change_once(const char *path, int folder_fd, const struct edit *edit, struct error *err)
{
	auto_secret_buf struct buf before = { 0 }, after = { 0 }, now = { 0 };
	auto_free char *name = xasprintf("%s" IO_NEW_SUFFIX, path_base(path));
	auto_json json_t *document = NULL, *old = NULL;
	int result = 2;

	if (read_text(path, &before, err) < 0 ||
	    authfile_parse(before.data, before.len, &document, err) < 0)
		return -1;
	old = json_deep_copy(document);
	apply(document, edit);
	if (json_equal(old, document))
		return 0;
	print_document(document, &after);
	if (after.len > LIMIT_AUTH_FILE_BYTES)
		return err_set(err, ERR_LIMIT, "would be larger than %u bytes",
			       LIMIT_AUTH_FILE_BYTES);
	if (write_new(folder_fd, name, path_base(path), &after, err) < 0 ||
	    read_text(path, &now, err) < 0)
		result = -1;
	else if (now.len == before.len && memcmp(now.data, before.data, now.len) == 0)
		result = renameat(folder_fd, name, folder_fd, path_base(path)) == 0
				 ? 1
				 : err_sys(err, errno, "rename '%s'", name);
	if (result != 1)
		unlinkat(folder_fd, name, 0);
	return result == 1 && io_sync_dir(folder_fd, err) < 0 ? -1 : result;
}

static int change(const char *link, const struct edit *edit, struct error *err)
{
	auto_free char *path = follow_links(link, err);
	auto_fd int folder_fd = path ? open_folder(path, err) : -1;

	if (folder_fd < 0)
		return -1;
	for (int i = 0; i < TRIES_MAX; i++) {
		int result = change_once(path, folder_fd, edit, err);

		if (result != 2)
			return result;
	}
	return err_set(err, ERR_IN_USE, "another program changes the file all the time");
}

int authfile_put(const char *path, const char *key, const struct credentials *credentials,
		 struct error *err)
{
	const struct edit edit = { key, credentials, false };

	return change(path, &edit, err);
}

int authfile_remove(const char *path, const char *key, struct error *err)
{
	const struct edit edit = { key, NULL, true };
	auto_json json_t *document = NULL;

	/* Nothing is made, and nobody is waited for, where there is nothing to remove. */
	if (authfile_read(path, &document, err) < 0)
		return -1;
	if (!json_object_get(json_object_get(document, "auths"), key))
		return 0;
	return change(path, &edit, err);
}

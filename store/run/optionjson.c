/* SPDX-License-Identifier: Apache-2.0 */
#include "run/optionjson.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "limits.h"
#include "run/caps.h"
#include "run/document.h"
#include "run/signame.h"

static bool parse_number(const char *text, int64_t *ret)
{
	char *end;

	if (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0) {
		*ret = -1;
		return true;
	}
	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 18)
		return false;
	*ret = strtoll(text, &end, 10);
	return true;
}

/* "nofile=1024[:2048]" */
static int add_ulimit(json_t *rlimits, const char *text, struct error *err)
{
	static const char *const known[] = {
		"core",	  "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
		"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"
	};
	auto_free char *name = xstrdup(text);
	char *soft = strchr(name, '='), *hard;
	auto_free char *type = NULL;
	int64_t soft_value, hard_value;
	bool is_known = false;

	if (!soft)
		return err_set(err, ERR_USAGE, "invalid ulimit argument: %s", text);
	*soft++ = '\0';
	hard = strchr(soft, ':');
	if (hard)
		*hard++ = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		is_known |= strcmp(known[i], name) == 0;
	if (!is_known)
		return err_set(err, ERR_USAGE, "invalid ulimit type: %s", name);
	if (!parse_number(soft, &soft_value) || !parse_number(hard ? hard : soft, &hard_value))
		return err_set(err, ERR_USAGE, "invalid ulimit argument: %s", text);
	if (hard_value != -1 && (soft_value == -1 || soft_value > hard_value))
		return err_set(err, ERR_USAGE,
			       "ulimit soft limit must be less than or equal to hard limit: %s",
			       text);
	type = xasprintf("RLIMIT_%s", name);
	for (char *c = type; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	json_array_append_new(rlimits,
			      json_pack("{s:s, s:I, s:I}", "type", type, "soft",
					(json_int_t)soft_value, "hard", (json_int_t)hard_value));
	return 0;
}

static bool is_access(const char *text)
{
	return *text && strspn(text, "rwm") == strlen(text) && strlen(text) <= 3;
}

/* "/dev/x[:/dev/y[:rwm]]" or "/dev/x:rwm" */
static int add_device(json_t *devices, const char *text, struct error *err)
{
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *source = strsep(&rest, ":"), *target = source;
	const char *access = "rwm", *word;
	struct stat st;

	while ((word = strsep(&rest, ":"))) {
		if (*word == '/')
			target = (char *)(uintptr_t)word;
		else if (is_access(word))
			access = word;
		else
			return err_set(err, ERR_USAGE, "bad mode specified: %s", word);
	}
	if (stat(source, &st) < 0)
		return err_sys(err, errno,
			       "error gathering device information while adding custom device "
			       "\"%s\"",
			       source);
	if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(err, ERR_USAGE,
			       "error gathering device information while adding custom device "
			       "\"%s\": not a device node",
			       source);
	json_array_append_new(
		devices,
		json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:s}", "path", target, "type",
			  S_ISBLK(st.st_mode) ? "b" : "c", "major", (int)major(st.st_rdev), "minor",
			  (int)minor(st.st_rdev), "fileMode", (int)(st.st_mode & 07777), "uid",
			  (json_int_t)st.st_uid, "gid", (json_int_t)st.st_gid, "access", access));
	return 0;
}

static int add_sysctl(json_t *sysctls, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");
	auto_free char *key = xasprintf("%.*s", (int)len, text);

	/* Those that a namespace of the container's own has. */
	if (!text[len])
		return err_set(err, ERR_USAGE, "sysctl '%s' is not whitelisted", text);
	if (strncmp(key, "net.", 4) != 0 && strncmp(key, "kernel.shm", 10) != 0 &&
	    strncmp(key, "kernel.msg", 10) != 0 && strcmp(key, "kernel.sem") != 0 &&
	    strncmp(key, "fs.mqueue.", 10) != 0)
		return err_set(err, ERR_USAGE, "sysctl '%s' is not whitelisted", text);
	json_object_set_new(sysctls, key, json_string(text + len + 1));
	return 0;
}

static int read_profile(const char *path, json_t *oci, struct error *err)
{
	auto_buf struct buf text = { 0 };
	json_t *profile;

	if (io_read_file(AT_FDCWD, path, LIMIT_JSON_BYTES, &text, err) < 0 ||
	    jsonfield_load(text.data, text.len, LIMIT_JSON_BYTES, &profile, err) < 0)
		return err_add(err, "opening seccomp profile (%s) failed", path);
	json_object_set_new(oci, "seccomp", profile);
	return 0;
}

static int set_security(const char *text, json_t *oci, struct error *err)
{
	const char *value = strpbrk(text, "=:");
	size_t len = value ? (size_t)(value - text) : strlen(text);

	value = value ? value + 1 : "";
	if (len == 17 && strncmp(text, "no-new-privileges", len) == 0) {
		json_object_set_new(oci, "noNewPrivileges",
				    json_boolean(!*value || strcmp(value, "true") == 0));
		return 0;
	}
	if (len == 7 && strncmp(text, "seccomp", len) == 0) {
		if (strcmp(value, "unconfined") != 0)
			return strcmp(value, "builtin") == 0 ? 0 : read_profile(value, oci, err);
		json_object_set_new(oci, "noSeccomp", json_true());
		return 0;
	}
	/* What there is none of can be switched off. */
	if ((len == 8 && strncmp(text, "apparmor", len) == 0 && strcmp(value, "unconfined") == 0) ||
	    (len == 5 && strncmp(text, "label", len) == 0 && strcmp(value, "disable") == 0))
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "--security-opt %s is not supported", text);
}

static int check_host(const char *text, struct error *err)
{
	const char *address = strpbrk(text, ":=");
	unsigned char parsed[16];
	auto_free char *plain = NULL;

	if (!address || address == text)
		return err_set(err, ERR_USAGE, "bad format for add-host: \"%s\"", text);
	plain = xstrdup(address + 1);
	if (*plain == '[' && plain[strlen(plain) - 1] == ']') {
		plain[strlen(plain) - 1] = '\0';
		memmove(plain, plain + 1, strlen(plain));
	}
	if (inet_pton(AF_INET, plain, parsed) != 1 && inet_pton(AF_INET6, plain, parsed) != 1)
		return err_set(err, ERR_USAGE, "invalid IP address in add-host: \"%s\"", plain);
	return 0;
}

static int check_dns(const char *text, struct error *err)
{
	unsigned char parsed[16];

	if (inet_pton(AF_INET, text, parsed) != 1 && inet_pton(AF_INET6, text, parsed) != 1)
		return err_set(err, ERR_USAGE, "invalid IP address: %s", text);
	return 0;
}

static int check_rest(const struct run_options *options, struct error *err)
{
	const char *network = options->network;

	if (network && strcmp(network, "host") != 0 && strcmp(network, "none") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "network %s is not supported: there are \"host\" and \"none\"",
			       network);
	if (options->stop_signal && signame_parse(options->stop_signal, err) < 0)
		return -1;
	for (size_t i = 0; i < options->add_host.nr; i++)
		if (check_host(options->add_host.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->dns.nr; i++)
		if (check_dns(options->dns.items[i], err) < 0)
			return -1;
	if (options->workdir && *options->workdir && *options->workdir != '/')
		return err_set(err, ERR_USAGE,
			       "the working directory '%s' is invalid, it needs to be an absolute "
			       "path",
			       options->workdir);
	return 0;
}

int optionjson_new(const struct run_options *options, json_t **ret, struct error *err)
{
	json_auto_t *oci = json_pack("{s:[], s:{}, s:[]}", "rlimits", "sysctls", "devices");
	uint64_t caps;

	if (check_rest(options, err) < 0 || caps_resolve(options->privileged, &options->cap_add,
							 &options->cap_drop, &caps, err) < 0)
		return -1;
	json_object_set_new(oci, "caps", json_integer((json_int_t)caps));
	for (size_t i = 0; i < options->ulimits.nr; i++)
		if (add_ulimit(json_object_get(oci, "rlimits"), options->ulimits.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->sysctls.nr; i++)
		if (add_sysctl(json_object_get(oci, "sysctls"), options->sysctls.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->devices.nr; i++)
		if (add_device(json_object_get(oci, "devices"), options->devices.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->security.nr; i++)
		if (set_security(options->security.items[i], oci, err) < 0)
			return -1;
	*ret = json_incref(oci);
	return 0;
}

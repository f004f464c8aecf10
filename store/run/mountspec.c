/* SPDX-License-Identifier: Apache-2.0 */
#include "run/mountspec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/size.h"

void mountspec_done(struct mountspec *spec)
{
	free(spec->source);
	free(spec->target);
	free(spec->options);
	*spec = (struct mountspec){ 0 };
}

static bool is_propagation(const char *word)
{
	static const char *const known[] = { "shared",	"slave",  "private",
					     "rshared", "rslave", "rprivate" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(word, known[i]) == 0)
			return true;
	return false;
}

static int check_name(const char *name, struct error *err)
{
	const char *at = name;

	while (isalnum((unsigned char)*at) || (at > name && *at && strchr("_.-", *at)))
		at++;
	if (at - name >= 2 && !*at)
		return 0;
	return err_set(
		err, ERR_USAGE,
		"create %s: \"%s\" includes invalid characters for a local volume name, only "
		"\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
		"directory, use absolute path",
		name, name);
}

/* Absolute, without ".." and doubled slashes. */
static int set_target(struct mountspec *spec, const char *target, const char *text,
		      struct error *err)
{
	auto_buf struct buf clean = { 0 };

	if (*target != '/')
		return err_set(err, ERR_USAGE,
			       "invalid volume specification: '%s': invalid mount config for type "
			       "\"%s\": invalid mount path: '%s' mount path must be absolute",
			       text,
			       spec->kind == MOUNTSPEC_BIND    ? "bind"
			       : spec->kind == MOUNTSPEC_TMPFS ? "tmpfs"
							       : "volume",
			       target);
	if (path_clean(target, &clean, err) < 0 || !clean.len)
		return err_set(err, ERR_USAGE,
			       "invalid volume specification: '%s': invalid specification: "
			       "destination can't be '/'",
			       text);
	free(spec->target);
	spec->target = xasprintf("/%s", clean.data);
	return 0;
}

static int set_source(struct mountspec *spec, const char *source, const char *cwd,
		      struct error *err)
{
	if (*source == '/' || *source == '.') {
		spec->kind = MOUNTSPEC_BIND;
		spec->source = *source == '/' ? xstrdup(source) : xasprintf("%s/%s", cwd, source);
		return 0;
	}
	spec->kind = MOUNTSPEC_VOLUME;
	if (check_name(source, err) < 0)
		return -1;
	spec->source = xstrdup(source);
	return 0;
}

static int set_volume_option(struct mountspec *spec, const char *word, const char *text,
			     struct error *err)
{
	if (strcmp(word, "ro") == 0)
		spec->read_only = true;
	else if (strcmp(word, "nocopy") == 0)
		spec->no_copy = true;
	else if (is_propagation(word)) {
		free(spec->options);
		spec->options = xstrdup(word);
	} else if (strcmp(word, "rw") != 0 && strcmp(word, "z") != 0 && strcmp(word, "Z") != 0 &&
		   strcmp(word, "cached") != 0 && strcmp(word, "delegated") != 0 &&
		   strcmp(word, "consistent") != 0)
		return err_set(err, ERR_USAGE,
			       "invalid volume specification: '%s': invalid mode: %s", text, word);
	return 0;
}

int mountspec_parse_volume(const char *text, const char *cwd, struct mountspec *ret,
			   struct error *err)
{
	auto_free char *copy = xstrdup(text);
	auto_mountspec struct mountspec spec = { .kind = MOUNTSPEC_VOLUME, .make_source = true };
	char *rest = copy, *parts[3] = { 0 };
	int nr = 0;

	while (rest && nr < 3)
		parts[nr++] = strsep(&rest, ":");
	if (rest || !*parts[0] || (nr > 1 && !*parts[1]))
		return err_set(err, ERR_USAGE, "invalid volume specification: '%s'", text);
	if ((nr > 1 && set_source(&spec, parts[0], cwd, err) < 0) ||
	    set_target(&spec, parts[nr > 1], text, err) < 0)
		return -1;
	for (char *word; parts[2] && (word = strsep(&parts[2], ","));)
		if (*word && set_volume_option(&spec, word, text, err) < 0)
			return -1;
	*ret = spec;
	spec = (struct mountspec){ 0 };
	return 0;
}

static void add_option(struct mountspec *spec, const char *key, const char *value)
{
	auto_free char *before = spec->options;

	spec->options = xasprintf("%s%s%s%s%s", before ? before : "", before ? "," : "", key,
				  value ? "=" : "", value ? value : "");
}

static bool is_true(const char *value)
{
	return !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static int set_kind(struct mountspec *spec, const char *value, struct error *err)
{
	if (value && strcmp(value, "bind") == 0)
		spec->kind = MOUNTSPEC_BIND;
	else if (value && strcmp(value, "tmpfs") == 0)
		spec->kind = MOUNTSPEC_TMPFS;
	else if (value && strcmp(value, "volume") == 0)
		spec->kind = MOUNTSPEC_VOLUME;
	else
		return err_set(err, ERR_USAGE, "mount type unknown: \"%s\"", value ? value : "");
	return 0;
}

static int set_field(struct mountspec *spec, const char *key, const char *value, char **target,
		     struct error *err)
{
	uint64_t bytes;

	if (strcmp(key, "type") == 0)
		return set_kind(spec, value, err);
	if (strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0) {
		spec->read_only = is_true(value);
		return 0;
	}
	if (strcmp(key, "volume-nocopy") == 0) {
		spec->no_copy = is_true(value);
		return 0;
	}
	if (!value)
		return err_set(err, ERR_USAGE,
			       "invalid argument: invalid field '%s' must be a key=value pair",
			       key);
	if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0) {
		free(spec->source);
		spec->source = xstrdup(value);
	} else if (strcmp(key, "target") == 0 || strcmp(key, "dst") == 0 ||
		   strcmp(key, "destination") == 0) {
		free(*target);
		*target = xstrdup(value);
	} else if (strcmp(key, "bind-propagation") == 0 && is_propagation(value)) {
		add_option(spec, value, NULL);
	} else if (strcmp(key, "tmpfs-size") == 0) {
		auto_free char *number = NULL;

		if (size_parse(value, &bytes, err) < 0)
			return -1;
		number = xasprintf("%llu", (unsigned long long)bytes);
		add_option(spec, "size", number);
	} else if (strcmp(key, "tmpfs-mode") == 0) {
		add_option(spec, "mode", value);
	} else {
		return err_set(err, ERR_USAGE, "unexpected key '%s' in '%s=%s'", key, key, value);
	}
	return 0;
}

int mountspec_parse_mount(const char *text, const char *cwd, struct mountspec *ret,
			  struct error *err)
{
	auto_free char *copy = xstrdup(text);
	auto_free char *target = NULL;
	auto_free char *given = NULL;
	auto_mountspec struct mountspec spec = { .kind = MOUNTSPEC_VOLUME };
	char *rest = copy, *word;
	enum mountspec_kind kind;

	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (set_field(&spec, word, value, &target, err) < 0)
			return -1;
	}
	if (!target)
		return err_set(err, ERR_USAGE,
			       "invalid argument \"%s\" for \"--mount\" flag: "
			       "target is required",
			       text);
	kind = spec.kind;
	given = take_ptr(spec.source);
	if (kind == MOUNTSPEC_BIND && (!given || !*given))
		return err_set(err, ERR_USAGE,
			       "invalid mount config for type \"bind\": field Source must not be "
			       "empty");
	if (kind == MOUNTSPEC_BIND && *given != '/' && *given != '.')
		return err_set(err, ERR_USAGE,
			       "invalid mount config for type \"bind\": invalid mount path: '%s' "
			       "mount path must be absolute",
			       given);
	if (kind == MOUNTSPEC_TMPFS && given)
		return err_set(err, ERR_USAGE,
			       "invalid mount config for type \"tmpfs\": source "
			       "must not be specified");
	if (given && set_source(&spec, given, cwd, err) < 0)
		return -1;
	if (spec.kind != kind)
		return err_set(err, ERR_USAGE,
			       "invalid mount config for type \"volume\": '%s' is "
			       "no name",
			       given);
	if (set_target(&spec, target, text, err) < 0)
		return -1;
	*ret = spec;
	spec = (struct mountspec){ 0 };
	return 0;
}

int mountspec_parse_tmpfs(const char *text, struct mountspec *ret, struct error *err)
{
	auto_mountspec struct mountspec spec = { .kind = MOUNTSPEC_TMPFS };
	auto_free char *target = xstrdup(text);
	char *colon = strchr(target, ':');

	if (colon) {
		*colon++ = '\0';
		spec.options = *colon ? xstrdup(colon) : NULL;
	}
	if (set_target(&spec, target, text, err) < 0)
		return -1;
	*ret = spec;
	spec = (struct mountspec){ 0 };
	return 0;
}

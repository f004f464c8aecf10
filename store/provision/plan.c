/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/plan.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "base/size.h"
#include "devlink.h"
#include "limits.h"
#include "volume.h"

/* As the documents have it. */
struct outer {
	char *image, *archive;
	json_t *volume;
};

struct inner {
	char *name, *size, *mount, *options;
	bool read_only, attach;
};

static const struct jsonfield outer_fields[] = {
	{ "image", JSONFIELD_STRING, offsetof(struct outer, image) },
	{ "archive", JSONFIELD_STRING, offsetof(struct outer, archive) },
	{ "volume", JSONFIELD_OBJECT, offsetof(struct outer, volume) },
	{ 0 },
};

static const struct jsonfield inner_fields[] = {
	{ "name", JSONFIELD_STRING, offsetof(struct inner, name), .required = true },
	{ "size", JSONFIELD_STRING, offsetof(struct inner, size) },
	{ "mount", JSONFIELD_STRING, offsetof(struct inner, mount) },
	{ "options", JSONFIELD_STRING, offsetof(struct inner, options) },
	{ "read_only", JSONFIELD_BOOL, offsetof(struct inner, read_only) },
	{ "attach", JSONFIELD_BOOL, offsetof(struct inner, attach) },
	{ 0 },
};

/* What a line of a unit of systemd could not hold. */
static int check_text(const char *key, const char *text, struct error *err)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || strchr("\\\x7f", *at))
			return err_set(err, ERR_USAGE,
				       "key \"%s\" has a control character or \"\\\"", key);
	if (*text && text[strlen(text) - 1] == ' ')
		return err_set(err, ERR_USAGE, "key \"%s\" ends in a blank", key);
	return 0;
}

static int check_path(const char *key, const char *path, struct error *err)
{
	if (!path)
		return 0;
	if (*path != '/' || strlen(path) >= PATH_MAX)
		return err_set(err, ERR_USAGE, "key \"%s\" must be an absolute path", key);
	for (const char *at = path; at; at = strchr(at + 1, '/'))
		if (strncmp(at, "/..", 3) == 0 && (at[3] == '/' || at[3] == '\0'))
			return err_set(err, ERR_USAGE, "key \"%s\" must not have \"..\"", key);
	return check_text(key, path, err);
}

static int check_volume(const struct plan_volume *volume, struct error *err)
{
	if (devlink_check_name(volume->name, err) < 0)
		return err_add(err, "key \"name\"");
	if (check_path("mount", volume->mount, err) < 0)
		return -1;
	if (volume->mount && volume->mount[strspn(volume->mount, "/")] == '\0')
		return err_set(err, ERR_USAGE, "key \"mount\" is the root of this system");
	if (check_text("options", volume->options ?: "", err) < 0 ||
	    volume_check_options(volume->options, err) < 0)
		return err_add(err, "mount options");
	if (volume->mount && volume->attach)
		return err_set(err, ERR_USAGE, "a volume has \"mount\" or \"attach\", not both");
	if (!volume->mount && (volume->options || volume->read_only))
		return err_set(err, ERR_USAGE, "\"options\" and \"read_only\" need \"mount\"");
	return 0;
}

static int read_volume(const json_t *json, struct plan_volume *ret, struct error *err)
{
	auto_free char *size = NULL;
	struct inner inner;

	if (jsonfield_decode(json, inner_fields, JSONFIELD_STRICT, &inner, err) < 0)
		return -1;
	size = inner.size;
	*ret = (struct plan_volume){
		.name = inner.name,
		.mount = inner.mount,
		.options = inner.options,
		.read_only = inner.read_only,
		.attach = inner.attach,
	};
	if (size && (size_parse(size, &ret->size_bytes, err) < 0))
		return err_add(err, "key \"size\"");
	return check_volume(ret, err);
}

static int check_image(const struct plan *plan, struct error *err)
{
	if (plan->archive && !plan->image)
		return err_set(err, ERR_USAGE,
			       "\"archive\" needs \"image\", the name of what is in it");
	return check_path("archive", plan->archive, err);
}

int plan_parse(const void *data, size_t len, struct plan *ret, struct error *err)
{
	json_auto_t *json = NULL, *volume = NULL;
	struct outer outer;

	*ret = (struct plan){ 0 };
	if (jsonfield_load(data, len, LIMIT_JSON_BYTES, &json, err) < 0 ||
	    jsonfield_decode(json, outer_fields, JSONFIELD_STRICT, &outer, err) < 0)
		return -1;
	volume = outer.volume;
	ret->image = outer.image;
	ret->archive = outer.archive;
	if (!ret->image && !volume)
		return err_set(err, ERR_USAGE,
			       "neither \"image\" nor \"volume\": nothing is wanted");
	if (check_image(ret, err) < 0)
		return -1;
	if (volume && read_volume(volume, &ret->volume, err) < 0)
		return err_add(err, "\"volume\"");
	return 0;
}

int plan_read(const char *path, struct plan *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };

	*ret = (struct plan){ 0 };
	if (io_read_file(AT_FDCWD, path, LIMIT_JSON_BYTES, &text, err) < 0)
		return -1;
	return plan_parse(text.data, text.len, ret, err);
}

/* ---- the kernel's command line ---- */

static void add_option(char **options, const char *option)
{
	char *old = *options;

	*options = old ? xasprintf("%s,%s", old, option) : xstrdup(option);
	free(old);
}

static int set_text(char **field, const char *key, const char *value, struct error *err)
{
	if (*field)
		return err_set(err, ERR_USAGE, "key \"%s\" occurs twice", key);
	*field = xstrdup(value);
	return 0;
}

static int set_size(uint64_t *field, const char *value, struct error *err)
{
	return size_parse(value, field, err) < 0 ? err_add(err, "key \"size\"") : 0;
}

/* value: NULL where the word has none */
static int set_key(struct plan *plan, const char *key, const char *value, struct error *err)
{
	struct plan_volume *volume = &plan->volume;

	if (!value && strcmp(key, "ro") == 0) {
		volume->read_only = true;
		return 0;
	}
	if (!value && strcmp(key, "attach") == 0) {
		volume->attach = true;
		return 0;
	}
	if (value && strcmp(key, "image") == 0)
		return set_text(&plan->image, key, value, err);
	if (value && strcmp(key, "archive") == 0)
		return set_text(&plan->archive, key, value, err);
	if (value && strcmp(key, "mount") == 0)
		return set_text(&volume->mount, key, value, err);
	if (value && strcmp(key, "size") == 0)
		return set_size(&volume->size_bytes, value, err);
	if (value && strcmp(key, "option") == 0) {
		add_option(&volume->options, value);
		return 0;
	}
	return err_set(err, ERR_USAGE, "unknown key \"%s\"%s", key,
		       value ? "" : " without a value");
}

int plan_parse_volume(const char *text, struct plan *ret, struct error *err)
{
	auto_free char *words = xstrdup(text);
	char *rest = words, *word = strsep(&rest, ",");

	*ret = (struct plan){ .volume.name = xstrdup(word) };
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (set_key(ret, word, value, err) < 0)
			return -1;
	}
	return check_image(ret, err) < 0 ? -1 : check_volume(&ret->volume, err);
}

void plan_done(struct plan *plan)
{
	free(plan->image);
	free(plan->archive);
	free(plan->volume.name);
	free(plan->volume.mount);
	free(plan->volume.options);
	*plan = (struct plan){ 0 };
}

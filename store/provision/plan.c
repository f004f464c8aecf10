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

static int check_path(const char *key, const char *path, struct error *err)
{
	if (!path || (*path == '/' && strlen(path) < PATH_MAX))
		return 0;
	return err_set(err, ERR_USAGE, "key \"%s\" must be an absolute path", key);
}

static int check_volume(const struct plan_volume *volume, struct error *err)
{
	if (devlink_check_name(volume->name, err) < 0)
		return err_add(err, "key \"name\"");
	if (check_path("mount", volume->mount, err) < 0)
		return -1;
	if (volume_check_options(volume->options, err) < 0)
		return err_add(err, "key \"options\"");
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
	if (ret->archive && !ret->image)
		return err_set(err, ERR_USAGE,
			       "\"archive\" needs \"image\", the name of what is in it");
	if (check_path("archive", ret->archive, err) < 0)
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

void plan_done(struct plan *plan)
{
	free(plan->image);
	free(plan->archive);
	free(plan->volume.name);
	free(plan->volume.mount);
	free(plan->volume.options);
	*plan = (struct plan){ 0 };
}

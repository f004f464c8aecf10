/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "limits.h"
#include "oci/rfc3339.h"

static const struct jsonfield text_fields[] = {
	{ "architecture", JSONFIELD_STRING, offsetof(struct image_config, architecture) },
	{ "os", JSONFIELD_STRING, offsetof(struct image_config, os) },
	{ "variant", JSONFIELD_STRING, offsetof(struct image_config, variant) },
	{ "os.version", JSONFIELD_STRING, offsetof(struct image_config, os_version) },
	{ "author", JSONFIELD_STRING, offsetof(struct image_config, author) },
	{ "comment", JSONFIELD_STRING, offsetof(struct image_config, comment) },
	{ "docker_version", JSONFIELD_STRING, offsetof(struct image_config, docker_version) },
	{ "created", JSONFIELD_STRING, offsetof(struct image_config, created) },
	{ "config", JSONFIELD_OBJECT, offsetof(struct image_config, config) },
	{ 0 },
};

#define SETTING(member) offsetof(struct image_settings, member)

static const struct jsonfield settings_fields[] = {
	{ "User", JSONFIELD_STRING, SETTING(user) },
	{ "WorkingDir", JSONFIELD_STRING, SETTING(working_dir) },
	{ "StopSignal", JSONFIELD_STRING, SETTING(stop_signal) },
	{ "Env", JSONFIELD_STRLIST, SETTING(env) },
	{ "OnBuild", JSONFIELD_STRLIST, SETTING(on_build) },
	{ "ExposedPorts", JSONFIELD_OBJECT, SETTING(exposed_ports) },
	{ "Volumes", JSONFIELD_OBJECT, SETTING(volumes) },
	{ "Labels", JSONFIELD_STRMAP, SETTING(labels) },
	{ "Healthcheck", JSONFIELD_OBJECT, SETTING(healthcheck) },
	{ "ArgsEscaped", JSONFIELD_BOOL, SETTING(args_escaped) },
	{ 0 },
};

static const struct jsonfield history_fields[] = {
	{ "created", JSONFIELD_STRING, offsetof(struct image_history, created) },
	{ "created_by", JSONFIELD_STRING, offsetof(struct image_history, created_by) },
	{ "author", JSONFIELD_STRING, offsetof(struct image_history, author) },
	{ "comment", JSONFIELD_STRING, offsetof(struct image_history, comment) },
	{ "empty_layer", JSONFIELD_BOOL, offsetof(struct image_history, empty_layer) },
	{ 0 },
};

#define STEP_KEY "veneer.step"

/* The parts of the document that are not kept as they are. */
struct lists {
	json_t *rootfs;
	json_t *history;
};

static const struct jsonfield lists_fields[] = {
	{ "rootfs", JSONFIELD_OBJECT, offsetof(struct lists, rootfs) },
	{ "history", JSONFIELD_ARRAY, offsetof(struct lists, history) },
	{ 0 },
};

static void lists_done(struct lists *lists)
{
	jsonfield_done(lists_fields, lists);
}
#define auto_lists __attribute__((cleanup(lists_done)))

struct rootfs {
	char *type;
	struct strlist diff_ids;
};

static const struct jsonfield rootfs_fields[] = {
	{ "type", JSONFIELD_STRING, offsetof(struct rootfs, type) },
	{ "diff_ids", JSONFIELD_STRLIST, offsetof(struct rootfs, diff_ids) },
	{ 0 },
};

static void rootfs_done(struct rootfs *rootfs)
{
	jsonfield_done(rootfs_fields, rootfs);
}
#define auto_rootfs __attribute__((cleanup(rootfs_done)))

static void settings_done(struct image_settings *settings)
{
	jsonfield_done(settings_fields, settings);
	strlist_done(&settings->entrypoint);
	strlist_done(&settings->cmd);
	strlist_done(&settings->shell);
}

void image_config_done(struct image_config *config)
{
	settings_done(&config->settings);
	jsonfield_done(text_fields, config);
	free(config->diff_ids);
	for (size_t i = 0; i < config->nr_history; i++)
		jsonfield_done(history_fields, &config->history[i]);
	free(config->history);
	*config = (struct image_config){ 0 };
}

/* A command may be one string instead of a list of strings. */
static int decode_command(const json_t *object, const char *key, struct strlist *ret,
			  struct error *err)
{
	const struct jsonfield fields[] = { { key, JSONFIELD_STRLIST, 0 }, { 0 } };
	const json_t *value = json_object_get(object, key);

	if (json_is_string(value)) {
		strlist_add(ret, json_string_value(value));
		return 0;
	}
	return jsonfield_decode(object, fields, JSONFIELD_TOLERANT, ret, err);
}

static int parse_settings(const json_t *object, struct image_settings *ret, struct error *err)
{
	if (!object)
		return 0;
	if (jsonfield_decode(object, settings_fields, JSONFIELD_TOLERANT, ret, err) < 0 ||
	    decode_command(object, "Entrypoint", &ret->entrypoint, err) < 0 ||
	    decode_command(object, "Cmd", &ret->cmd, err) < 0 ||
	    decode_command(object, "Shell", &ret->shell, err) < 0)
		return err_add(err, "key \"config\"");
	return 0;
}

/* Go writes year 1 for a time that was never set; such a text is no time. */
static int parse_created(const char *text, bool *ret_has, int64_t *ret_ns, struct error *err)
{
	*ret_has = false;
	*ret_ns = 0;
	if (!text || !*text || strncmp(text, "0001-01-01T00:00:00", 19) == 0)
		return 0;
	if (rfc3339_parse(text, ret_ns, err) < 0)
		return err_add(err, "key \"created\"");
	*ret_has = true;
	return 0;
}

static int parse_rootfs(const json_t *object, struct image_config *ret, struct error *err)
{
	auto_rootfs struct rootfs rootfs = { 0 };

	if (!object)
		return err_set(err, ERR_CORRUPT, "invalid image JSON, no RootFS key");
	if (jsonfield_decode(object, rootfs_fields, JSONFIELD_TOLERANT, &rootfs, err) < 0)
		return err_add(err, "key \"rootfs\"");
	if (rootfs.type && *rootfs.type && strcmp(rootfs.type, "layers") != 0)
		return err_set(err, ERR_UNSUPPORTED, "unsupported rootfs type \"%.64s\"",
			       rootfs.type);
	if (rootfs.diff_ids.nr > LIMIT_LAYERS)
		return err_set(err, ERR_LIMIT, "image has %zu layers, more than %d",
			       rootfs.diff_ids.nr, LIMIT_LAYERS);
	ret->diff_ids = xcalloc(rootfs.diff_ids.nr, sizeof(*ret->diff_ids));
	for (size_t i = 0; i < rootfs.diff_ids.nr; i++)
		if (digest_parse(rootfs.diff_ids.items[i], &ret->diff_ids[i], err) < 0)
			return err_add(err, "key \"rootfs\": diff_ids[%zu]", i);
	ret->nr_layers = rootfs.diff_ids.nr;
	return 0;
}

/* Whatever else is there is no key: nobody needs it, so it is no error either. */
static void parse_step_key(const json_t *object, struct digest *ret)
{
	const char *text = json_string_value(json_object_get(object, STEP_KEY));
	struct error err;

	*ret = (struct digest){ 0 };
	if (text)
		digest_parse(text, ret, &err);
}

static int parse_history_entry(const json_t *object, struct image_history *ret, struct error *err)
{
	if (jsonfield_decode(object, history_fields, JSONFIELD_TOLERANT, ret, err) < 0)
		return -1;
	if (parse_created(ret->created, &ret->has_created, &ret->created_ns, err) < 0) {
		jsonfield_done(history_fields, ret);
		return -1;
	}
	parse_step_key(object, &ret->step_key);
	return 0;
}

static int parse_history(const json_t *array, struct image_config *ret, struct error *err)
{
	size_t nr = json_array_size(array), layers = 0;

	if (nr > LIMIT_HISTORY)
		return err_set(err, ERR_LIMIT, "image has %zu history entries, more than %d", nr,
			       LIMIT_HISTORY);
	ret->history = xcalloc(nr, sizeof(*ret->history));
	for (size_t i = 0; i < nr; i++) {
		if (parse_history_entry(json_array_get(array, i), &ret->history[i], err) < 0)
			return err_add(err, "invalid image JSON: key \"history\": [%zu]", i);
		ret->nr_history++;
		layers += !ret->history[i].empty_layer;
	}
	if (layers > ret->nr_layers)
		return err_set(err, ERR_CORRUPT, "too many non-empty layers in History section");
	return 0;
}

static int parse(const json_t *json, struct image_config *ret, struct error *err)
{
	auto_lists struct lists lists = { 0 };

	if (jsonfield_decode(json, text_fields, JSONFIELD_TOLERANT, ret, err) < 0 ||
	    jsonfield_decode(json, lists_fields, JSONFIELD_TOLERANT, &lists, err) < 0 ||
	    parse_created(ret->created, &ret->has_created, &ret->created_ns, err) < 0 ||
	    parse_settings(ret->config, &ret->settings, err) < 0)
		return err_add(err, "invalid image JSON");
	if (!ret->architecture)
		ret->architecture = xstrdup("");
	if (!ret->os || !*ret->os) {
		free(ret->os);
		ret->os = xstrdup("linux");
	}
	if (parse_rootfs(lists.rootfs, ret, err) < 0)
		return lists.rootfs ? err_add(err, "invalid image JSON") : -1;
	return parse_history(lists.history, ret, err);
}

int image_config_parse(const void *data, size_t len, struct image_config *ret, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	auto_json json_t *json = NULL;

	*ret = (struct image_config){ 0 };
	if (jsonfield_load(data, len, LIMIT_JSON_BYTES, &json, err) < 0)
		return err_add(err, "invalid image JSON");
	if (parse(json, &config, err) < 0)
		return -1;
	*ret = config;
	config = (struct image_config){ 0 };
	return 0;
}

int image_config_check_os(const struct image_config *config, struct error *err)
{
	if (strcmp(config->os, "linux") == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "cannot load %.64s image on linux", config->os);
}

const char *image_config_label(const struct image_config *config, const char *key)
{
	const json_t *value = json_object_get(config->settings.labels, key);

	return json_is_null(value) ? "" : json_string_value(value);
}

void image_config_platform(const struct image_config *config, struct platform *ret)
{
	platform_set(ret, config->os, config->architecture, config->variant);
}

const struct image_history *image_config_layer_history(const struct image_config *config,
						       size_t layer)
{
	for (size_t i = 0; i < config->nr_history; i++)
		if (!config->history[i].empty_layer && layer-- == 0)
			return &config->history[i];
	return NULL;
}

void chain_id_next(const struct digest *parent, const struct digest *diff_id, struct digest *ret)
{
	char text[2 * DIGEST_TEXT_LEN + 1];

	if (!parent || !digest_is_set(parent)) {
		*ret = *diff_id;
		return;
	}
	memcpy(text, parent->text, DIGEST_TEXT_LEN);
	text[DIGEST_TEXT_LEN] = ' ';
	memcpy(text + DIGEST_TEXT_LEN + 1, diff_id->text, DIGEST_TEXT_LEN);
	digest_of(text, sizeof(text), ret);
}

void image_config_chain_id(const struct image_config *config, size_t nr_layers, struct digest *ret)
{
	*ret = (struct digest){ 0 };
	for (size_t i = 0; i < nr_layers && i < config->nr_layers; i++)
		chain_id_next(ret, &config->diff_ids[i], ret);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, jsonfield_text(text));
}

static void set_created(json_t *object, bool has_created, int64_t created_ns)
{
	char text[RFC3339_SIZE];

	if (has_created)
		set_text(object, "created", rfc3339_format(created_ns, text));
}

static json_t *history_to_json(const struct image_history *entry)
{
	json_t *object = json_object();

	set_created(object, entry->has_created, entry->created_ns);
	set_text(object, "created_by", entry->created_by);
	set_text(object, "author", entry->author);
	set_text(object, "comment", entry->comment);
	if (entry->empty_layer)
		json_object_set_new(object, "empty_layer", json_true());
	set_text(object, STEP_KEY, entry->step_key.text);
	return object;
}

static json_t *rootfs_to_json(const struct image_config *config)
{
	json_t *object = json_object();
	json_t *diff_ids = json_array();

	for (size_t i = 0; i < config->nr_layers; i++)
		json_array_append_new(diff_ids, json_string(config->diff_ids[i].text));
	json_object_set_new(object, "type", json_string("layers"));
	json_object_set_new(object, "diff_ids", diff_ids);
	return object;
}

void image_config_write(const struct image_config *config, struct buf *ret)
{
	auto_json json_t *json = json_object();
	json_t *history = json_array();

	json_object_set_new(json, "architecture",
			    json_string(config->architecture ? config->architecture : ""));
	json_object_set_new(json, "os", json_string(config->os ? config->os : "linux"));
	set_text(json, "variant", config->variant);
	set_text(json, "os.version", config->os_version);
	set_text(json, "author", config->author);
	set_text(json, "comment", config->comment);
	set_text(json, "docker_version", config->docker_version);
	set_created(json, config->has_created, config->created_ns);
	json_object_set_new(json, "config",
			    config->config ? json_incref(config->config) : json_object());
	json_object_set_new(json, "rootfs", rootfs_to_json(config));
	for (size_t i = 0; i < config->nr_history; i++)
		json_array_append_new(history, history_to_json(&config->history[i]));
	json_object_set_new(json, "history", history);
	jsonfield_write(json, ret);
}

void image_config_write_import(const struct platform *platform, json_t *settings,
			       const char *comment, int64_t created_ns,
			       const struct digest *diff_id, struct buf *ret)
{
	auto_image_config struct image_config config = { 0 };

	config.architecture = xstrdup(platform->architecture);
	config.os = xstrdup(platform->os);
	config.variant = xstrdup(platform->variant);
	config.comment = xstrdup(comment);
	config.has_created = true;
	config.created_ns = created_ns;
	config.config = json_incref(settings);
	config.diff_ids = xcalloc(1, sizeof(*config.diff_ids));
	config.diff_ids[0] = *diff_id;
	config.nr_layers = 1;
	config.history = xcalloc(1, sizeof(*config.history));
	config.history[0].has_created = true;
	config.history[0].created_ns = created_ns;
	config.history[0].comment = xstrdup(comment);
	config.nr_history = 1;
	image_config_write(&config, ret);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/setting.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/path.h"
#include "limits.h"
#include "oci/expand.h"
#include "oci/gotext.h"
#include "oci/healthcheck.h"
#include "oci/port.h"
#include "oci/words.h"

/* What jsonfield_load() takes, less the other half for the layers and the history. */
#define SETTINGS_BYTES_MAX  (LIMIT_JSON_BYTES / 2)
#define SETTINGS_VALUES_MAX (JSONFIELD_VALUES_MAX / 2)
/* A port takes two of these values. */
#define PORTS_MAX (SETTINGS_VALUES_MAX / 2)

/* One instruction at work. */
struct change {
	json_t *settings;
	const struct instruction *instruction;
	struct setting_stage *stage;
	struct expand_scope scope;
	struct strlist env;    /* what variables stand for, when the stage does not say */
	struct buf created_by; /* behind the name */
};

static void change_done(struct change *change)
{
	strlist_done(&change->env);
	buf_done(&change->created_by);
}
#define auto_change __attribute__((cleanup(change_done)))

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

static json_t *list_to_json(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

/* A list or object among the settings, made when absent; borrowed. */
static json_t *get_member(json_t *settings, const char *key, json_type type, struct error *err)
{
	json_t *value = json_object_get(settings, key);

	if (!value || json_is_null(value)) {
		value = type == JSON_ARRAY ? json_array() : json_object();
		json_object_set_new(settings, key, value);
	}
	if (json_typeof(value) == type)
		return value;
	err_set(err, ERR_CORRUPT, "config key \"%s\" must be %s", key,
		type == JSON_ARRAY ? "an array" : "an object");
	return NULL;
}

/* What variables stand for before this instruction. */
static void load_env(struct change *change)
{
	const json_t *env = json_object_get(change->settings, "Env");

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *text = json_string_value(json_array_get(env, i));

		if (text)
			strlist_add(&change->env, text);
	}
	change->scope.env = change->env.items;
}

/* Adds all arguments, expanded. */
static int expand_args(struct change *change, struct strlist *ret, struct error *err)
{
	const struct strlist *args = &change->instruction->args;
	auto_buf struct buf text = { 0 };

	for (size_t i = 0; i < args->nr; i++) {
		if (expand_word(args->items[i], &change->scope, &text, err) < 0)
			return -1;
		strlist_add(ret, text.data);
	}
	return 0;
}

static int expand_only(struct change *change, struct buf *ret, struct error *err)
{
	if (expand_word(change->instruction->args.items[0], &change->scope, ret, err) < 0)
		return -1;
	buf_printf(&change->created_by, " %s", ret->data);
	return 0;
}

/* ---- CMD, ENTRYPOINT, SHELL ---- */

void setting_add_shell(const json_t *settings, json_t *array)
{
	const json_t *shell = json_object_get(settings, "Shell");

	if (json_array_size(shell)) {
		for (size_t i = 0; i < json_array_size(shell); i++)
			json_array_append(array, json_array_get(shell, i));
		return;
	}
	json_array_append_new(array, json_string("/bin/sh"));
	json_array_append_new(array, json_string("-c"));
}

/* Returns new: empty for no command. */
static json_t *make_command(struct change *change)
{
	const struct strlist *args = &change->instruction->args;
	json_t *command = list_to_json(args);

	if (!change->instruction->is_json && args->nr) {
		json_array_clear(command);
		setting_add_shell(change->settings, command);
		json_array_append_new(command, json_string(args->items[0]));
	}
	buf_putc(&change->created_by, ' ');
	gotext_quoted_list(command, &change->created_by);
	return command;
}

static int apply_cmd(struct change *change, struct error *err)
{
	(void)err;
	json_object_set_new(change->settings, "Cmd", make_command(change));
	change->stage->cmd_given = true;
	return 0;
}

static int apply_entrypoint(struct change *change, struct error *err)
{
	auto_json json_t *command = make_command(change);

	(void)err;
	if (json_array_size(command))
		json_object_set(change->settings, "Entrypoint", command);
	else
		json_object_del(change->settings, "Entrypoint");
	if (!change->stage->cmd_given)
		json_object_del(change->settings, "Cmd");
	return 0;
}

static int apply_shell(struct change *change, struct error *err)
{
	json_t *shell = list_to_json(&change->instruction->args);

	(void)err;
	json_object_set_new(change->settings, "Shell", shell);
	buf_putc(&change->created_by, ' ');
	gotext_list(shell, &change->created_by);
	return 0;
}

/* ---- ENV, LABEL ---- */

/* Keys and values in turn, expanded; a key may come out blank only now. */
static int expand_pairs(struct change *change, struct strlist *ret, struct error *err)
{
	if (expand_args(change, ret, err) < 0)
		return -1;
	for (size_t i = 0; i < ret->nr; i += 2) {
		if (!*ret->items[i])
			return err_set(err, ERR_USAGE, "%s names can not be blank",
				       change->instruction->name);
		buf_printf(&change->created_by, " %s=%s", ret->items[i], ret->items[i + 1]);
	}
	return 0;
}

static void set_env(json_t *env, const char *key, const char *value)
{
	auto_free char *text = xasprintf("%s=%s", key, value);
	size_t len = strlen(key);

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *old = json_string_value(json_array_get(env, i));

		if (old && strncmp(old, key, len) == 0 && (!old[len] || old[len] == '=')) {
			json_array_set_new(env, i, json_string(text));
			return;
		}
	}
	json_array_append_new(env, json_string(text));
}

static int apply_env(struct change *change, struct error *err)
{
	auto_strlist struct strlist pairs = { 0 };
	json_t *env = get_member(change->settings, "Env", JSON_ARRAY, err);

	if (!env || expand_pairs(change, &pairs, err) < 0)
		return -1;
	for (size_t i = 0; i < pairs.nr; i += 2)
		set_env(env, pairs.items[i], pairs.items[i + 1]);
	return 0;
}

static int apply_label(struct change *change, struct error *err)
{
	auto_strlist struct strlist pairs = { 0 };
	json_t *labels = get_member(change->settings, "Labels", JSON_OBJECT, err);

	if (!labels || expand_pairs(change, &pairs, err) < 0)
		return -1;
	for (size_t i = 0; i < pairs.nr; i += 2)
		set_text(labels, pairs.items[i], pairs.items[i + 1]);
	return 0;
}

/* ---- EXPOSE, HEALTHCHECK, ONBUILD ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int apply_expose(struct change *change, struct error *err)
{
	const struct strlist *args = &change->instruction->args;
	auto_strlist struct strlist words = { 0 }, added = { 0 };
	json_t *ports = get_member(change->settings, "ExposedPorts", JSON_OBJECT, err);
	auto_json json_t *shown = json_array();

	if (!ports)
		return -1;
	for (size_t i = 0; i < args->nr; i++)
		if (expand_words(args->items[i], &change->scope, &words, err) < 0)
			return -1;
	if (words.nr)
		qsort(words.items, words.nr, sizeof(*words.items), compare_text);
	for (size_t i = 0; i < words.nr; i++)
		if (port_expand(words.items[i], PORTS_MAX, &added, err) < 0)
			return -1;
	for (size_t i = 0; i < added.nr; i++) {
		json_object_set_new(ports, added.items[i], json_object());
		json_array_append_new(shown, json_string(added.items[i]));
	}
	buf_putc(&change->created_by, ' ');
	gotext_list(shown, &change->created_by);
	return 0;
}

static int apply_healthcheck(struct change *change, struct error *err)
{
	json_t *health;

	if (healthcheck_make(change->instruction, &health, err) < 0)
		return -1;
	json_object_set_new(change->settings, "Healthcheck", health);
	buf_putc(&change->created_by, ' ');
	healthcheck_print(health, &change->created_by);
	return 0;
}

static int apply_onbuild(struct change *change, struct error *err)
{
	const char *trigger = change->instruction->args.items[0];
	json_t *list = get_member(change->settings, "OnBuild", JSON_ARRAY, err);

	if (!list)
		return -1;
	json_array_append_new(list, json_string(trigger));
	buf_printf(&change->created_by, " %s", trigger);
	return 0;
}

/* ---- STOPSIGNAL, USER, VOLUME, WORKDIR ---- */

static int apply_maintainer(struct change *change, struct error *err)
{
	(void)err;
	buf_printf(&change->created_by, " %s", change->instruction->args.items[0]);
	return 0;
}

static int apply_stopsignal(struct change *change, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (expand_only(change, &text, err) < 0)
		return -1;
	if (!signal_is_known(text.data))
		return err_set(err, ERR_USAGE, "invalid signal: %.64s", text.data);
	set_text(change->settings, "StopSignal", text.data);
	return 0;
}

static int apply_user(struct change *change, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (expand_only(change, &text, err) < 0)
		return -1;
	set_text(change->settings, "User", text.data);
	return 0;
}

static int apply_volume(struct change *change, struct error *err)
{
	auto_strlist struct strlist words = { 0 };
	json_t *volumes = get_member(change->settings, "Volumes", JSON_OBJECT, err);
	auto_json json_t *shown = NULL;

	if (!volumes || expand_args(change, &words, err) < 0)
		return -1;
	for (size_t i = 0; i < words.nr; i++) {
		if (!*words_skip_blanks(words.items[i]))
			return err_set(err, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
		json_object_set_new(volumes, words.items[i], json_object());
	}
	shown = list_to_json(&words);
	buf_putc(&change->created_by, ' ');
	gotext_list(shown, &change->created_by);
	return 0;
}

static int apply_workdir(struct change *change, struct error *err)
{
	const char *former = json_string_value(json_object_get(change->settings, "WorkingDir"));
	const char *arg = change->instruction->args.items[0];
	auto_buf struct buf text = { 0 }, path = { 0 };

	if (expand_word(arg, &change->scope, &text, err) < 0)
		return -1;
	if (!text.len)
		return err_set(err, ERR_USAGE, "cannot normalize nothing");
	if (*text.data != '/' && former)
		path_add(former, &path);
	path_add(text.data, &path);
	if (!path.len)
		buf_putc(&path, '/');
	json_object_set_new(change->settings, "WorkingDir", json_stringn(path.data, path.len));
	buf_putc(&change->created_by, ' ');
	buf_append(&change->created_by, path.data, path.len);
	return 0;
}

/* ---- the instruction ---- */

/* By enum instruction_kind */
static int (*const appliers[])(struct change *change, struct error *err) = {
	[INSTRUCTION_CMD] = apply_cmd,
	[INSTRUCTION_ENTRYPOINT] = apply_entrypoint,
	[INSTRUCTION_ENV] = apply_env,
	[INSTRUCTION_EXPOSE] = apply_expose,
	[INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
	[INSTRUCTION_LABEL] = apply_label,
	[INSTRUCTION_MAINTAINER] = apply_maintainer,
	[INSTRUCTION_ONBUILD] = apply_onbuild,
	[INSTRUCTION_SHELL] = apply_shell,
	[INSTRUCTION_STOPSIGNAL] = apply_stopsignal,
	[INSTRUCTION_USER] = apply_user,
	[INSTRUCTION_VOLUME] = apply_volume,
	[INSTRUCTION_WORKDIR] = apply_workdir,
};

bool setting_is_metadata(enum instruction_kind kind)
{
	return (size_t)kind < sizeof(appliers) / sizeof(*appliers) && appliers[kind];
}

/* A config that could not be read again must not be written. */
static int check_settings(const json_t *settings, struct error *err)
{
	auto_buf struct buf text = { 0 };
	bool in_string = false;
	size_t values = 1;

	jsonfield_write(settings, &text);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string)
			values += c == '{' || c == '[' || c == ',';
	}
	if (text.len > SETTINGS_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the config is larger than %u bytes",
			       SETTINGS_BYTES_MAX);
	if (values > SETTINGS_VALUES_MAX)
		return err_set(err, ERR_LIMIT, "the config has more than %d values",
			       SETTINGS_VALUES_MAX);
	return 0;
}

int setting_apply(json_t *settings, const struct instruction *instruction,
		  struct setting_stage *stage, struct buf *ret_created_by, struct error *err)
{
	auto_json json_t *changed = json_deep_copy(settings);
	struct setting_stage next = *stage;
	auto_change struct change change = { .settings = changed,
					     .instruction = instruction,
					     .stage = &next };

	change.scope = expand_scope(stage->vars, stage->escape);
	if (!stage->vars)
		load_env(&change);
	buf_puts(&change.created_by, instruction->name);
	if (appliers[instruction->kind](&change, err) < 0 || check_settings(changed, err) < 0)
		return -1;
	json_object_clear(settings);
	json_object_update(settings, changed);
	*stage = next;
	if (ret_created_by)
		buf_append(ret_created_by, change.created_by.data, change.created_by.len);
	return 0;
}

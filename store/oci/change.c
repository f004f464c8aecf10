/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/change.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "base/jsonfield.h"
#include "limits.h"
#include "oci/expand.h"
#include "oci/words.h"

#define ESCAPE '\\'
#define BLANKS " \t\n\v\f\r"
/* What jsonfield_load() takes, less the other half for the layers and the history. */
#define SETTINGS_BYTES_MAX  (LIMIT_JSON_BYTES / 2)
#define SETTINGS_VALUES_MAX (JSONFIELD_VALUES_MAX / 2)
/* A port takes two of these values. */
#define PORTS_MAX (SETTINGS_VALUES_MAX / 2)
/* docker: container.MinimumDuration */
#define HEALTH_NS_MIN 1000000

/* One instruction, taken apart. */
struct change {
	json_t *settings;
	const char *name; /* of the instruction, upper case */
	const char *rest; /* behind the flags, no blanks at either end */
	struct strlist flags;
	struct strlist env; /* before this instruction */
	struct expand_scope scope;
};

static void change_done(struct change *change)
{
	strlist_done(&change->flags);
	strlist_done(&change->env);
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

/* Instructions and their keywords: any case. */
static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static int need_argument(const struct change *change, const char *how_many, struct error *err)
{
	if (*change->rest)
		return 0;
	return err_set(err, ERR_USAGE, "%s requires %s one argument", change->name, how_many);
}

/* What variables stand for from now on. */
static void load_env(struct change *change)
{
	const json_t *env = json_object_get(change->settings, "Env");

	strlist_done(&change->env);
	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *text = json_string_value(json_array_get(env, i));

		if (text)
			strlist_add(&change->env, text);
	}
	change->scope.env = change->env.items;
}

/* ---- CMD, ENTRYPOINT ---- */

/* The image's own SHELL, else the default. */
static void add_shell(const json_t *settings, json_t *array)
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

/* Returns 0 with a new array, empty for no command. */
static int parse_command(const struct change *change, json_t **ret, struct error *err)
{
	auto_strlist struct strlist words = { 0 };
	bool is_json;

	if (words_json(change->rest, &words, &is_json, err) < 0)
		return -1;
	*ret = list_to_json(&words);
	if (!is_json && *change->rest) {
		add_shell(change->settings, *ret);
		json_array_append_new(*ret, json_string(change->rest));
	}
	return 0;
}

static int apply_cmd(struct change *change, struct error *err)
{
	json_t *command;

	if (parse_command(change, &command, err) < 0)
		return -1;
	json_object_set_new(change->settings, "Cmd", command);
	return 0;
}

static int apply_entrypoint(struct change *change, struct error *err)
{
	auto_json json_t *command = NULL;

	if (parse_command(change, &command, err) < 0)
		return -1;
	if (json_array_size(command))
		json_object_set(change->settings, "Entrypoint", command);
	else
		json_object_del(change->settings, "Entrypoint");
	return 0;
}

/* ---- ENV, LABEL ---- */

/* Keys and values in turn, expanded; a key may come out blank only now. */
static int parse_pairs(struct change *change, struct strlist *ret, struct error *err)
{
	auto_strlist struct strlist pairs = { 0 };
	auto_buf struct buf text = { 0 };

	if (words_pairs(change->rest, ESCAPE, change->name, &pairs, err) < 0)
		return -1;
	for (size_t i = 0; i < pairs.nr; i++) {
		if (expand_word(pairs.items[i], &change->scope, &text, err) < 0)
			return -1;
		if (i % 2 == 0 && !text.len)
			return err_set(err, ERR_USAGE, "%s names can not be blank", change->name);
		strlist_add(ret, text.data);
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

	if (!env || parse_pairs(change, &pairs, err) < 0)
		return -1;
	for (size_t i = 0; i < pairs.nr; i += 2)
		set_env(env, pairs.items[i], pairs.items[i + 1]);
	load_env(change);
	return 0;
}

static int apply_label(struct change *change, struct error *err)
{
	auto_strlist struct strlist pairs = { 0 };
	json_t *labels = get_member(change->settings, "Labels", JSON_OBJECT, err);

	if (!labels || parse_pairs(change, &pairs, err) < 0)
		return -1;
	for (size_t i = 0; i < pairs.nr; i += 2)
		set_text(labels, pairs.items[i], pairs.items[i + 1]);
	return 0;
}

/* ---- EXPOSE ---- */

/* A decimal number up to max, ended by `end` or the text's end; -1 otherwise. */
static int64_t take_number(const char **at, char end, int64_t max)
{
	const char *p = *at;
	int64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -1;
	for (; isdigit((unsigned char)*p); p++) {
		value = 10 * value + (*p - '0');
		if (value > max)
			return -1;
	}
	if (*p && *p != end)
		return -1;
	*at = p + (*p == end && *p);
	return value;
}

/* Behind the '/', in lower case; NULL when there is no such protocol. */
static const char *find_proto(const char *name)
{
	static const char *const protos[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++)
		if (strcasecmp(protos[i], name) == 0)
			return protos[i];
	return *name ? NULL : "tcp";
}

/* "80", "80/udp", "8000-8010/tcp" */
static int expose(json_t *ports, const char *word, struct error *err)
{
	size_t len = strcspn(word, "/");
	const char *proto = find_proto(word + len + (word[len] == '/'));
	auto_free char *range = xasprintf("%.*s", (int)len, word);
	const char *at = range;
	int64_t first, last;

	if (strchr(word, ':'))
		return err_set(err, ERR_USAGE,
			       "EXPOSE instruction should not define an IP address or host-port "
			       "mapping, found '%.64s'",
			       word);
	if (!len)
		return err_set(err, ERR_USAGE, "no port specified: %.64s<empty>", word);
	if (!proto)
		return err_set(err, ERR_USAGE, "invalid proto: %.64s", word + len + 1);
	first = last = take_number(&at, '-', UINT16_MAX);
	if (first >= 0 && at[-1] == '-')
		last = take_number(&at, '\0', UINT16_MAX);
	if (first < 0 || last < first)
		return err_set(err, ERR_USAGE, "invalid containerPort: %.64s", range);
	for (int64_t port = first; port <= last; port++) {
		auto_free char *key = xasprintf("%d/%s", (int)port, proto);

		json_object_set_new(ports, key, json_object());
		if (json_object_size(ports) > PORTS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d exposed ports", PORTS_MAX);
	}
	return 0;
}

static int apply_expose(struct change *change, struct error *err)
{
	auto_strlist struct strlist words = { 0 }, list = { 0 };
	json_t *ports = get_member(change->settings, "ExposedPorts", JSON_OBJECT, err);

	if (!ports || need_argument(change, "at least", err) < 0)
		return -1;
	words_split(change->rest, &words);
	for (size_t i = 0; i < words.nr; i++)
		if (expand_words(words.items[i], &change->scope, &list, err) < 0)
			return -1;
	for (size_t i = 0; i < list.nr; i++)
		if (expose(ports, list.items[i], err) < 0)
			return -1;
	return 0;
}

/* ---- HEALTHCHECK ---- */

static const struct health_flag {
	const char *name;
	const char *key;
	bool is_count; /* else a duration */
} health_flags[] = {
	{ "interval", "Interval" },	   { "timeout", "Timeout" },
	{ "start-period", "StartPeriod" }, { "start-interval", "StartInterval" },
	{ "retries", "Retries", true },
};
#define NR_HEALTH_FLAGS (sizeof(health_flags) / sizeof(*health_flags))

static int unknown_flag(const char *flag, struct error *err)
{
	size_t len = strcspn(flag, "=");

	return err_set(err, ERR_USAGE, "unknown flag: %.*s", len < 64 ? (int)len : 64, flag);
}

static int parse_health_value(const struct health_flag *flag, const char *text, int64_t *ret,
			      struct error *err)
{
	const char *at = text;

	*ret = 0;
	if (!*text)
		return 0;
	if (flag->is_count) {
		*ret = take_number(&at, '\0', INT32_MAX);
		if (*ret < 0)
			return err_set(err, ERR_USAGE, "invalid value \"%.64s\" for flag --%s",
				       text, flag->name);
		return 0;
	}
	if (duration_parse(text, ret, err) < 0)
		return -1;
	if (*ret && *ret < HEALTH_NS_MIN)
		return err_set(err, ERR_USAGE, "Interval \"%s\" cannot be less than 1ms",
			       flag->name);
	return 0;
}

/* Zero is the default, and is not stored. */
static int parse_health_flag(const char *text, unsigned int *seen, json_t *health,
			     struct error *err)
{
	size_t len = strcspn(text, "="), i;
	int64_t value;

	for (i = 0; i < NR_HEALTH_FLAGS; i++)
		if (strlen(health_flags[i].name) == len - 2 &&
		    memcmp(health_flags[i].name, text + 2, len - 2) == 0)
			break;
	if (i == NR_HEALTH_FLAGS)
		return unknown_flag(text, err);
	if (*seen & (1u << i))
		return err_set(err, ERR_USAGE, "duplicate flag specified: --%s",
			       health_flags[i].name);
	*seen |= 1u << i;
	if (!text[len])
		return err_set(err, ERR_USAGE, "missing a value on flag: --%s",
			       health_flags[i].name);
	if (parse_health_value(&health_flags[i], text + len + 1, &value, err) < 0)
		return -1;
	if (value)
		json_object_set_new(health, health_flags[i].key, json_integer(value));
	return 0;
}

static int parse_health_test(const char *text, json_t *test, struct error *err)
{
	auto_strlist struct strlist words = { 0 };
	bool is_json;

	if (words_json(text, &words, &is_json, err) < 0)
		return -1;
	if (is_json ? !words.nr : !*text)
		return err_set(err, ERR_USAGE, "Missing command after HEALTHCHECK CMD");
	json_array_append_new(test, json_string(is_json ? "CMD" : "CMD-SHELL"));
	if (!is_json)
		strlist_add(&words, text);
	for (size_t i = 0; i < words.nr; i++)
		json_array_append_new(test, json_string(words.items[i]));
	return 0;
}

static int apply_healthcheck(struct change *change, struct error *err)
{
	size_t len = strcspn(change->rest, BLANKS);
	const char *command = words_skip_blanks(change->rest + len);
	auto_free char *type = xasprintf("%.*s", (int)len, change->rest);
	auto_json json_t *health = json_object();
	json_t *test = json_array();
	unsigned int seen = 0;

	json_object_set_new(health, "Test", test);
	if (need_argument(change, "at least", err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		type[i] = (char)toupper((unsigned char)type[i]);
	for (size_t i = 0; i < change->flags.nr; i++)
		if (parse_health_flag(change->flags.items[i], &seen, health, err) < 0)
			return -1;
	if (is_word(type, len, "NONE")) {
		if (*command)
			return err_set(err, ERR_USAGE, "HEALTHCHECK NONE takes no arguments");
		json_object_clear(health);
		json_object_set_new(health, "Test", json_pack("[s]", "NONE"));
	} else if (!is_word(type, len, "CMD")) {
		return err_set(err, ERR_USAGE, "Unknown type \"%.64s\" in HEALTHCHECK (try CMD)",
			       type);
	} else if (parse_health_test(command, test, err) < 0) {
		return -1;
	}
	json_object_set(change->settings, "Healthcheck", health);
	return 0;
}

/* ---- ONBUILD ---- */

static int apply_onbuild(struct change *change, struct error *err)
{
	size_t len = strcspn(change->rest, BLANKS);
	json_t *list = get_member(change->settings, "OnBuild", JSON_ARRAY, err);

	if (!list || need_argument(change, "at least", err) < 0)
		return -1;
	if (is_word(change->rest, len, "ONBUILD"))
		return err_set(err, ERR_USAGE,
			       "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (is_word(change->rest, len, "FROM") || is_word(change->rest, len, "MAINTAINER"))
		return err_set(err, ERR_USAGE, "%s isn't allowed as an ONBUILD trigger",
			       len == 4 ? "FROM" : "MAINTAINER");
	json_array_append_new(list, json_string(change->rest));
	return 0;
}

/* ---- STOPSIGNAL, USER, VOLUME, WORKDIR ---- */

/* The whole rest as one word. */
static int parse_single(struct change *change, struct buf *ret, struct error *err)
{
	if (need_argument(change, "exactly", err) < 0)
		return -1;
	return expand_word(change->rest, &change->scope, ret, err);
}

/* "RTMIN", "RTMIN+3", "RTMAX-1": the kernel's range, not what the C library leaves of it. */
static bool is_realtime_signal(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	const char *at = name + 6;
	int64_t offset;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return false;
	if (!name[5])
		return true;
	if (name[5] != (from_min ? '+' : '-'))
		return false;
	offset = take_number(&at, '\0', from_min ? 15 : 14);
	return offset > 0 && name[6] != '0';
}

static bool is_signal(const char *text)
{
	static const char *const aliases[] = { "CLD", "IO", "IOT" };
	const char *at = text;

	if (isdigit((unsigned char)*text))
		return take_number(&at, '\0', 64) > 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0)
			return true;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (strcasecmp(aliases[i], text) == 0)
			return true;
	return is_realtime_signal(text);
}

static int apply_stopsignal(struct change *change, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (parse_single(change, &text, err) < 0)
		return -1;
	if (!is_signal(text.data))
		return err_set(err, ERR_USAGE, "invalid signal: %.64s", text.data);
	set_text(change->settings, "StopSignal", text.data);
	return 0;
}

static int apply_user(struct change *change, struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (parse_single(change, &text, err) < 0)
		return -1;
	set_text(change->settings, "User", text.data);
	return 0;
}

static int apply_volume(struct change *change, struct error *err)
{
	auto_strlist struct strlist words = { 0 };
	json_t *volumes = get_member(change->settings, "Volumes", JSON_OBJECT, err);
	auto_buf struct buf text = { 0 };
	bool is_json;

	if (!volumes || words_json(change->rest, &words, &is_json, err) < 0)
		return -1;
	if (!is_json)
		words_split(change->rest, &words);
	if (!words.nr)
		return err_set(err, ERR_USAGE, "VOLUME requires at least one argument");
	for (size_t i = 0; i < words.nr; i++) {
		if (expand_word(words.items[i], &change->scope, &text, err) < 0)
			return -1;
		if (!*words_skip_blanks(text.data))
			return err_set(err, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
		json_object_set_new(volumes, text.data, json_object());
	}
	return 0;
}

/* The components of a path are added to a clean absolute one; ".." stops at the root. */
static void add_path(const char *path, struct buf *ret)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (ret->len && ret->data[--ret->len] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			buf_putc(ret, '/');
			buf_append(ret, path, len);
		}
		path += len + (path[len] == '/');
	}
}

static int apply_workdir(struct change *change, struct error *err)
{
	const char *former = json_string_value(json_object_get(change->settings, "WorkingDir"));
	auto_buf struct buf text = { 0 }, path = { 0 };

	if (parse_single(change, &text, err) < 0)
		return -1;
	if (!text.len)
		return err_set(err, ERR_USAGE, "cannot normalize nothing");
	if (*text.data != '/' && former)
		add_path(former, &path);
	add_path(text.data, &path);
	if (!path.len)
		buf_putc(&path, '/');
	json_object_set_new(change->settings, "WorkingDir", json_stringn(path.data, path.len));
	return 0;
}

/* ---- the instruction ---- */

static const struct instruction {
	const char *name;
	int (*apply)(struct change *change, struct error *err);
	bool has_flags;
} instructions[] = {
	{ "CMD", apply_cmd },
	{ "ENTRYPOINT", apply_entrypoint },
	{ "ENV", apply_env },
	{ "EXPOSE", apply_expose },
	{ "HEALTHCHECK", apply_healthcheck, true },
	{ "LABEL", apply_label },
	{ "ONBUILD", apply_onbuild },
	{ "STOPSIGNAL", apply_stopsignal },
	{ "USER", apply_user },
	{ "VOLUME", apply_volume },
	{ "WORKDIR", apply_workdir },
};

static const struct instruction *find_instruction(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(*instructions); i++)
		if (is_word(name, len, instructions[i].name))
			return &instructions[i];
	return NULL;
}

static void trim_end(struct buf *line)
{
	while (line->len && strchr(BLANKS, line->data[line->len - 1]))
		line->data[--line->len] = '\0';
}

static int apply_line(struct change *change, struct buf *line, struct error *err)
{
	const struct instruction *instruction;
	size_t len;

	trim_end(line);
	len = strcspn(line->data, BLANKS);
	instruction = find_instruction(line->data, len);
	if (!instruction) {
		for (size_t i = 0; i < len; i++)
			line->data[i] = (char)tolower((unsigned char)line->data[i]);
		return err_set(err, ERR_USAGE, "%.*s is not a valid change command",
			       len < 64 ? (int)len : 64, line->data);
	}
	strlist_done(&change->flags);
	change->name = instruction->name;
	change->rest = words_flags(line->data + len, ESCAPE, &change->flags);
	if (change->flags.nr && !instruction->has_flags)
		return unknown_flag(change->flags.items[0], err);
	return instruction->apply(change, err);
}

static int check_text(const char *text, struct error *err)
{
	auto_json json_t *probe = NULL;

	if (strnlen(text, WORDS_LINE_MAX + 1) > WORDS_LINE_MAX)
		return err_set(err, ERR_LIMIT, "a change is longer than %d bytes", WORDS_LINE_MAX);
	probe = json_string(text);
	if (!probe)
		return err_set(err, ERR_USAGE, "a change is not valid UTF-8");
	return 0;
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

int change_apply(json_t *settings, const char *text, struct error *err)
{
	auto_json json_t *changed = NULL;
	auto_change struct change change = { 0 };
	auto_buf struct buf line = { 0 };

	if (check_text(text, err) < 0)
		return -1;
	changed = json_deep_copy(settings);
	change.settings = changed;
	change.scope = expand_scope(NULL, ESCAPE);
	load_env(&change);
	while (words_logical_line(&text, ESCAPE, &line))
		if (apply_line(&change, &line, err) < 0)
			return -1;
	if (!change.name)
		return err_set(err, ERR_USAGE, "a change holds no instruction");
	if (check_settings(changed, err) < 0)
		return -1;
	json_object_clear(settings);
	json_object_update(settings, changed);
	return 0;
}

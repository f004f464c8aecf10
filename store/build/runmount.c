/* SPDX-License-Identifier: Apache-2.0 */
#include "build/runmount.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/csv.h"
#include "base/path.h"
#include "base/size.h"
#include "oci/instruction.h"

/* A mount at work: what the keys gave, before the type is known for sure. */
struct draft {
	struct runmount mount;
	struct expand_scope *scope;
	bool has_access, has_sharing, has_mode, has_uid, has_gid;
};

static const char *const type_names[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
static const char *const sharing_names[] = { "shared", "private", "locked" };

void runmount_done(struct runmount *mount)
{
	free(mount->target);
	free(mount->source);
	free(mount->from);
	free(mount->id);
	free(mount->env);
	*mount = (struct runmount){ 0 };
}

static int split_fields(const char *text, struct strlist *ret, struct error *err)
{
	if (csv_split(text, ret, err) < 0)
		return err_add(err, "failed to parse csv mounts");
	return 0;
}

/* ---- values ---- */

static int bad_value(const char *key, const char *value, struct error *err)
{
	return err_set(err, ERR_USAGE, "invalid value for %s: %.128s", key, value);
}

/* Go: strconv.ParseBool */
static int parse_bool(const char *key, const char *value, bool *ret, struct error *err)
{
	static const char *const words[] = { "0", "f", "F", "FALSE", "false", "False",
					     "1", "t", "T", "TRUE",  "true",  "True" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], value) != 0)
			continue;
		*ret = i >= 6;
		return 0;
	}
	return bad_value(key, value, err);
}

static int parse_number(const char *key, const char *value, unsigned int base, uint32_t *ret,
			struct error *err)
{
	uint64_t number = 0;

	for (const char *p = value; *p && number <= UINT32_MAX; p++)
		number = *p < '0' || *p >= (char)('0' + base)
				 ? UINT64_MAX
				 : base * number + (uint64_t)(*p - '0');
	if (!*value || number > UINT32_MAX)
		return err_set(err, ERR_USAGE, "invalid value %.128s for %s", value, key);
	*ret = (uint32_t)number;
	return 0;
}

/* The index of a word in any case; -1 */
static int find_word(const char *const *words, size_t nr, const char *text)
{
	for (size_t i = 0; i < nr; i++)
		if (strcasecmp(words[i], text) == 0)
			return (int)i;
	return -1;
}

static int unsupported(const char *what, const char *value, const char *const *words, size_t nr,
		       struct error *err)
{
	auto_buf struct buf hint = { 0 };

	buf_puts(&hint, "");
	instruction_suggest(value, words, nr, &hint);
	return err_set(err, ERR_USAGE, "unsupported %s \"%.128s\"%s", what, value, hint.data);
}

static int not_of_type(const struct draft *draft, const char *key, struct error *err)
{
	return err_set(err, ERR_USAGE, "unexpected key '%s' for mount type '%s'", key,
		       type_names[draft->mount.type]);
}

/* ---- keys ---- */

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

static int set_type(struct draft *draft, const char *value, struct error *err)
{
	int type = find_word(type_names, 5, value);

	if (type < 0)
		return unsupported("mount type", value, type_names, 5, err);
	draft->mount.type = (enum runmount_type)type;
	return 0;
}

static int set_sharing(struct draft *draft, const char *value, struct error *err)
{
	int sharing = find_word(sharing_names, 3, value);

	if (sharing < 0)
		return unsupported("sharing value", value, sharing_names, 3, err);
	draft->mount.sharing = (enum runmount_sharing)sharing;
	draft->has_sharing = true;
	return 0;
}

static int set_access(struct draft *draft, const char *key, const char *value, bool read_only,
		      struct error *err)
{
	bool on = false;

	if (parse_bool(key, value, &on, err) < 0)
		return -1;
	draft->mount.read_only = on == read_only;
	draft->has_access = true;
	return 0;
}

static int set_required(struct draft *draft, const char *value, struct error *err)
{
	if (draft->mount.type != RUNMOUNT_SECRET && draft->mount.type != RUNMOUNT_SSH)
		return not_of_type(draft, "required", err);
	return parse_bool("required", value, &draft->mount.required, err);
}

static int set_size(struct draft *draft, const char *value, struct error *err)
{
	struct error why;

	if (draft->mount.type != RUNMOUNT_TMPFS)
		return not_of_type(draft, "size", err);
	if (size_parse(value, &draft->mount.size_bytes, &why) < 0)
		return bad_value("size", value, err);
	return 0;
}

enum key {
	KEY_TYPE,
	KEY_FROM,
	KEY_SOURCE,
	KEY_TARGET,
	KEY_READ_ONLY,
	KEY_READ_WRITE,
	KEY_REQUIRED,
	KEY_SIZE,
	KEY_ID,
	KEY_SHARING,
	KEY_MODE,
	KEY_UID,
	KEY_GID,
	KEY_ENV,
};

static const struct key_name {
	const char *name;
	enum key key;
} key_names[] = {
	{ "type", KEY_TYPE },
	{ "from", KEY_FROM },
	{ "source", KEY_SOURCE },
	{ "src", KEY_SOURCE },
	{ "target", KEY_TARGET },
	{ "dst", KEY_TARGET },
	{ "destination", KEY_TARGET },
	{ "readonly", KEY_READ_ONLY },
	{ "ro", KEY_READ_ONLY },
	{ "readwrite", KEY_READ_WRITE },
	{ "rw", KEY_READ_WRITE },
	{ "required", KEY_REQUIRED },
	{ "size", KEY_SIZE },
	{ "id", KEY_ID },
	{ "sharing", KEY_SHARING },
	{ "mode", KEY_MODE },
	{ "uid", KEY_UID },
	{ "gid", KEY_GID },
	{ "env", KEY_ENV },
};
#define NR_KEYS (sizeof(key_names) / sizeof(*key_names))

static int unknown_key(const char *key, const char *field, struct error *err)
{
	const char *names[NR_KEYS];
	auto_buf struct buf hint = { 0 };

	for (size_t i = 0; i < NR_KEYS; i++)
		names[i] = key_names[i].name;
	buf_puts(&hint, "");
	instruction_suggest(key, names, NR_KEYS, &hint);
	return err_set(err, ERR_USAGE, "unexpected key '%.64s' in '%.128s'%s", key, field,
		       hint.data);
}

static int set_key(struct draft *draft, const struct key_name *key, const char *value,
		   struct error *err)
{
	struct runmount *mount = &draft->mount;

	switch (key->key) {
	case KEY_TYPE:
		return set_type(draft, value, err);
	case KEY_FROM:
		set_text(&mount->from, value);
		return 0;
	case KEY_SOURCE:
		set_text(&mount->source, value);
		return 0;
	case KEY_TARGET:
		set_text(&mount->target, value);
		return 0;
	case KEY_READ_ONLY:
	case KEY_READ_WRITE:
		return set_access(draft, key->name, value, key->key == KEY_READ_ONLY, err);
	case KEY_REQUIRED:
		return set_required(draft, value, err);
	case KEY_SIZE:
		return set_size(draft, value, err);
	case KEY_ID:
		set_text(&mount->id, value);
		return 0;
	case KEY_SHARING:
		return set_sharing(draft, value, err);
	case KEY_MODE:
		draft->has_mode = true;
		return parse_number("mode", value, 8, &mount->mode, err);
	case KEY_UID:
		draft->has_uid = true;
		return parse_number("uid", value, 10, &mount->uid, err);
	case KEY_GID:
		draft->has_gid = true;
		return parse_number("gid", value, 10, &mount->gid, err);
	case KEY_ENV:
		set_text(&mount->env, value);
		return 0;
	}
	return 0;
}

/* "from" must be known before variables are, so that stages can be put in order. */
static int check_from(const char *value, struct error *err)
{
	const char *dollar = strchr(value, '$');

	if (!dollar || !dollar[1])
		return 0;
	return err_set(err, ERR_USAGE,
		       "'from' doesn't support variable expansion, define alias stage instead");
}

/* The lower-case key of a field, and what is behind its '=', or NULL. */
static char *take_key(const char *field, const char **ret_value)
{
	size_t len = strcspn(field, "=");
	char *key = xasprintf("%.*s", (int)len, field);

	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	*ret_value = field[len] ? field + len + 1 : NULL;
	return key;
}

static bool may_stand_alone(enum key key)
{
	return key == KEY_READ_ONLY || key == KEY_READ_WRITE || key == KEY_REQUIRED;
}

static int take_field(struct draft *draft, const char *field, struct error *err)
{
	const char *value;
	auto_free char *key = take_key(field, &value);
	const struct key_name *name = NULL;
	auto_buf struct buf text = { 0 };

	for (size_t i = 0; i < NR_KEYS && !name; i++)
		if (strcmp(key_names[i].name, key) == 0)
			name = &key_names[i];
	if (!value) {
		if (!name || !may_stand_alone(name->key))
			return err_set(err, ERR_USAGE,
				       "invalid field '%.128s' must be a key=value pair", field);
		return set_key(draft, name, "true", err);
	}
	if (!name)
		return unknown_key(key, field, err);
	if (name->key == KEY_FROM && check_from(value, err) < 0)
		return -1;
	if (draft->scope && name->key != KEY_FROM) {
		if (expand_word(value, draft->scope, &text, err) < 0)
			return -1;
		value = text.data;
	}
	return set_key(draft, name, value, err);
}

/* ---- the whole ---- */

static int check_file_info(const struct draft *draft, struct error *err)
{
	enum runmount_type type = draft->mount.type;
	const char *key = draft->has_mode  ? "mode"
			  : draft->has_uid ? "uid"
			  : draft->has_gid ? "gid"
					   : NULL;

	if (!key || type == RUNMOUNT_SECRET || type == RUNMOUNT_SSH || type == RUNMOUNT_CACHE)
		return 0;
	return err_set(err, ERR_USAGE, "%s not allowed for \"%s\" type mounts", key,
		       type_names[type]);
}

static int check_secret(const struct draft *draft, struct error *err)
{
	const struct runmount *mount = &draft->mount;

	if (*mount->from)
		return err_set(err, ERR_USAGE, "secret mount should not have a from");
	if (draft->has_sharing)
		return err_set(err, ERR_USAGE, "secret mount should not define sharing");
	if (!*mount->source && !*mount->target && !*mount->id)
		return err_set(err, ERR_USAGE,
			       "invalid secret mount. one of source, target required");
	if (*mount->source && *mount->id)
		return err_set(err, ERR_USAGE, "both source and id can't be set");
	return 0;
}

static int check_draft(const struct draft *draft, struct error *err)
{
	enum runmount_type type = draft->mount.type;

	if (check_file_info(draft, err) < 0 ||
	    (type == RUNMOUNT_SECRET && check_secret(draft, err) < 0))
		return -1;
	if (draft->mount.env && type != RUNMOUNT_SECRET)
		return not_of_type(draft, "env", err);
	if (draft->has_sharing && type != RUNMOUNT_CACHE)
		return err_set(err, ERR_USAGE, "invalid cache sharing set for %s mount",
			       type_names[type]);
	return 0;
}

/* What the type and other keys imply. */
static void fill_defaults(struct draft *draft)
{
	struct runmount *mount = &draft->mount;
	auto_buf struct buf path = { 0 };

	if (!draft->has_access)
		mount->read_only = mount->type != RUNMOUNT_CACHE && mount->type != RUNMOUNT_TMPFS;
	if (!draft->has_mode)
		mount->mode = mount->type == RUNMOUNT_CACHE ? 0755 : 0400;
	if (mount->type == RUNMOUNT_CACHE && !*mount->id) {
		buf_puts(&path, "");
		path_add(mount->target, &path);
		set_text(&mount->id, *mount->target != '/' && path.len ? path.data + 1 : path.data);
	}
	if (mount->type == RUNMOUNT_SECRET && *mount->source)
		set_text(&mount->id, mount->source);
	if (mount->type == RUNMOUNT_SECRET && !*mount->id)
		set_text(&mount->id, path_base(mount->target));
}

static int parse(const char *text, struct draft *draft, struct error *err)
{
	auto_strlist struct strlist fields = { 0 };

	if (split_fields(text, &fields, err) < 0)
		return -1;
	for (size_t i = 0; i < fields.nr; i++)
		if (take_field(draft, fields.items[i], err) < 0)
			return -1;
	if (check_draft(draft, err) < 0)
		return -1;
	fill_defaults(draft);
	return 0;
}

int runmount_parse(const char *text, struct expand_scope *scope, struct runmount *ret,
		   struct error *err)
{
	struct draft draft = { .scope = scope };
	struct runmount *mount = &draft.mount;

	*ret = (struct runmount){ 0 };
	mount->target = xstrdup("");
	mount->source = xstrdup("");
	mount->from = xstrdup("");
	mount->id = xstrdup("");
	if (parse(text, &draft, err) < 0) {
		runmount_done(mount);
		return -1;
	}
	*ret = draft.mount;
	return 0;
}

int runmount_check(const char *text, struct error *err)
{
	auto_runmount struct runmount ignored = { 0 };
	auto_strlist struct strlist fields = { 0 };

	if (!strchr(text, '$'))
		return runmount_parse(text, NULL, &ignored, err);
	if (split_fields(text, &fields, err) < 0)
		return -1;
	for (size_t i = 0; i < fields.nr; i++)
		if (strncasecmp(fields.items[i], "from=", 5) == 0 &&
		    check_from(fields.items[i] + 5, err) < 0)
			return -1;
	return 0;
}

int runmount_target(const struct runmount *mount, const char *workdir, struct buf *ret,
		    struct error *err)
{
	buf_reset(ret);
	buf_puts(ret, "");
	if (mount->type == RUNMOUNT_SECRET && !*mount->target) {
		if (mount->env)
			return 0;
		path_add("/run/secrets", ret);
		path_add(path_base(mount->id), ret);
	} else {
		if (*mount->target != '/' && workdir)
			path_add(workdir, ret);
		path_add(mount->target, ret);
	}
	if (!ret->len)
		return err_set(err, ERR_USAGE, "invalid mount target \"/\"");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/args.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "limits.h"
#include "oci/expand.h"

/* The value in "NAME=value" when it is of this name. */
static const char *value_of(const char *text, const char *name, size_t len)
{
	return strncmp(text, name, len) == 0 && text[len] == '=' ? text + len + 1 : NULL;
}

/* Of the first of a name; NULL for none. */
static const char *find_value(const struct strlist *list, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < list->nr; i++) {
		const char *value = value_of(list->items[i], name, len);

		if (value)
			return value;
	}
	return NULL;
}

/* Takes text, which replaces the one of the same name. */
static size_t put_value(struct strlist *list, char *text)
{
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < list->nr; i++) {
		if (!value_of(list->items[i], text, len))
			continue;
		free(list->items[i]);
		list->items[i] = text;
		return i;
	}
	strlist_take(list, text);
	return list->nr - 1;
}

/* ---- --build-arg ---- */

void build_args_done(struct build_args *args)
{
	strlist_done(&args->values);
	free(args->used);
	*args = (struct build_args){ 0 };
}

int build_args_add(struct build_args *args, const char *text, char *const *env, struct error *err)
{
	size_t len = strcspn(text, "="), index;
	const char *value = NULL;

	if (!len)
		return err_set(err, ERR_USAGE, "invalid build argument '%.64s': no name", text);
	for (; !text[len] && env && *env && !value; env++)
		value = value_of(*env, text, len);
	if (!text[len] && !value)
		return 0;
	if (!value)
		value = text + len + 1;
	/* It would get lost on its way: settings and the runtime's configuration are JSON. */
	if (!utf8_is_valid(text, len) || !utf8_is_valid(value, strlen(value)))
		return err_set(err, ERR_USAGE, "the build argument '%.*s' is not UTF-8",
			       (int)(len < 64 ? len : 64), text);
	if (args->values.nr == LIMIT_BUILD_ARGS)
		return err_set(err, ERR_LIMIT, "more than %d build arguments", LIMIT_BUILD_ARGS);
	index = put_value(&args->values, xasprintf("%.*s=%s", (int)len, text, value));
	args->used = xrealloc(args->used, args->values.nr * sizeof(*args->used));
	args->used[index] = false;
	return 0;
}

static const char *find_given(struct build_args *args, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < args->values.nr; i++) {
		const char *value = value_of(args->values.items[i], name, len);

		if (!value)
			continue;
		args->used[i] = true;
		return value;
	}
	return NULL;
}

static bool is_proxy(const char *text)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
					     "all_proxy" };
	size_t len = strcspn(text, "=");
	bool lower = islower((unsigned char)*text);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strlen(names[i]) != len || strncasecmp(names[i], text, len) != 0)
			continue;
		for (size_t k = 0; k < len; k++)
			if (text[k] != '_' && lower != !!islower((unsigned char)text[k]))
				return false;
		return true;
	}
	return false;
}

/* Those that mean something to a builder without being declared. */
static bool is_builtin(const char *text)
{
	return is_proxy(text) || strncmp(text, "SOURCE_DATE_EPOCH=", 18) == 0 ||
	       strncmp(text, "BUILDKIT_", 9) == 0;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void build_args_warning(const struct build_args *args, struct buf *ret)
{
	auto_strlist struct strlist names = { 0 };

	for (size_t i = 0; i < args->values.nr; i++) {
		const char *text = args->values.items[i];

		if (!args->used[i] && !is_builtin(text))
			strlist_take(&names, xasprintf("%.*s", (int)strcspn(text, "="), text));
	}
	if (!names.nr)
		return;
	qsort(names.items, names.nr, sizeof(*names.items), compare_text);
	buf_puts(ret, "[Warning] One or more build-args [");
	for (size_t i = 0; i < names.nr; i++)
		buf_printf(ret, "%s%s", i ? " " : "", names.items[i]);
	buf_puts(ret, "] were not consumed");
}

/* ---- scopes ---- */

void args_done(struct args *args)
{
	strlist_done(&args->declared);
	strlist_done(&args->values);
	*args = (struct args){ 0 };
}

static void put_automatic(struct args *args, const char *prefix, const char *name,
			  const char *value)
{
	auto_free char *full = xasprintf("%s%s", prefix, name);
	const char *given = find_given(args->given, full);

	put_value(&args->values, xasprintf("%s=%s", full, given ? given : value));
}

static void put_platform(struct args *args, const char *prefix, const struct platform *platform)
{
	char text[PLATFORM_TEXT_SIZE];

	put_automatic(args, prefix, "PLATFORM", platform_text(platform, text));
	put_automatic(args, prefix, "OS", platform->os);
	put_automatic(args, prefix, "ARCH", platform->architecture);
	put_automatic(args, prefix, "VARIANT", platform->variant);
}

void args_init_global(struct args *args, struct build_args *given, const struct platform *build,
		      const struct platform *wanted, const char *target)
{
	*args = (struct args){ .given = given };
	put_platform(args, "BUILD", build);
	put_platform(args, "TARGET", wanted);
	put_automatic(args, "TARGET", "STAGE", target && *target ? target : "default");
}

void args_init_stage(struct args *args, const struct args *global, const struct args *base)
{
	*args = (struct args){ .given = global->given,
			       .global = global,
			       .bytes = base ? base->bytes : 0 };
	for (size_t i = 0; base && i < base->declared.nr; i++)
		strlist_add(&args->declared, base->declared.items[i]);
	for (size_t i = 0; base && i < base->values.nr; i++)
		strlist_add(&args->values, base->values.items[i]);
}

static int note_name(struct args *args, const char *name, struct error *err)
{
	for (size_t i = 0; i < args->declared.nr; i++)
		if (strcmp(args->declared.items[i], name) == 0)
			return 0;
	if (args->declared.nr == LIMIT_BUILD_ARGS)
		return err_set(err, ERR_LIMIT, "more than %d ARGs in a stage", LIMIT_BUILD_ARGS);
	strlist_add(&args->declared, name);
	return 0;
}

/* One word of an ARG, expanded: "NAME" or "NAME=default". */
static int declare(struct args *args, char *text, struct buf *created_by, struct error *err)
{
	char *equals = strchr(text, '=');
	const char *value = NULL;

	if (equals)
		*equals = '\0';
	if (!*text)
		return err_set(err, ERR_USAGE, "ARG names can not be blank");
	if (note_name(args, text, err) < 0)
		return -1;
	value = find_given(args->given, text);
	if (!value)
		value = equals	       ? equals + 1
			: args->global ? find_value(&args->global->values, text)
				       : NULL;
	if (created_by)
		buf_printf(created_by, " %s", text);
	if (!value)
		return 0;
	args->bytes += strlen(text) + strlen(value);
	if (args->bytes > LIMIT_ARGS_BYTES)
		return err_set(err, ERR_LIMIT, "the ARGs of a stage are larger than %u bytes",
			       LIMIT_ARGS_BYTES);
	if (created_by)
		buf_printf(created_by, "=%s", value);
	put_value(&args->values, xasprintf("%s=%s", text, value));
	return 0;
}

int args_declare(struct args *args, const struct instruction *instruction, const json_t *env,
		 char escape, struct buf *ret_created_by, struct error *err)
{
	auto_strlist struct strlist vars = { 0 }, words = { 0 };
	auto_buf struct buf text = { 0 };
	struct expand_scope scope;

	/* All words mean the values before this instruction. */
	args_variables(args, env, &vars);
	scope = expand_scope(vars.items, escape);
	for (size_t i = 0; i < instruction->args.nr; i++) {
		if (expand_word(instruction->args.items[i], &scope, &text, err) < 0)
			return -1;
		strlist_add(&words, text.data);
	}
	if (ret_created_by)
		buf_puts(ret_created_by, "ARG");
	for (size_t i = 0; i < words.nr; i++)
		if (declare(args, words.items[i], ret_created_by, err) < 0)
			return -1;
	return 0;
}

/* ---- what they stand for ---- */

void args_variables(const struct args *args, const json_t *env, struct strlist *ret)
{
	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *text = json_string_value(json_array_get(env, i));

		if (text)
			strlist_add(ret, text);
	}
	for (size_t i = 0; i < args->values.nr; i++)
		strlist_add(ret, args->values.items[i]);
}

/* A name that is there already stays what it is. */
static void add_new(struct strlist *list, const char *text)
{
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < list->nr; i++)
		if (value_of(list->items[i], text, len))
			return;
	strlist_add(list, text);
}

void args_cache_env(const struct args *args, const json_t *env, struct strlist *ret)
{
	auto_strlist struct strlist all = { 0 };

	args_variables(args, env, &all);
	for (size_t i = 0; i < all.nr; i++)
		add_new(ret, all.items[i]);
}

void args_run_env(const struct args *args, const json_t *env, struct strlist *ret)
{
	args_cache_env(args, env, ret);
	for (size_t i = 0; i < args->given->values.nr; i++)
		if (is_proxy(args->given->values.items[i]))
			add_new(ret, args->given->values.items[i]);
}

void args_history(const struct args *args, const json_t *env, struct buf *ret)
{
	auto_strlist struct strlist vars = { 0 };

	if (!args->declared.nr)
		return;
	args_variables(args, env, &vars);
	buf_printf(ret, "|%zu", args->declared.nr);
	for (size_t i = 0; i < args->declared.nr; i++) {
		const char *value = find_value(&vars, args->declared.items[i]);

		buf_printf(ret, " %s=%s", args->declared.items[i], value ? value : "");
	}
	buf_putc(ret, ' ');
}

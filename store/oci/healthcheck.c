/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/healthcheck.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/duration.h"
#include "base/jsonfield.h"
#include "oci/gotext.h"
#include "oci/instruction.h"

/* docker: container.MinimumDuration */
#define HEALTH_NS_MIN 1000000

/* In the order in which the history shows them. */
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

static int parse_count(const char *name, const char *text, int64_t *ret, struct error *err)
{
	int64_t value = 0;

	for (const char *p = text; *p; p++) {
		value = 10 * value + (*p - '0');
		if (!isdigit((unsigned char)*p) || value > INT32_MAX)
			return err_set(err, ERR_USAGE, "invalid value \"%.64s\" for flag --%s",
				       text, name);
	}
	*ret = value;
	return 0;
}

static int parse_span(const char *name, const char *text, int64_t *ret, struct error *err)
{
	if (duration_parse(text, ret, err) < 0)
		return -1;
	if (*ret && *ret < HEALTH_NS_MIN)
		return err_set(err, ERR_USAGE, "Interval \"%s\" cannot be less than 1ms", name);
	return 0;
}

/* Zero is the default, and is not stored. */
static int put_flag(const struct instruction *instruction, const struct health_flag *flag,
		    json_t *health, struct error *err)
{
	const char *text = instruction_flag(instruction, flag->name);
	int64_t value = 0;
	int done;

	if (!text || !*text)
		return 0;
	done = flag->is_count ? parse_count(flag->name, text, &value, err)
			      : parse_span(flag->name, text, &value, err);
	if (!done && value)
		json_object_set_new(health, flag->key, json_integer(value));
	return done;
}

static int make_none(const struct instruction *instruction, json_t *test, struct error *err)
{
	if (instruction->args.nr > 1)
		return err_set(err, ERR_USAGE, "HEALTHCHECK NONE takes no arguments");
	json_array_append_new(test, json_string("NONE"));
	return 0;
}

int healthcheck_make(const struct instruction *instruction, json_t **ret, struct error *err)
{
	const struct strlist *args = &instruction->args;
	auto_json json_t *health = json_object();
	json_t *test = json_array();

	json_object_set_new(health, "Test", test);
	for (size_t i = 0; i < NR_HEALTH_FLAGS; i++)
		if (put_flag(instruction, &health_flags[i], health, err) < 0)
			return -1;
	if (strcmp(args->items[0], "NONE") == 0) {
		if (make_none(instruction, test, err) < 0)
			return -1;
		*ret = json_pack("{sO}", "Test", test);
		return 0;
	}
	if (strcmp(args->items[0], "CMD") != 0)
		return err_set(err, ERR_USAGE, "Unknown type \"%.64s\" in HEALTHCHECK (try CMD)",
			       args->items[0]);
	if (args->nr < 2)
		return err_set(err, ERR_USAGE, "Missing command after HEALTHCHECK CMD");
	json_array_append_new(test, json_string(instruction->is_json ? "CMD" : "CMD-SHELL"));
	for (size_t i = 1; i < args->nr; i++)
		json_array_append_new(test, json_string(args->items[i]));
	*ret = json_incref(health);
	return 0;
}

void healthcheck_print(const json_t *health, struct buf *ret)
{
	buf_puts(ret, "{Test:");
	gotext_list(json_object_get(health, "Test"), ret);
	for (size_t i = 0; i < NR_HEALTH_FLAGS; i++) {
		int64_t value = json_integer_value(json_object_get(health, health_flags[i].key));

		buf_printf(ret, " %s:", health_flags[i].key);
		if (health_flags[i].is_count)
			buf_printf(ret, "%d", (int)value);
		else
			duration_print(value, ret);
	}
	buf_putc(ret, '}');
}

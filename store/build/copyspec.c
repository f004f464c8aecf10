/* SPDX-License-Identifier: Apache-2.0 */
#include "build/copyspec.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/path.h"

#define CLASS_BITS 07

/* ---- --chmod ---- */

static int bad_mode(const char *text, struct error *err)
{
	return err_set(err, ERR_USAGE,
		       "invalid chmod parameter: '%.64s'. it should be octal string and between 0 "
		       "and 07777",
		       text);
}

static int parse_octal(const char *text, struct chmod_spec *ret, struct error *err)
{
	mode_t mode = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '7')
			return bad_mode(text, err);
		mode = mode << 3 | (mode_t)(*p - '0');
		if (mode > 07777)
			return bad_mode(text, err);
	}
	ret->nr = 1;
	ret->steps[0] = (struct chmod_step){ .who = 07777, .op = '=', .bits = mode };
	return 0;
}

/* The classes in front of an operator; none means all. */
static mode_t take_who(const char **at)
{
	mode_t who = 0;

	for (;; ++*at) {
		if (**at == 'u')
			who |= S_ISUID | S_IRWXU;
		else if (**at == 'g')
			who |= S_ISGID | S_IRWXG;
		else if (**at == 'o')
			who |= S_IRWXO;
		else if (**at == 'a')
			who |= S_ISUID | S_ISGID | S_IRWXU | S_IRWXG | S_IRWXO;
		else
			break;
	}
	return who ? who : S_ISUID | S_ISGID | S_IRWXU | S_IRWXG | S_IRWXO;
}

/* What is behind an operator. */
static void take_bits(const char **at, struct chmod_step *step)
{
	if (**at && strchr("ugo", **at)) {
		step->copy = *(*at)++;
		return;
	}
	for (;; ++*at) {
		if (**at == 'r')
			step->bits |= 04;
		else if (**at == 'w')
			step->bits |= 02;
		else if (**at == 'x')
			step->bits |= 01;
		else if (**at == 'X')
			step->execute = true;
		else if (**at == 's')
			step->bits |= S_ISUID | S_ISGID;
		else if (**at == 't')
			step->bits |= S_ISVTX;
		else
			return;
	}
}

int chmod_parse(const char *text, struct chmod_spec *ret, struct error *err)
{
	const char *at = text;

	ret->nr = 0;
	if (*at >= '0' && *at <= '9')
		return parse_octal(text, ret, err);
	do {
		mode_t who = take_who(&at);

		if (!*at || !strchr("+-=", *at))
			return bad_mode(text, err);
		while (*at && strchr("+-=", *at)) {
			struct chmod_step *step = &ret->steps[ret->nr];

			if (ret->nr++ == CHMOD_STEPS_MAX)
				return bad_mode(text, err);
			*step = (struct chmod_step){ .who = who, .op = *at++ };
			take_bits(&at, step);
			/* The sticky bit belongs to no class. */
			step->who |= step->bits & S_ISVTX;
		}
	} while (*at == ',' && *++at);
	return *at || at[-1] == ',' ? bad_mode(text, err) : 0;
}

static mode_t step_bits(const struct chmod_step *step, mode_t mode, bool is_folder)
{
	mode_t bits = step->bits;

	if (step->copy)
		bits = mode >> (step->copy == 'u' ? 6 : step->copy == 'g' ? 3 : 0) & CLASS_BITS;
	if (step->execute && (is_folder || mode & 0111))
		bits |= 01;
	/* An octal mode names every class already. */
	if (step->who != 07777)
		bits |= (bits & CLASS_BITS) << 3 | (bits & CLASS_BITS) << 6;
	return bits & step->who;
}

mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode, bool is_folder)
{
	mode &= 07777;
	for (size_t i = 0; i < spec->nr; i++) {
		const struct chmod_step *step = &spec->steps[i];
		mode_t bits = step_bits(step, mode, is_folder);

		if (step->op == '=')
			mode &= ~step->who;
		if (step->op == '-')
			mode &= ~bits;
		else
			mode |= bits;
	}
	return mode;
}

/* ---- --chown ---- */

int chown_split(const char *text, char **ret_user, char **ret_group, struct error *err)
{
	size_t len = strcspn(text, ":");

	*ret_user = NULL;
	*ret_group = NULL;
	if (text[len] && strchr(text + len + 1, ':'))
		return err_set(err, ERR_USAGE, "invalid chown string: %.128s", text);
	if (len)
		*ret_user = xasprintf("%.*s", (int)len, text);
	if (text[len] && text[len + 1])
		*ret_group = xstrdup(text + len + 1);
	return 0;
}

/* ---- sources and destinations ---- */

static bool begins_with(const char *text, const char *start)
{
	return strncasecmp(text, start, strlen(start)) == 0;
}

enum copy_source copy_source_kind(const char *source)
{
	bool url = begins_with(source, "http://") || begins_with(source, "https://");
	size_t len = strcspn(source, "?#");

	if (begins_with(source, "git@") || begins_with(source, "git://") ||
	    begins_with(source, "ssh://") ||
	    (url && len > 4 && strncmp(source + len - 4, ".git", 4) == 0))
		return COPY_SOURCE_GIT;
	return url ? COPY_SOURCE_URL : COPY_SOURCE_PATH;
}

char *copy_url_name(const char *url)
{
	const char *path = strstr(url, "://"), *name;
	size_t len;

	path = path ? strchr(path + 3, '/') : NULL;
	len = path ? strcspn(path, "?#") : 0;
	if (!len)
		return NULL;
	for (name = path + len; name[-1] != '/'; name--)
		;
	len = (size_t)(path + len - name);
	if (!len || (len <= 2 && strspn(name, ".") >= len))
		return NULL;
	return xasprintf("%.*s", (int)len, name);
}

bool copy_is_folder(const char *destination)
{
	const char *name = path_base(destination);

	return !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

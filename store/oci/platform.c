/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define PARTS_MAX 3

/* Copies in lower case; what is too long leaves ret empty, which matches nothing. */
static void set_part(char ret[PLATFORM_PART_MAX], const char *text, size_t len)
{
	memset(ret, 0, PLATFORM_PART_MAX);
	if (len >= PLATFORM_PART_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
}

static void set_text(char ret[PLATFORM_PART_MAX], const char *text)
{
	set_part(ret, text, strlen(text));
}

struct alias {
	const char *from, *to;
	const char *variant; /* NULL: as it is */
};

static void normalise_architecture(struct platform *platform)
{
	static const struct alias aliases[] = {
		{ "i386", "386", "" },
		{ "x86_64", "amd64", NULL },
		{ "x86-64", "amd64", NULL },
		{ "aarch64", "arm64", NULL },
		{ "armhf", "arm", "v7" },
		{ "armel", "arm", "v6" },
		{ "armv7l", "arm", "v7" },
		{ "armv6l", "arm", "v6" },
		{ "loongarch64", "loong64", NULL },
	};

	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++) {
		if (strcmp(platform->architecture, aliases[i].from) != 0)
			continue;
		set_text(platform->architecture, aliases[i].to);
		if (aliases[i].variant)
			set_text(platform->variant, aliases[i].variant);
		return;
	}
}

/* The variant that goes without saying: "" for amd64 and arm64, "v7" for arm. */
static void normalise_variant(struct platform *platform)
{
	static const struct {
		const char *architecture, *from, *to;
	} variants[] = {
		{ "amd64", "v1", "" },	   { "arm64", "8", "" },   { "arm64", "v8", "" },
		{ "arm64", "v8.0", "" },   { "arm64", "9", "v9" }, { "arm64", "9.0", "v9" },
		{ "arm64", "v9.0", "v9" }, { "arm", "", "v7" },	   { "arm", "5", "v5" },
		{ "arm", "6", "v6" },	   { "arm", "7", "v7" },   { "arm", "8", "v8" },
	};

	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		if (strcmp(platform->architecture, variants[i].architecture) == 0 &&
		    strcmp(platform->variant, variants[i].from) == 0) {
			set_text(platform->variant, variants[i].to);
			return;
		}
	}
}

static void normalise_os(struct platform *platform)
{
	if (strcmp(platform->os, "macos") == 0)
		set_text(platform->os, "darwin");
}

static void normalise(struct platform *platform)
{
	normalise_os(platform);
	normalise_architecture(platform);
	normalise_variant(platform);
}

void platform_set(struct platform *ret, const char *os, const char *architecture,
		  const char *variant)
{
	set_text(ret->os, os ? os : "");
	set_text(ret->architecture, architecture ? architecture : "");
	set_text(ret->variant, variant ? variant : "");
	normalise(ret);
}

/* What the kernel runs on, by the name that this program was compiled for. */
void platform_host(struct platform *ret)
{
	struct utsname name;
	const char *machine = uname(&name) == 0 ? name.machine : "";

#if defined(__x86_64__)
	machine = "amd64"; /* a kernel for User-Mode Linux or a 32-bit personality says otherwise */
#elif defined(__aarch64__)
	machine = "arm64";
#elif defined(__i386__)
	machine = "386";
#endif
	platform_set(ret, "linux", machine, NULL);
	if (strcmp(ret->architecture, "arm64") == 0)
		set_text(ret->variant, "v8"); /* containerd spells it out for the host */
}

static int split(const char *text, const char *parts[PARTS_MAX], size_t lens[PARTS_MAX])
{
	int nr = 0;

	for (;;) {
		size_t len = strcspn(text, "/");

		if (nr == PARTS_MAX)
			return -1;
		parts[nr] = text;
		lens[nr++] = len;
		if (!text[len])
			return nr;
		text += len + 1;
	}
}

static int check_parts(const char *text, const char *const parts[], const size_t lens[], int nr,
		       struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	for (int i = 0; i < nr; i++) {
		size_t good = strspn(parts[i], allowed);

		if (!lens[i] || good < lens[i] || lens[i] >= PLATFORM_PART_MAX)
			return err_set(err, ERR_USAGE,
				       "\"%.*s\" is an invalid component of \"%s\": platform "
				       "specifier component must match \"^[A-Za-z0-9_.-]+$\": "
				       "invalid argument",
				       (int)(lens[i] < 100 ? lens[i] : 100), parts[i], text);
	}
	return 0;
}

static bool is_in(const char *text, const char *const list[])
{
	for (; *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

/* One word is an operating system or an architecture; the host says the other. */
static int complete_word(const char *text, struct platform *ret, struct error *err)
{
	static const char *const systems[] = {
		"aix",	 "android", "darwin", "dragonfly", "freebsd", "illumos",
		"ios",	 "js",	    "linux",  "macos",	   "netbsd",  "openbsd",
		"plan9", "solaris", "wasip1", "windows",   "zos",     NULL,
	};
	static const char *const machines[] = {
		"386",	    "amd64",  "arm",   "arm64",	  "loong64", "mips",  "mips64",
		"mips64le", "mipsle", "ppc64", "ppc64le", "ppc",     "riscv", "riscv64",
		"s390",	    "s390x",  "sparc", "sparc64", "wasm",    NULL,
	};
	struct platform host, word = { 0 };

	platform_host(&host);
	if (is_in(text, systems)) {
		*ret = host;
		set_text(ret->os, text);
		normalise_os(ret);
		return 0;
	}
	platform_set(&word, host.os, text, NULL);
	if (!is_in(word.architecture, machines))
		return err_set(err, ERR_USAGE,
			       "\"%s\": unknown operating system or architecture: invalid argument",
			       text);
	*ret = word;
	return 0;
}

int platform_parse(const char *text, struct platform *ret, struct error *err)
{
	const char *parts[PARTS_MAX];
	size_t lens[PARTS_MAX];
	struct platform platform = { 0 };
	int nr;

	if (!text || !*text) {
		platform_host(ret);
		return 0;
	}
	nr = split(text, parts, lens);
	if (nr < 0)
		return err_set(err, ERR_USAGE,
			       "\"%s\": cannot parse platform specifier: invalid argument", text);
	if (check_parts(text, parts, lens, nr, err) < 0)
		return -1;
	set_part(platform.os, parts[0], lens[0]);
	if (nr == 1)
		return complete_word(platform.os, ret, err);
	set_part(platform.architecture, parts[1], lens[1]);
	if (nr == 3)
		set_part(platform.variant, parts[2], lens[2]);
	normalise(&platform);
	/* Who wrote v8 reads v8; who left it out does not. */
	if (nr == 3 && strcmp(platform.architecture, "arm64") == 0 && !platform.variant[0])
		set_text(platform.variant, "v8");
	*ret = platform;
	return 0;
}

bool platform_from_json(const json_t *object, struct platform *ret)
{
	const char *os = json_string_value(json_object_get(object, "os"));
	const char *architecture = json_string_value(json_object_get(object, "architecture"));

	platform_set(ret, os, architecture, json_string_value(json_object_get(object, "variant")));
	if (ret->os[0] && ret->architecture[0])
		return true;
	*ret = (struct platform){ 0 };
	return false;
}

const char *platform_text(const struct platform *platform, char *text)
{
	snprintf(text, PLATFORM_TEXT_SIZE, "%s/%s%s%s", platform->os, platform->architecture,
		 platform->variant[0] ? "/" : "", platform->variant);
	return text;
}

/* "v7" is 7; anything else is 0. With a point ("v9.2") only when roughly is enough. */
static int version(const char *variant, bool roughly)
{
	int value = 0;

	if (*variant++ != 'v')
		return 0;
	for (int i = 0; i < 2 && *variant >= '0' && *variant <= '9'; i++)
		value = value * 10 + *variant++ - '0';
	return *variant == '\0' || (*variant == '.' && roughly) ? value : 0;
}

static int rank_of_versions(int want, int have, int lowest)
{
	return have < lowest || have > want ? -1 : want - have;
}

/* Both normalised and on the same system. */
static int rank(const struct platform *want, const struct platform *have)
{
	int wanted = version(want->variant, true), had = version(have->variant, false);

	if (strcmp(want->architecture, have->architecture) == 0) {
		if (strcmp(want->variant, have->variant) == 0)
			return 0;
		if (strcmp(want->architecture, "amd64") == 0)
			return rank_of_versions(wanted ? wanted : 1, have->variant[0] ? had : 1, 1);
		if (strcmp(want->architecture, "arm64") == 0)
			return rank_of_versions(wanted ? wanted : 8, have->variant[0] ? had : 8, 8);
		if (strcmp(want->architecture, "arm") == 0)
			return rank_of_versions(wanted, had, 5);
		return -1;
	}
	if (strcmp(want->architecture, "amd64") == 0 && strcmp(have->architecture, "386") == 0)
		return have->variant[0] ? -1 : 100;
	if (strcmp(want->architecture, "arm64") == 0 && strcmp(have->architecture, "arm") == 0) {
		int below = rank_of_versions(8, had, 5);

		return below < 0 ? -1 : 100 + below;
	}
	return -1;
}

int platform_rank(const struct platform *want, const struct platform *have)
{
	struct platform wanted = *want, had = *have;

	normalise(&wanted);
	normalise(&had);
	return strcmp(wanted.os, had.os) == 0 ? rank(&wanted, &had) : -1;
}

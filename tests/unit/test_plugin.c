/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin.h"
#include "unit.h"

/* The command line that comes out, with blanks between its words; or the error. Returns new. */
static char *called(const char *const *argv)
{
	auto_strlist struct strlist words = { 0 };
	struct buf line = { 0 };
	struct error err;

	if (plugin_argv(argv, &words, &err) < 0)
		return xasprintf("error %d: %s", (int)err.kind, err.text);
	for (size_t i = 0; i < words.nr; i++)
		buf_printf(&line, "%s%s", i ? " " : "", words.items[i]);
	return buf_take(&line);
}
#define ARGV(...) ((const char *const[]){ "docker-veneer", __VA_ARGS__, NULL })
#define CALLED(expected, ...)                                    \
	do {                                                     \
		auto_free char *got = called(ARGV(__VA_ARGS__)); \
		CU_ASSERT_STRING_EQUAL(got, expected);           \
	} while (0)

static void test_name(void)
{
	CU_ASSERT_TRUE(plugin_is_called("docker-veneer"));
	CU_ASSERT_TRUE(plugin_is_called("/usr/libexec/docker/cli-plugins/docker-veneer"));
	CU_ASSERT_FALSE(plugin_is_called("/usr/bin/veneer"));
	CU_ASSERT_FALSE(plugin_is_called("/docker-veneer/veneer"));
	CU_ASSERT_FALSE(plugin_is_called(""));
	CU_ASSERT_FALSE(plugin_is_called(NULL));
}

static void test_metadata(void)
{
	auto_free char *text = plugin_metadata(ARGV("docker-cli-plugin-metadata"));
	json_auto_t *document = json_loads(text, 0, NULL);

	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(document, "SchemaVersion")),
			       "0.1.0");
	CU_ASSERT_PTR_NOT_NULL(json_string_value(json_object_get(document, "Vendor")));
	CU_ASSERT_PTR_NULL(plugin_metadata(ARGV("veneer", "docker-cli-plugin-metadata")));
	CU_ASSERT_PTR_NULL(plugin_metadata((const char *const[]){ "docker-veneer", NULL }));
}

static void test_words(void)
{
	CALLED("veneer images -q", "veneer", "images", "-q");
	CALLED("veneer", "veneer");
	CALLED("veneer run x veneer --host y", "veneer", "run", "x", "veneer", "--host", "y");
	CALLED("veneer help images", "help", "veneer", "images");
	CALLED("veneer help", "--help", "veneer");
}

static void test_options(void)
{
	CALLED("veneer --config=/c --log-level=warn --debug ps", "--config", "/c", "-D", "-l",
	       "warn", "veneer", "ps");
	CALLED("error 1: docker's option --host says where a daemon is, and veneer has none: leave "
	       "it out",
	       "-H", "tcp://x", "veneer", "ps");
	CALLED("error 1: docker's option --context says where a daemon is, and veneer has none: "
	       "leave it out",
	       "--context=far", "veneer", "ps");
	CALLED("error 1: docker's option --tls says where a daemon is, and veneer has none: leave "
	       "it out",
	       "--tlsverify", "veneer", "ps");
}

static void test_other_words(void)
{
	CALLED("error 1: docker-veneer is a plugin of docker: call 'docker veneer', or 'veneer'",
	       "images");
	CALLED("error 1: unknown flag: --nothing", "--nothing", "veneer");
}

UNIT_SUITE(plugin, { "the name of the plugin is known", test_name },
	   { "docker gets its metadata", test_metadata },
	   { "the words behind ours are the command line", test_words },
	   { "docker's options go on or are refused", test_options },
	   { "a plugin called by hand says so", test_other_words });

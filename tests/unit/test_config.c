/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/config.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "unit.h"

#define SECOND INT64_C(1000000000)
#define DIFF1  "sha256:4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
#define DIFF2  "sha256:dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986"
#define CHAIN2 "sha256:1f948c8bb830505362401f7f8bb91fbb9a46ea20fe54f20d8a132749afef5ffa"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIFF1 "\",\"" DIFF2 "\"]}"

static int parse(const char *text, struct image_config *ret, struct error *err)
{
	memset(ret, 0xa5, sizeof(*ret));
	return image_config_parse(text, strlen(text), ret, err);
}

static const char full[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"v2\",\"author\":\"me\","
	"\"created\":\"2024-02-29T12:00:00.5Z\",\"docker_version\":\"20.10\",\"comment\":\"c\","
	"\"container\":\"x\",\"container_config\":{\"Env\":7},"
	"\"config\":{\"User\":\"u\",\"ExposedPorts\":{\"80/tcp\":{}},\"Env\":[\"A=1\",\"B=2\"],"
	"\"Entrypoint\":[\"/e\"],\"Cmd\":[\"a\",\"b\"],\"Volumes\":{\"/v\":{}},"
	"\"WorkingDir\":\"/w\","
	"\"Labels\":{\"l\":\"1\",\"empty\":null},\"StopSignal\":\"SIGINT\",\"ArgsEscaped\":true,"
	"\"Healthcheck\":{\"Test\":[\"NONE\"]},\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\"],"
	"\"Unknown\":[1]}," ROOTFS
	",\"history\":[{\"created\":\"1970-01-01T00:00:01Z\",\"created_by\":\"one\"},"
	"{\"created_by\":\"ENV\",\"empty_layer\":true},"
	"{\"created_by\":\"two\",\"author\":\"a\",\"comment\":\"k\",\"empty_layer\":false}],"
	"\"moby.buildkit.buildinfo.v1\":\"e30=\"}";

static void test_a_full_config(void)
{
	auto_image_config struct image_config config;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(full, &config, &err));
	CU_ASSERT_STRING_EQUAL(config.architecture, "amd64");
	CU_ASSERT_STRING_EQUAL(config.os, "linux");
	CU_ASSERT_STRING_EQUAL(config.variant, "v2");
	CU_ASSERT_STRING_EQUAL(config.author, "me");
	CU_ASSERT_STRING_EQUAL(config.docker_version, "20.10");
	CU_ASSERT_STRING_EQUAL(config.comment, "c");
	CU_ASSERT_STRING_EQUAL(config.created, "2024-02-29T12:00:00.5Z");
	CU_ASSERT_TRUE(config.has_created);
	CU_ASSERT_EQUAL(config.created_ns, 1709208000 * SECOND + SECOND / 2);
	CU_ASSERT_EQUAL(config.nr_layers, 2);
	CU_ASSERT_EQUAL(config.nr_history, 3);
	CU_ASSERT_EQUAL(json_object_size(config.config), 14);
	CU_ASSERT_STRING_EQUAL(image_config_label(&config, "l"), "1");
	CU_ASSERT_STRING_EQUAL(image_config_label(&config, "empty"), "");
	CU_ASSERT_PTR_NULL(image_config_label(&config, "none"));
	CU_ASSERT_EQUAL(0, image_config_check_os(&config, &err));
}

static void test_settings_are_typed(void)
{
	auto_image_config struct image_config config;
	const struct image_settings *settings = &config.settings;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(full, &config, &err));
	CU_ASSERT_STRING_EQUAL(settings->user, "u");
	CU_ASSERT_STRING_EQUAL(settings->working_dir, "/w");
	CU_ASSERT_STRING_EQUAL(settings->stop_signal, "SIGINT");
	CU_ASSERT_EQUAL_FATAL(settings->env.nr, 2);
	CU_ASSERT_STRING_EQUAL(settings->env.items[1], "B=2");
	CU_ASSERT_EQUAL(settings->entrypoint.nr, 1);
	CU_ASSERT_EQUAL(settings->cmd.nr, 2);
	CU_ASSERT_EQUAL(settings->on_build.nr, 1);
	CU_ASSERT_EQUAL(settings->shell.nr, 1);
	CU_ASSERT_PTR_NOT_NULL(json_object_get(settings->exposed_ports, "80/tcp"));
	CU_ASSERT_PTR_NOT_NULL(json_object_get(settings->volumes, "/v"));
	CU_ASSERT_PTR_NOT_NULL(json_object_get(settings->healthcheck, "Test"));
	CU_ASSERT_TRUE(settings->args_escaped);
}

static void test_history_tells_which_layer(void)
{
	auto_image_config struct image_config config;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(full, &config, &err));
	CU_ASSERT_STRING_EQUAL(image_config_layer_history(&config, 0)->created_by, "one");
	CU_ASSERT_STRING_EQUAL(image_config_layer_history(&config, 1)->created_by, "two");
	CU_ASSERT_PTR_NULL(image_config_layer_history(&config, 2));
	CU_ASSERT_TRUE(config.history[0].has_created);
	CU_ASSERT_EQUAL(config.history[0].created_ns, SECOND);
	CU_ASSERT_FALSE(config.history[1].has_created);
	CU_ASSERT_TRUE(config.history[1].empty_layer);
	CU_ASSERT_PTR_NULL(config.history[1].comment);
}

static void test_the_least_config(void)
{
	static const char *const texts[] = {
		"{\"rootfs\":{}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null},\"history\":null}",
		"{\"rootfs\":{},\"config\":null,\"created\":null,\"os\":null}",
		"{\"rootfs\":{\"type\":\"\"},\"os\":\"\",\"created\":\"\"}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		auto_image_config struct image_config config;
		struct error err;

		CU_ASSERT_EQUAL_FATAL(0, parse(texts[i], &config, &err));
		CU_ASSERT_STRING_EQUAL(config.os, "linux");
		CU_ASSERT_STRING_EQUAL(config.architecture, "");
		CU_ASSERT_FALSE(config.has_created);
		CU_ASSERT_PTR_NULL(config.config);
		CU_ASSERT_EQUAL(config.nr_layers, 0);
		CU_ASSERT_PTR_NULL(image_config_label(&config, "l"));
		CU_ASSERT_PTR_NULL(image_config_layer_history(&config, 0));
	}
}

static void test_times_that_were_never_set(void)
{
	auto_image_config struct image_config zero;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{\"created\":\"0001-01-01T00:00:00Z\",\"rootfs\":{},"
				       "\"history\":[]}",
				       &zero, &err));
	CU_ASSERT_FALSE(zero.has_created);
	CU_ASSERT_STRING_EQUAL(zero.created, "0001-01-01T00:00:00Z");
}

static void test_a_command_may_be_one_string(void)
{
	auto_image_config struct image_config config;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0,
			      parse("{\"rootfs\":{},\"config\":{\"Cmd\":\"sh\",\"Entrypoint\":null,"
				    "\"Env\":null,\"Labels\":null,\"Volumes\":null}}",
				    &config, &err));
	CU_ASSERT_EQUAL_FATAL(config.settings.cmd.nr, 1);
	CU_ASSERT_STRING_EQUAL(config.settings.cmd.items[0], "sh");
	CU_ASSERT_EQUAL(config.settings.entrypoint.nr, 0);
}

static void test_bad_configs_are_refused(void)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *why;
	} cases[] = {
		{ "{}", ERR_CORRUPT, "invalid image JSON, no RootFS key" },
		{ "{\"rootfs\":null}", ERR_CORRUPT, "invalid image JSON, no RootFS key" },
		{ "null", ERR_CORRUPT, "invalid image JSON: must be an object" },
		{ "[]", ERR_CORRUPT, "invalid image JSON: must be an object" },
		{ "{\"rootfs\":[]}", ERR_CORRUPT,
		  "invalid image JSON: key \"rootfs\": must be an object" },
		{ "{\"rootfs\":{\"diff_ids\":[\"" DIFF1 "\",\"x\"]}}", ERR_CORRUPT,
		  "invalid image JSON: key \"rootfs\": diff_ids[1]: invalid checksum "
		  "digest format" },
		{ "{\"rootfs\":{\"diff_ids\":[\"\"]}}", ERR_CORRUPT,
		  "invalid image JSON: key \"rootfs\": diff_ids[0]: invalid checksum "
		  "digest format" },
		{ "{\"rootfs\":{\"diff_ids\":[\"sha512:00\"]}}", ERR_UNSUPPORTED,
		  "invalid image JSON: key \"rootfs\": diff_ids[0]: unsupported digest algorithm" },
		{ "{\"rootfs\":{\"type\":\"layers+base\"}}", ERR_UNSUPPORTED,
		  "invalid image JSON: unsupported rootfs type \"layers+base\"" },
		{ "{\"rootfs\":{},\"history\":[{}]}", ERR_CORRUPT,
		  "too many non-empty layers in History section" },
		{ "{\"rootfs\":{},\"history\":[null]}", ERR_CORRUPT,
		  "invalid image JSON: key \"history\": [0]: must be an object" },
		{ "{\"rootfs\":{},\"history\":[{\"created\":\"today\",\"empty_layer\":true}]}",
		  ERR_CORRUPT,
		  "invalid image JSON: key \"history\": [0]: key \"created\": \"today\" is "
		  "not a time as in RFC 3339" },
		{ "{\"rootfs\":{},\"created\":1}", ERR_CORRUPT,
		  "invalid image JSON: key \"created\": must be a string" },
		{ "{\"rootfs\":{},\"created\":\"2024\"}", ERR_CORRUPT,
		  "invalid image JSON: key \"created\": \"2024\" is not a time as in RFC 3339" },
		{ "{\"rootfs\":{},\"config\":{\"Env\":\"A=1\"}}", ERR_CORRUPT,
		  "invalid image JSON: key \"config\": key \"Env\": must be a list of strings" },
		{ "{\"rootfs\":{},\"config\":{\"Cmd\":{}}}", ERR_CORRUPT,
		  "invalid image JSON: key \"config\": key \"Cmd\": must be a list of strings" },
		{ "{\"rootfs\":{},\"config\":{\"Labels\":{\"a\":[]}}}", ERR_CORRUPT,
		  "invalid image JSON: key \"config\": key \"Labels\": \"a\" must be a string" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct image_config config;
		struct error err;

		CU_ASSERT_EQUAL(-1, parse(cases[i].text, &config, &err));
		CU_ASSERT_EQUAL(err.kind, cases[i].kind);
		CU_ASSERT_STRING_EQUAL(err.text, cases[i].why);
		image_config_done(&config);
	}
}

static void too_many(const char *before, const char *item, int nr, const char *after)
{
	auto_buf struct buf text = { 0 };
	struct image_config config;
	struct error err;

	buf_puts(&text, before);
	for (int i = 0; i < nr; i++)
		buf_printf(&text, "%s%s", i ? "," : "", item);
	buf_puts(&text, after);
	CU_ASSERT_EQUAL(-1, parse(text.data, &config, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

static void test_layers_and_history_are_bounded(void)
{
	too_many("{\"rootfs\":{\"diff_ids\":[", "\"" DIFF1 "\"", 1025, "]}}");
	too_many("{\"rootfs\":{},\"history\":[", "{\"empty_layer\":true}", 8193, "]}");
}

static void test_other_systems_are_refused(void)
{
	auto_image_config struct image_config config;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{\"os\":\"windows\",\"rootfs\":{}}", &config, &err));
	CU_ASSERT_EQUAL(-1, image_config_check_os(&config, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	CU_ASSERT_STRING_EQUAL(err.text, "cannot load windows image on linux");
}

/* Expected values: printf 'sha256:… sha256:…' | sha256sum */
static void test_chain_ids(void)
{
	auto_image_config struct image_config config;
	struct digest chain = { 0 }, next;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse("{" ROOTFS "}", &config, &err));
	image_config_chain_id(&config, 0, &chain);
	CU_ASSERT_FALSE(digest_is_set(&chain));
	image_config_chain_id(&config, 1, &chain);
	CU_ASSERT_STRING_EQUAL(chain.text, DIFF1);
	chain_id_next(&chain, &config.diff_ids[1], &next);
	CU_ASSERT_STRING_EQUAL(next.text, CHAIN2);
	image_config_chain_id(&config, 9, &chain);
	CU_ASSERT_STRING_EQUAL(chain.text, CHAIN2);
	chain_id_next(NULL, &config.diff_ids[1], &next);
	CU_ASSERT_STRING_EQUAL(next.text, DIFF2);
}

static void test_the_document_of_an_import(void)
{
	auto_image_config struct image_config config = { 0 };
	auto_json json_t *settings = json_pack("{s:[s]}", "Cmd", "/bin/sh");
	auto_buf struct buf text = { 0 };
	struct platform platform;
	struct digest diff_id;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, platform_parse("linux/arm/v6", &platform, &err));
	CU_ASSERT_EQUAL_FATAL(0, digest_parse(DIFF1, &diff_id, &err));
	image_config_write_import(&platform, settings, "Imported from -", SECOND + 5, &diff_id,
				  &text);
	CU_ASSERT_STRING_EQUAL(text.data,
			       "{\"architecture\":\"arm\",\"comment\":\"Imported from -\","
			       "\"config\":{\"Cmd\":[\"/bin/sh\"]},"
			       "\"created\":\"1970-01-01T00:00:01.000000005Z\","
			       "\"history\":[{\"comment\":\"Imported from -\","
			       "\"created\":\"1970-01-01T00:00:01.000000005Z\"}],"
			       "\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"" DIFF1
			       "\"],\"type\":\"layers\"},\"variant\":\"v6\"}");
	CU_ASSERT_EQUAL_FATAL(0, image_config_parse(text.data, text.len, &config, &err));
	CU_ASSERT_EQUAL(config.created_ns, SECOND + 5);
	CU_ASSERT_STRING_EQUAL(config.settings.cmd.items[0], "/bin/sh");
	image_config_platform(&config, &platform);
	CU_ASSERT_STRING_EQUAL(platform.variant, "v6");
}

static void test_an_import_without_settings(void)
{
	auto_image_config struct image_config config = { 0 };
	auto_buf struct buf text = { 0 };
	struct platform platform;
	struct digest diff_id;
	struct error err;

	platform_host(&platform);
	digest_of("", 0, &diff_id);
	image_config_write_import(&platform, NULL, "", 0, &diff_id, &text);
	CU_ASSERT_EQUAL_FATAL(0, image_config_parse(text.data, text.len, &config, &err));
	CU_ASSERT_TRUE(config.has_created);
	CU_ASSERT_EQUAL(config.nr_history, 1);
}

static void test_what_is_written_is_read_again(void)
{
	auto_image_config struct image_config first, second = { 0 };
	auto_buf struct buf text = { 0 }, again = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(full, &first, &err));
	image_config_write(&first, &text);
	CU_ASSERT_EQUAL_FATAL(0, image_config_parse(text.data, text.len, &second, &err));
	image_config_write(&second, &again);
	CU_ASSERT_STRING_EQUAL(text.data, again.data);
	CU_ASSERT_STRING_EQUAL(second.history[2].comment, "k");
	CU_ASSERT_TRUE(second.history[1].empty_layer);
}

#define STEP(key) \
	"{\"rootfs\":{\"diff_ids\":[\"" DIFF1 "\"]},\"history\":[{\"veneer.step\":" key "}]}"

static void test_the_key_of_a_step(void)
{
	static const char *const others[] = {
		STEP("null"),
		STEP("7"),
		STEP("[\"" DIFF2 "\"]"),
		STEP("\"\""),
		STEP("\"sha256:00\""),
		STEP("\"sha512:00\""),
		STEP("\"" DIFF2 "0\""),
	};
	auto_image_config struct image_config config;
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, parse(STEP("\"" DIFF2 "\""), &config, &err));
	CU_ASSERT_STRING_EQUAL(config.history[0].step_key.text, DIFF2);
	image_config_write(&config, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "[{\"veneer.step\":\"" DIFF2 "\"}]"));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		auto_image_config struct image_config other;
		auto_buf struct buf again = { 0 };

		CU_ASSERT_EQUAL_FATAL(0, parse(others[i], &other, &err));
		CU_ASSERT_FALSE(digest_is_set(&other.history[0].step_key));
		image_config_write(&other, &again);
		CU_ASSERT_PTR_NULL(strstr(again.data, "veneer.step"));
	}
}

UNIT_SUITE(config, { "a full config is read", test_a_full_config },
	   { "settings are typed", test_settings_are_typed },
	   { "history tells what made a layer", test_history_tells_which_layer },
	   { "null and absent are the same", test_the_least_config },
	   { "Go's zero time is no time", test_times_that_were_never_set },
	   { "a command may be one string", test_a_command_may_be_one_string },
	   { "bad configs are refused", test_bad_configs_are_refused },
	   { "layers and history are bounded", test_layers_and_history_are_bounded },
	   { "images of other systems are refused", test_other_systems_are_refused },
	   { "chain ids follow the specification", test_chain_ids },
	   { "the document of an import", test_the_document_of_an_import },
	   { "an import without settings or comment", test_an_import_without_settings },
	   { "what is written is read again", test_what_is_written_is_read_again },
	   { "a history entry may have the key of its step", test_the_key_of_a_step });

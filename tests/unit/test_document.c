/* SPDX-License-Identifier: Apache-2.0 */
#include "run/document.h"

#include <string.h>

#include "base/cleanup.h"
#include "run/petname.h"
#include "run/signame.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char plain[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
	"\"diff_ids\":[]},\"config\":{\"Env\":[\"A=image\",\"PATH=/bin\"],"
	"\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"arg\"],\"Volumes\":{\"/data\":{}},"
	"\"Labels\":{\"l\":\"image\"},\"WorkingDir\":\"/work\",\"StopSignal\":\"SIGINT\"}}";

static json_t *make(const struct run_options *options, struct error *err)
{
	auto_image_config struct image_config config = { 0 };
	struct digest id = { 0 };
	json_t *document = NULL;

	CU_ASSERT_EQUAL_FATAL(image_config_parse(plain, strlen(plain), &config, err), 0);
	return document_new(options, &config, &id, ID, &document, err) < 0 ? NULL : document;
}

static char *argv_of(const json_t *document)
{
	auto_strlist struct strlist argv = { 0 };
	auto_buf struct buf text = { 0 };

	document_argv(document, &argv);
	for (size_t i = 0; i < argv.nr; i++)
		buf_printf(&text, "%s%s", i ? " " : "", argv.items[i]);
	return buf_take(&text);
}

static void check_argv(struct run_options *options, const char *expected)
{
	struct error err;
	json_auto_t *document = make(options, &err);
	auto_free char *argv = document ? argv_of(document) : NULL;

	if (expected)
		CU_ASSERT_STRING_EQUAL(argv, expected);
	if (!expected)
		CU_ASSERT_STRING_EQUAL(err.text, "no command specified");
	run_options_done(options);
}

static void test_commands(void)
{
	struct run_options options = { .stop_timeout = -1 };

	check_argv(&options, "/entry arg");
	strlist_add(&options.command, "mine");
	check_argv(&options, "/entry mine");
	options.has_entrypoint = true;
	options.entrypoint = "/other";
	check_argv(&options, "/other");
	options.has_entrypoint = true;
	options.entrypoint = "";
	check_argv(&options, NULL);
	options.has_entrypoint = true;
	options.entrypoint = "";
	strlist_add(&options.command, "ls");
	check_argv(&options, "ls");
	options.init = "/usr/bin/catatonit";
	check_argv(&options, "/sbin/docker-init -- /entry arg");
}

static void test_merging(void)
{
	struct run_options options = { .stop_timeout = -1 };
	auto_strlist struct strlist env = { 0 };
	auto_strlist struct strlist volumes = { 0 };
	json_auto_t *document = NULL;
	struct error err;

	strlist_add(&options.env, "A=mine");
	strlist_add(&options.env, "B=1");
	strlist_add(&options.env, "B=2");
	strlist_add(&options.labels, "l=mine");
	strlist_add(&options.labels, "bare");
	document = make(&options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(document);
	document_list(json_object_get(json_object_get(document, "Config"), "Env"), &env);
	CU_ASSERT_EQUAL(env.nr, 3);
	CU_ASSERT_STRING_EQUAL(env_value(&env, "A"), "mine");
	CU_ASSERT_STRING_EQUAL(env_value(&env, "B"), "2");
	CU_ASSERT_STRING_EQUAL(env_value(&env, "PATH"), "/bin");
	CU_ASSERT_STRING_EQUAL(document_text(document, "Config", "WorkingDir"), "/work");
	CU_ASSERT_STRING_EQUAL(document_text(document, "Config", "StopSignal"), "SIGINT");
	CU_ASSERT_STRING_EQUAL(document_text(document, "Config", "Hostname"), "0123456789ab");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(
			json_object_get(json_object_get(document, "Config"), "Labels"), "l")),
		"mine");
	document_volumes(document, &volumes);
	CU_ASSERT_EQUAL_FATAL(volumes.nr, 1);
	CU_ASSERT_EQUAL(strlen(volumes.items[0]), 64);
	run_options_done(&options);
}

static void check_refused(struct run_options *options, const char *expected)
{
	struct error err = { 0 };
	json_auto_t *document = make(options, &err);

	CU_ASSERT_PTR_NULL(document);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
	run_options_done(options);
}

static void test_refusals(void)
{
	struct run_options options = { .stop_timeout = -1 };

	strlist_add(&options.cap_add, "nonsense");
	check_refused(&options, "invalid capability: \"CAP_NONSENSE\"");
	strlist_add(&options.ulimits, "nofile=20:10");
	check_refused(&options, "ulimit soft limit must be less than or equal to hard limit: "
				"nofile=20:10");
	strlist_add(&options.sysctls, "kernel.panic=1");
	check_refused(&options, "sysctl 'kernel.panic=1' is not whitelisted");
	strlist_add(&options.security, "apparmor=mine");
	check_refused(&options, "--security-opt apparmor=mine is not supported");
	strlist_add(&options.add_host, "name:nowhere");
	check_refused(&options, "invalid IP address in add-host: \"nowhere\"");
	options.network = "bridge";
	check_refused(&options, "network bridge is not supported: there are \"host\" and \"none\"");
	options.workdir = "relative";
	check_refused(&options, "the working directory 'relative' is invalid, it needs to be an "
				"absolute path");
}

/* JSON holds no other bytes: a word that has such is a word still. */
static void test_bytes(void)
{
	struct run_options options = { .stop_timeout = -1 };
	char source[] = "/x", target[] = "/m\xff";
	struct mountspec mount = { .kind = MOUNTSPEC_BIND, .source = source, .target = target };
	auto_strlist struct strlist env = { 0 };
	json_auto_t *document = NULL;
	json_t *config;
	struct error err;

	strlist_add(&options.command, "a\xff");
	strlist_add(&options.command, "b");
	strlist_add(&options.env, "A=\xff");
	strlist_add(&options.labels, "l=\xff");
	options.workdir = "/w\xff";
	document = make(&options, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(document);
	config = json_object_get(document, "Config");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(config, "Cmd"), 0)),
			       "a\xef\xbf\xbd");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(config, "Cmd")), 2);
	document_list(json_object_get(config, "Env"), &env);
	CU_ASSERT_STRING_EQUAL(env_value(&env, "A"), "\xef\xbf\xbd");
	CU_ASSERT_STRING_EQUAL(document_text(document, "Config", "WorkingDir"), "/w\xef\xbf\xbd");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(config, "Labels"), "l")),
		"\xef\xbf\xbd");
	run_options_done(&options);
	options.mounts = &mount;
	options.nr_mounts = 1;
	json_decref(document);
	document = make(&options, &err);
	CU_ASSERT_PTR_NULL(document);
	CU_ASSERT_STRING_EQUAL(err.text, "a path of the mount '/m\xff' is not UTF-8");
}

static void check_volume(const char *text, const char *source, const char *target, bool read_only)
{
	auto_mountspec struct mountspec spec = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(mountspec_parse_volume(text, "/cwd", &spec, &err), 0);
	CU_ASSERT_STRING_EQUAL(spec.source ? spec.source : "", source);
	CU_ASSERT_STRING_EQUAL(spec.target, target);
	CU_ASSERT_EQUAL(spec.read_only, read_only);
}

static void test_volumes(void)
{
	auto_mountspec struct mountspec spec = { 0 };
	struct error err;

	check_volume("/data", "", "/data", false);
	check_volume("/host:/data/", "/host", "/data", false);
	check_volume("name:/data:ro,rslave", "name", "/data", true);
	check_volume("./rel:/data", "/cwd/./rel", "/data", false);
	CU_ASSERT_EQUAL(mountspec_parse_volume("a b:/data", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_volume("/a:data", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_volume("/a:/", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_volume("/a:/b:zz", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_volume("/a:/b:ro:x", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_mount("type=bind,src=/a,dst=/b,ro", "/", &spec, &err), 0);
	CU_ASSERT_EQUAL(spec.kind, MOUNTSPEC_BIND);
	CU_ASSERT_TRUE(spec.read_only);
	mountspec_done(&spec);
	CU_ASSERT_EQUAL(mountspec_parse_mount("type=tmpfs,dst=/b,tmpfs-size=1m", "/", &spec, &err),
			0);
	CU_ASSERT_STRING_EQUAL(spec.options, "size=1048576");
	mountspec_done(&spec);
	CU_ASSERT_EQUAL(mountspec_parse_mount("type=bind,dst=/b", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_mount("type=odd,dst=/b", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_mount("src=name", "/", &spec, &err), -1);
	CU_ASSERT_EQUAL(mountspec_parse_tmpfs("/t:size=1m", &spec, &err), 0);
	CU_ASSERT_STRING_EQUAL(spec.options, "size=1m");
}

static void test_names(void)
{
	auto_free char *one = petname_make(12345, 0);
	auto_free char *again = petname_make(12345, 0);
	auto_free char *other = petname_make(12345, 3);
	struct error err;

	CU_ASSERT_STRING_EQUAL(one, again);
	CU_ASSERT_STRING_NOT_EQUAL(one, other);
	CU_ASSERT_PTR_NOT_NULL(strchr(one, '_'));
	CU_ASSERT_EQUAL(petname_check(one, &err), 0);
	CU_ASSERT_EQUAL(petname_check("a.b-c_9", &err), 0);
	CU_ASSERT_EQUAL(petname_check("a", &err), -1);
	CU_ASSERT_EQUAL(petname_check("-ab", &err), -1);
	CU_ASSERT_EQUAL(petname_check("a b", &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "Invalid container name (a b), only "
					 "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}

static void test_signals(void)
{
	struct error err;

	CU_ASSERT_EQUAL(signame_parse("SIGTERM", &err), 15);
	CU_ASSERT_EQUAL(signame_parse("kill", &err), 9);
	CU_ASSERT_EQUAL(signame_parse("10", &err), 10);
	CU_ASSERT_EQUAL(signame_parse("SIGRTMIN+3", &err), signame_parse("RTMIN", &err) + 3);
	CU_ASSERT_EQUAL(signame_parse("0", &err), -1);
	CU_ASSERT_EQUAL(signame_parse("SIGNONE", &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "invalid signal: SIGNONE");
}

UNIT_SUITE(document, { "entrypoint and command follow Docker's rules", test_commands },
	   { "what is given wins over the image", test_merging },
	   { "what an option says wrong is named", test_refusals },
	   { "volumes, binds and tmpfs", test_volumes }, { "names of containers", test_names },
	   { "signals by name and number", test_signals },
	   { "words of any bytes stay words", test_bytes });

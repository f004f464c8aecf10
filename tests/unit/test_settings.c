/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"
#include "unit.h"

static char folder[] = "/tmp/veneer-settings-XXXXXX";

/* A file with this text; valid until the next call. */
static const char *file_with(const char *text)
{
	static char path[64];
	struct error err;

	if (strstr(folder, "XXXXXX"))
		CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/veneer.json", folder);
	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
	return path;
}

static void remove_file(void)
{
	auto_free char *path = xasprintf("%s/veneer.json", folder);

	unlink(path);
	rmdir(folder);
	memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6);
}

static void test_all_keys_are_taken_over(void)
{
	static const char text[] =
		"{ \"root\": \"/srv/v\", \"kernel\": \"appliance\", \"keep_blobs\": false,"
		"  \"writer\": \"direct\", \"fsck_layers\": true,"
		"  \"registries\": { \"docker.io\": { \"mirrors\": [ \"m.example\" ] } },"
		"  \"pool\": { \"block_size\": \"128K\", \"fs\": \"xfs\","
		"    \"volume_size\": \"20G\", \"files_size\": 1073741824,"
		"    \"prune\": \"all\" },"
		"  \"appliance\": { \"memory\": \"512M\", \"kernel\": \"/k\", \"modules\": \"/m\","
		"    \"disks\": [ \"/dev/sdb\", \"/d\" ] } }";
	auto_settings struct settings got = { 0 };
	struct error err;

	settings_defaults(&got);
	CU_ASSERT_EQUAL_FATAL(settings_read(file_with(text), &got, &err), 0);
	CU_ASSERT_STRING_EQUAL(got.root, "/srv/v");
	CU_ASSERT_EQUAL(got.kernel, SETTINGS_KERNEL_APPLIANCE);
	CU_ASSERT_FALSE(got.keep_blobs);
	CU_ASSERT_EQUAL(got.writer, LAYER_WRITER_DIRECT);
	CU_ASSERT_TRUE(got.fsck_layers);
	CU_ASSERT_EQUAL_FATAL(got.registries.nr, 1);
	CU_ASSERT_STRING_EQUAL(got.registries.rows[0].mirrors.items[0], "m.example");
	CU_ASSERT_EQUAL(got.pool_block_bytes, 128 * KIB);
	CU_ASSERT_STRING_EQUAL(got.pool_fs, "xfs");
	CU_ASSERT_EQUAL(got.pool_volume_bytes, 20 * GIB);
	CU_ASSERT_EQUAL(got.pool_files_bytes, GIB);
	CU_ASSERT_EQUAL(got.pressure.prune, PRESSURE_PRUNE_ALL);
	CU_ASSERT_EQUAL(got.appliance_memory_bytes, 512 * MIB);
	CU_ASSERT_STRING_EQUAL(got.appliance_kernel, "/k");
	CU_ASSERT_STRING_EQUAL(got.appliance_modules, "/m");
	CU_ASSERT_EQUAL_FATAL(got.appliance_disks.nr, 2);
	CU_ASSERT_STRING_EQUAL(got.appliance_disks.items[1], "/d");
	remove_file();
}

static void test_an_empty_object_changes_nothing(void)
{
	auto_settings struct settings got = { 0 };
	struct error err;

	settings_defaults(&got);
	CU_ASSERT_EQUAL_FATAL(settings_read(file_with("{}"), &got, &err), 0);
	CU_ASSERT_EQUAL(got.kernel, SETTINGS_KERNEL_AUTO);
	CU_ASSERT_TRUE(got.keep_blobs);
	CU_ASSERT_EQUAL(got.writer, LAYER_WRITER_AUTO);
	CU_ASSERT_FALSE(got.fsck_layers);
	CU_ASSERT_EQUAL(got.pool_block_bytes, 64 * KIB);
	CU_ASSERT_STRING_EQUAL(got.pool_fs, "ext4");
	CU_ASSERT_EQUAL(got.pressure.prune, PRESSURE_PRUNE_PULLED);
	remove_file();
}

static void test_a_missing_home_is_looked_up(void)
{
	auto_free char *before = getenv("HOME") ? xstrdup(getenv("HOME")) : NULL;
	const struct passwd *user = getpwuid(geteuid());
	auto_free char *expected = user ? xasprintf("%s/.docker", user->pw_dir) : NULL;
	auto_settings struct settings got = { 0 };

	unsetenv("HOME");
	settings_defaults(&got);
	if (before)
		setenv("HOME", before, 1);
	if (expected)
		CU_ASSERT_STRING_EQUAL(got.docker_dir, expected);
}

static void test_what_is_wrong_is_named(void)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "{ \"roots\": 1 }", "unknown key \"roots\"" },
		{ "{ \"pool\": { \"blocksize\": 1 } }", "unknown key \"pool.blocksize\"" },
		{ "{ \"pool\": 7 }", "key \"pool\": must be an object" },
		{ "{ \"pool\": { \"fs\": \"btrfs\" } }",
		  "key \"pool.fs\": must be \"ext4\" or \"xfs\"" },
		{ "{ \"pool\": { \"block_size\": 4096 } }",
		  "key \"pool.block_size\": must be at least 65536 bytes" },
		{ "{ \"pool\": { \"block_size\": \"96K\" } }",
		  "key \"pool.block_size\": must be a multiple of 65536 bytes" },
		{ "{ \"pool\": { \"volume_size\": -1 } }",
		  "key \"pool.volume_size\": must be a size, like \"10G\" or a number of bytes" },
		{ "{ \"kernel\": \"guest\" }",
		  "key \"kernel\": must be \"auto\", \"host\" or \"appliance\"" },
		{ "{ \"pool\": { \"prune\": \"some\" } }",
		  "key \"pool.prune\": must be \"pulled\", \"all\" or \"none\"" },
		{ "{ \"pool\": { \"prune\": 90 } }",
		  "key \"pool.prune\": must be \"pulled\", \"all\" or \"none\"" },
		{ "{ \"kernel\": true }",
		  "key \"kernel\": must be \"auto\", \"host\" or \"appliance\"" },
		{ "{ \"writer\": \"fast\" }",
		  "key \"writer\": must be \"auto\", \"direct\" or \"mount\"" },
		{ "{ \"keep_blobs\": 1 }", "key \"keep_blobs\": must be true or false" },
		{ "{ \"root\": \"var\" }", "key \"root\": must be an absolute path" },
		{ "{ \"appliance\": { \"memory\": \"100M\" } }",
		  "key \"appliance.memory\": must be at least 201326592 bytes" },
		{ "{ \"appliance\": { \"disks\": [ 1 ] } }",
		  "key \"appliance.disks\": [0]: must be an absolute path" },
		{ "[]", "must hold an object" },
		{ "{ \"root\": \"/a\", \"root\": \"/b\" }", "line 1: " },
		{ "{ \"root\"", "line 1: " },
		{ "", "line 1: " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_settings struct settings got = { 0 };
		const char *path = file_with(cases[i].text);
		struct error err;

		CU_ASSERT_EQUAL_FATAL(settings_read(path, &got, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_EQUAL(strncmp(err.text, path, strlen(path)), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].problem));
	}
	remove_file();
}

static void test_options_beat_variables_beat_the_file(void)
{
	struct global_opts global = { .root = "/from/option" };
	auto_settings struct settings got = { 0 };
	auto_settings struct settings again = { 0 };
	struct error err;

	setenv("VENEER_CONFIG",
	       file_with("{ \"root\": \"/from/file\", \"kernel\": \"appliance\","
			 "  \"writer\": \"mount\", \"fsck_layers\": true }"),
	       1);
	setenv("VENEER_KERNEL", "host", 1);
	setenv("VENEER_WRITER", "direct", 1);
	setenv("VENEER_FSCK_LAYERS", "0", 1);
	unsetenv("VENEER_ROOT"); /* the caller's own */
	CU_ASSERT_EQUAL_FATAL(settings_load(&global, &got, &err), 0);
	CU_ASSERT_STRING_EQUAL(got.root, "/from/option");
	CU_ASSERT_EQUAL(got.kernel, SETTINGS_KERNEL_HOST);
	CU_ASSERT_EQUAL(got.writer, LAYER_WRITER_DIRECT);
	CU_ASSERT_FALSE(got.fsck_layers);
	unsetenv("VENEER_KERNEL");
	unsetenv("VENEER_WRITER");
	unsetenv("VENEER_FSCK_LAYERS");
	global = (struct global_opts){ .config = folder };
	CU_ASSERT_EQUAL_FATAL(settings_load(&global, &again, &err), 0);
	CU_ASSERT_STRING_EQUAL(again.root, "/from/file");
	CU_ASSERT_EQUAL(again.kernel, SETTINGS_KERNEL_APPLIANCE);
	CU_ASSERT_EQUAL(again.writer, LAYER_WRITER_MOUNT);
	CU_ASSERT_TRUE(again.fsck_layers);
	CU_ASSERT_STRING_EQUAL(again.docker_dir, folder);
	unsetenv("VENEER_CONFIG");
	remove_file();
}

static void test_empty_words_are_not_the_default(void)
{
	const struct global_opts no_root = { .root = "" }, no_config = { .config = "" };
	auto_settings struct settings got = { 0 }, again = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(settings_load(&no_root, &got, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "--root: must name a folder");
	CU_ASSERT_EQUAL(settings_load(&no_config, &again, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "--config: must name a folder or a file");
}

static void test_config_names_a_file_or_dockers_folder(void)
{
	struct global_opts global = { .config = file_with("{ \"kernel\": \"host\" }") };
	auto_settings struct settings got = { 0 };
	auto_settings struct settings missing = { 0 };
	auto_settings struct settings relative = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(settings_load(&global, &got, &err), 0);
	CU_ASSERT_EQUAL(got.kernel, SETTINGS_KERNEL_HOST);
	global.config = "/nonexistent/veneer.json";
	CU_ASSERT_EQUAL(settings_load(&global, &missing, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	global = (struct global_opts){ .config = "/nonexistent", .root = "store" };
	CU_ASSERT_EQUAL_FATAL(settings_load(&global, &relative, &err), 0);
	CU_ASSERT_STRING_EQUAL(relative.docker_dir, "/nonexistent");
	CU_ASSERT_EQUAL(relative.root[0], '/');
	CU_ASSERT_PTR_NOT_NULL(strstr(relative.root, "/store"));
	remove_file();
}

UNIT_SUITE(settings, { "every key of the file is taken over", test_all_keys_are_taken_over },
	   { "an empty object changes nothing", test_an_empty_object_changes_nothing },
	   { "a missing HOME is looked up", test_a_missing_home_is_looked_up },
	   { "what is wrong is named with file and key", test_what_is_wrong_is_named },
	   { "options beat variables, which beat the file",
	     test_options_beat_variables_beat_the_file },
	   { "--config names a file or Docker's folder",
	     test_config_names_a_file_or_dockers_folder },
	   { "empty words are not the default", test_empty_words_are_not_the_default });

/* SPDX-License-Identifier: Apache-2.0 */
#include "run/bundle.h"

#include <string.h>

#include "base/cleanup.h"
#include "run/caps.h"
#include "unit.h"

static const struct account root = { 0 };
static const struct strlist none;

static json_t *make(struct bundle_args *args)
{
	static char *words[] = { (char *)"sh", (char *)"-c", (char *)"true", NULL };
	static struct strlist argv = { .items = words, .nr = 3 };
	struct error err;

	args->rootfs = "/r";
	args->argv = &argv;
	args->env = &none;
	args->account = args->account ? args->account : &root;
	args->cgroup = "/veneer/x";
	if (!args->caps)
		CU_ASSERT_EQUAL(caps_resolve(args->privileged, &none, &none, &args->caps, &err), 0);
	return bundle_config(args);
}

static json_t *at(json_t *json, const char *a, const char *b)
{
	json = json_object_get(json, a);
	return b ? json_object_get(json, b) : json;
}

static bool has_text(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
			return true;
	return false;
}

static bool allows(const json_t *profile, const char *call)
{
	json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(profile, "syscalls"), i,
			   rule) if (has_text(json_object_get(rule, "names"), call) &&
				     strcmp(json_string_value(json_object_get(rule, "action")),
					    "SCMP_ACT_ALLOW") == 0) return true;
	return false;
}

static json_t *mount_at(json_t *config, const char *target)
{
	json_t *mount;
	size_t i;

	json_array_foreach(
		json_object_get(config, "mounts"), i,
		mount) if (strcmp(json_string_value(json_object_get(mount, "destination")),
				  target) == 0) return mount;
	return NULL;
}

static void test_defaults(void)
{
	struct bundle_args args = { .hostname = "box" };
	json_auto_t *config = make(&args);
	json_t *bounding = json_object_get(at(config, "process", "capabilities"), "bounding");

	CU_ASSERT_STRING_EQUAL(json_string_value(at(config, "process", "cwd")), "/");
	CU_ASSERT_STRING_EQUAL(json_string_value(at(config, "hostname", NULL)), "box");
	CU_ASSERT_EQUAL(json_array_size(bounding), 14);
	CU_ASSERT_TRUE(has_text(bounding, "CAP_CHOWN"));
	CU_ASSERT_FALSE(has_text(bounding, "CAP_SYS_ADMIN"));
	CU_ASSERT_TRUE(has_text(at(config, "linux", "maskedPaths"), "/proc/kcore"));
	CU_ASSERT_TRUE(has_text(at(config, "linux", "readonlyPaths"), "/proc/sys"));
	CU_ASSERT_EQUAL(json_array_size(at(config, "linux", "namespaces")), 5);
	CU_ASSERT_PTR_NULL(json_object_get(at(config, "linux", "resources"), "memory"));
}

static void test_seccomp(void)
{
	struct bundle_args args = { 0 };
	struct bundle_args privileged = { .privileged = true };
	json_auto_t *config = make(&args);
	json_auto_t *open = make(&privileged);
	json_t *profile = at(config, "linux", "seccomp");

	CU_ASSERT_STRING_EQUAL(json_string_value(at(profile, "defaultAction", NULL)),
			       "SCMP_ACT_ERRNO");
	CU_ASSERT_TRUE(allows(profile, "openat2"));
	CU_ASSERT_TRUE(allows(profile, "chroot"));
	CU_ASSERT_TRUE(allows(profile, "clone"));
	CU_ASSERT_FALSE(allows(profile, "mount"));
	CU_ASSERT_FALSE(allows(profile, "clone3"));
	CU_ASSERT_FALSE(allows(profile, "keyctl"));
	CU_ASSERT_FALSE(allows(profile, "io_uring_setup"));
	CU_ASSERT_PTR_NULL(at(open, "linux", "seccomp"));
	CU_ASSERT_PTR_NULL(at(open, "linux", "maskedPaths"));
}

static void test_limits(void)
{
	struct bundle_args args = {
		.limits = { .memory_bytes = 1 << 26, .nano_cpus = 1500000000, .pids = 50 },
		.own_network = true,
		.read_only_root = true,
	};
	json_auto_t *config = make(&args);
	json_t *resources = at(config, "linux", "resources");

	CU_ASSERT_EQUAL(json_integer_value(at(resources, "memory", "limit")), 1 << 26);
	CU_ASSERT_EQUAL(json_integer_value(at(resources, "cpu", "quota")), 150000);
	CU_ASSERT_EQUAL(json_integer_value(at(resources, "pids", "limit")), 50);
	CU_ASSERT_EQUAL(json_array_size(at(config, "linux", "namespaces")), 6);
	CU_ASSERT_TRUE(json_is_true(at(config, "root", "readonly")));
}

static void test_mounts(void)
{
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	struct bundle_args args = { .mounts = &mounts };
	json_auto_t *config = NULL;

	bundle_mounts_add(&mounts, "/src", "/dst", true, "rslave");
	bundle_mounts_add(&mounts, NULL, "/tmp", false, "size=64m");
	config = make(&args);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(mount_at(config, "/dst"), "source")), "/src");
	CU_ASSERT_TRUE(has_text(json_object_get(mount_at(config, "/dst"), "options"), "ro"));
	CU_ASSERT_TRUE(has_text(json_object_get(mount_at(config, "/dst"), "options"), "rslave"));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(mount_at(config, "/tmp"), "type")),
			       "tmpfs");
	CU_ASSERT_TRUE(has_text(json_object_get(mount_at(config, "/tmp"), "options"), "size=64m"));
}

static void test_other_users(void)
{
	uint32_t more[] = { 7 };
	struct account account = { .uid = 1000, .gid = 1001, .groups = more, .nr_groups = 1 };
	struct bundle_args args = { .account = &account };
	json_auto_t *config = make(&args);
	json_t *caps = at(config, "process", "capabilities");

	CU_ASSERT_EQUAL(json_integer_value(json_object_get(at(config, "process", "user"), "uid")),
			1000);
	CU_ASSERT_EQUAL(
		json_array_size(json_object_get(at(config, "process", "user"), "additionalGids")),
		1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(caps, "bounding")), 14);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(caps, "effective")), 0);
}

UNIT_SUITE(bundle, { "without options a container is confined as Docker's are", test_defaults },
	   { "system calls are allowed by a list", test_seccomp },
	   { "limits appear where they are asked for", test_limits },
	   { "binds and tmpfs are mounted in their order", test_mounts },
	   { "only root starts with capabilities", test_other_users });

/* SPDX-License-Identifier: Apache-2.0 */
#include "build/runmount.h"

#include <string.h>

#include "base/cleanup.h"
#include "build/copyspec.h"
#include "unit.h"

static const char *const env[] = { "dir=/var cache", "m=700", NULL };

/* "type target source from id ro mode uid:gid size", or the error */
static void check(const char *text, const char *expected)
{
	struct expand_scope scope = expand_scope((char *const *)env, '\\');
	auto_runmount struct runmount mount = { 0 };
	auto_buf struct buf out = { 0 }, target = { 0 };
	struct error err = { 0 };

	if (runmount_parse(text, &scope, &mount, &err) < 0 ||
	    runmount_target(&mount, "/work", &target, &err) < 0)
		buf_puts(&out, err.text);
	else
		buf_printf(&out, "%d %s|%s|%s|%s %s%s%d %o %u:%u %llu", mount.type, target.data,
			   mount.source, mount.from, mount.id, mount.read_only ? "ro " : "rw ",
			   mount.required ? "required " : "", mount.sharing, mount.mode, mount.uid,
			   mount.gid, (unsigned long long)mount.size_bytes);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
	if (strcmp(out.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", out.data, expected);
}

static void test_types(void)
{
	check("target=/a", "0 /a||| ro 0 400 0:0 0");
	check("type=bind,source=s,dst=a/../b,from=f,rw", "0 /work/b|s|f| rw 0 400 0:0 0");
	check("TYPE=cache,destination=/a//c/", "1 /a/c|||/a/c rw 0 755 0:0 0");
	check("type=cache,target=x,id=i,sharing=LOCKED,mode=0700,uid=1,gid=2,ro",
	      "1 /work/x|||i ro 2 700 1:2 0");
	check("type=tmpfs,target=/t,size=1k", "2 /t||| rw 0 400 0:0 1024");
	check("type=secret,id=s", "3 /run/secrets/s|||s ro 0 400 0:0 0");
	check("type=secret,id=s,env=S", "3 |||s ro 0 400 0:0 0");
	check("type=secret,target=/x/y,required,mode=0444", "3 /x/y|||y ro required 0 444 0:0 0");
	check("type=secret,src=a/b", "3 /run/secrets/b|a/b||a/b ro 0 400 0:0 0");
	check("target=/a,readonly=0", "0 /a||| rw 0 400 0:0 0");
	check("target=/a,readwrite=false", "0 /a||| ro 0 400 0:0 0");
	check("\"target=/a,b\",source=\"x\"",
	      "failed to parse csv mounts: bare \" in non-quoted field");
	check("\"target=/a,b\"", "0 /a,b||| ro 0 400 0:0 0");
	check("target=$dir/x,type=cache,mode=$m", "1 /var cache/x|||/var cache/x rw 0 700 0:0 0");
	check("source=x", "0 /work|x|| ro 0 400 0:0 0");
}

static void test_errors(void)
{
	check("target=/", "invalid mount target \"/\"");
	check("target=/..", "invalid mount target \"/\"");
	check("type=volume,target=/a", "unsupported mount type \"volume\"");
	check("foo=1", "unexpected key 'foo' in 'foo=1' (did you mean from?)");
	check("xyzzy=1", "unexpected key 'xyzzy' in 'xyzzy=1'");
	check("type=cache,target", "invalid field 'target' must be a key=value pair");
	check("target=/a,env=X", "unexpected key 'env' for mount type 'bind'");
	check("type=cache,target=/a,mode=${none:?m}", "none: m");
	check("type=secret,id=s,sharing=shared", "secret mount should not define sharing");
	check("target=/a,gid=4294967296", "invalid value 4294967296 for gid");
}

static void check_mode(const char *text, mode_t before, bool folder, int expected)
{
	struct chmod_spec spec;
	struct error err;

	if (chmod_parse(text, &spec, &err) < 0) {
		auto_free char *why = xasprintf("invalid chmod parameter: '%s'. it should be octal "
						"string and between 0 and 07777",
						text);

		CU_ASSERT_EQUAL(expected, -1);
		CU_ASSERT_STRING_EQUAL(err.text, why);
		return;
	}
	CU_ASSERT_EQUAL((int)chmod_apply(&spec, before, folder), expected);
}

static void test_modes(void)
{
	check_mode("644", 0777, false, 0644);
	check_mode("07777", 0, true, 07777);
	check_mode("0", 0777, true, 0);
	check_mode("u=rwX,go=rX", 0644, false, 0644);
	check_mode("u=rwX,go=rX", 0744, false, 0755);
	check_mode("u=rwX,go=rX", 0600, true, 0755);
	check_mode("a+x", 0644, false, 0755);
	check_mode("+x", 0644, false, 0755);
	check_mode("go-w", 0666, false, 0644);
	check_mode("g=u", 0640, false, 0660);
	check_mode("u+s,g+s", 0755, false, 06755);
	check_mode("u-s", 04755, false, 0755);
	check_mode("+t", 0777, true, 01777);
	check_mode("u=rw+x-w", 0, false, 0500);
	check_mode("=", 0777, false, 0);
	check_mode("10000", 0, false, -1);
	check_mode("8", 0, false, -1);
	check_mode("-1", 0, false, -1);
	check_mode("", 0, false, -1);
	check_mode("u", 0, false, -1);
	check_mode("u=rw,", 0, false, -1);
	check_mode("u=q", 0, false, -1);
	check_mode("99999999999999999999", 0, false, -1);
}

static void check_owner(const char *text, const char *user, const char *group)
{
	auto_free char *got_user = NULL, *got_group = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, chown_split(text, &got_user, &got_group, &err));
	CU_ASSERT_STRING_EQUAL(got_user ? got_user : "-", user);
	CU_ASSERT_STRING_EQUAL(got_group ? got_group : "-", group);
}

static void test_sources(void)
{
	static const char *const names[][2] = {
		{ "https://a/b/c.tar?x=/y", "c.tar" },
		{ "http://a", NULL },
		{ "http://a/", NULL },
		{ "http://a/b/", NULL },
		{ "http://a/b/..", NULL },
		{ "http://a/b#c/d", "b" },
	};
	char *user, *group;
	struct error err;

	check_owner("a", "a", "-");
	check_owner("1:2", "1", "2");
	check_owner(":g", "-", "g");
	check_owner("u:", "u", "-");
	CU_ASSERT_EQUAL(-1, chown_split("a:b:c", &user, &group, &err));
	CU_ASSERT_EQUAL(copy_source_kind("a/b"), COPY_SOURCE_PATH);
	CU_ASSERT_EQUAL(copy_source_kind("HTTPS://a/b"), COPY_SOURCE_URL);
	CU_ASSERT_EQUAL(copy_source_kind("https://a/b.git#main"), COPY_SOURCE_GIT);
	CU_ASSERT_EQUAL(copy_source_kind("git@a:b"), COPY_SOURCE_GIT);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		auto_free char *name = copy_url_name(names[i][0]);

		CU_ASSERT_STRING_EQUAL(name ? name : "-", names[i][1] ? names[i][1] : "-");
	}
	CU_ASSERT_TRUE(copy_is_folder("/a/") && copy_is_folder(".") && copy_is_folder("a/.."));
	CU_ASSERT_FALSE(copy_is_folder("/a") || copy_is_folder("a..") || copy_is_folder(".a"));
}

UNIT_SUITE(runmount, { "each type has its keys and defaults", test_types },
	   { "wrong mounts are refused in docker's words", test_errors },
	   { "--chmod is octal or symbolic", test_modes },
	   { "owners, sources and destinations are told apart", test_sources });

/* SPDX-License-Identifier: Apache-2.0 */
#include "run/account.h"

#include "unit.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "broken line\n"
			     "app:x:1000:1001:An app:/srv/app:/bin/sh\n"
			     "1234:x:77:78::/:/bin/sh\n"
			     "nohome:x:5:6:::/bin/sh";
static const char group[] = "root:x:0:\n"
			    "app:x:1001:\n"
			    "disk:x:6:root,app\n"
			    "wheel:x:10:other,app\n";

static void check(const char *user, uint32_t uid, uint32_t gid, size_t nr_groups, const char *home)
{
	auto_account struct account account = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(account_resolve(user, passwd, group, &account, &err), 0);
	CU_ASSERT_EQUAL(account.uid, uid);
	CU_ASSERT_EQUAL(account.gid, gid);
	CU_ASSERT_EQUAL(account.nr_groups, nr_groups);
	CU_ASSERT_STRING_EQUAL(account.home, home);
}

static void check_bad(const char *user, const char *text)
{
	auto_account struct account account = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(account_resolve(user, passwd, group, &account, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, text);
}

static void test_users(void)
{
	check("", 0, 0, 1, "/root");
	check(NULL, 0, 0, 1, "/root");
	check("app", 1000, 1001, 2, "/srv/app");
	check("1000", 1000, 1001, 2, "/srv/app");
	check("4242", 4242, 0, 0, "/");
	check("1234", 77, 78, 0, "/"); /* a name of digits is a name first */
	check("nohome", 5, 6, 0, "/");
}

static void test_groups(void)
{
	check("app:disk", 1000, 6, 0, "/srv/app");
	check("app:99", 1000, 99, 0, "/srv/app");
	check(":wheel", 0, 10, 0, "/root");
	check("55:66", 55, 66, 0, "/");
}

static void test_unknown(void)
{
	check_bad("nobody", "unable to find user nobody: no matching entries in passwd file");
	check_bad("app:none", "unable to find group none: no matching entries in group file");
	check_bad("99999999999", "unable to find user 99999999999: no matching entries in passwd "
				 "file");
	check_bad("-1", "unable to find user -1: no matching entries in passwd file");
}

UNIT_SUITE(account, { "users are found by name, then by number", test_users },
	   { "a group that is named is the only one", test_groups },
	   { "nobody is made up", test_unknown });

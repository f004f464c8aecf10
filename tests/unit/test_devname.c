/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pool/devname.h"
#include "unit.h"

static void is(const char *uuid, enum devname_kind kind, uint32_t thin_id)
{
	struct devname name;

	CU_ASSERT_TRUE(devname_parse(uuid, &name));
	CU_ASSERT_STRING_EQUAL(name.store_id, "abcdef01");
	CU_ASSERT_EQUAL(name.kind, kind);
	CU_ASSERT_EQUAL(name.thin_id, thin_id);
}

static void test_ours(void)
{
	is("veneer-abcdef01-pool", DEVNAME_POOL, 0);
	is("veneer-abcdef01-data", DEVNAME_DATA, 0);
	is("veneer-abcdef01-meta", DEVNAME_META, 0);
	is("veneer-abcdef01-7", DEVNAME_VOLUME, 7);
	is("veneer-abcdef01-16777215", DEVNAME_VOLUME, 16777215);
	is("veneer-abcdef01-reader.12-0", DEVNAME_READER, 0);
	is("veneer-abcdef01-16777216", DEVNAME_OTHER, 0);
	is("veneer-abcdef01-7x", DEVNAME_OTHER, 0);
	is("veneer-abcdef01-", DEVNAME_OTHER, 0);
}

static void test_others(void)
{
	static const char *const names[] = { "",
					     "veneer",
					     "veneer-",
					     "veneer-abc-7",
					     "veneer-ABCDEF01-7",
					     "veneer-abcdef01",
					     "LVM-abcdef01-7",
					     "veneer-abcdef012-7" };
	struct devname name;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CU_ASSERT_FALSE(devname_parse(names[i], &name));
}

static void test_owners(void)
{
	CU_ASSERT_STRING_EQUAL(devname_owner("CRYPT-VERITY-0"), "veritysetup");
	CU_ASSERT_STRING_EQUAL(devname_owner("CRYPT-LUKS2-0"), "cryptsetup");
	CU_ASSERT_STRING_EQUAL(devname_owner("part1-mpath-0"),
			       "kpartx, a partition of another device");
	CU_ASSERT_PTR_NOT_NULL(strstr(devname_owner("LVM-0"), "LVM"));
	CU_ASSERT_PTR_NOT_NULL(strstr(devname_owner(""), "no uuid"));
	CU_ASSERT_PTR_NOT_NULL(strstr(devname_owner("xyz"), "not known"));
}

UNIT_SUITE(devname, { "names of ours say what the device is", test_ours },
	   { "other names are not ours", test_others },
	   { "a uuid says which program made a device", test_owners });

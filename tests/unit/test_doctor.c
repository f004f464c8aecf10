/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/magic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "doctor.h"
#include "unit.h"

static void test_versions(void)
{
	static const char *const texts[][2] = {
		{ "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library", "1.47.0" },
		{ "0.9.0\n", "0.9.0" },
		{ "tini version 0.1.7_catatonit\n", "0.1.7" },
		{ "Library version:   1.02.185 (2022-05-18)\n", "1.02.185" },
		{ "thin-pool        v1.22.0\n", "1.22.0" },
		{ "kmod version 30\n+ZSTD", "30" },
		{ "crun version 1.14.1-1~x.\n", "1.14.1-1~x" },
		{ "no number\n1.2", "" },
		{ "e2fsprogs", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		auto_free char *version = doctor_version_in(texts[i][0]);

		CU_ASSERT_STRING_EQUAL(version, texts[i][1]);
	}
}

static void test_disks(void)
{
	const char *name, *why;

	CU_ASSERT_EQUAL(doctor_disk_kind(EXT4_SUPER_MAGIC, &name, &why), DOCTOR_OK);
	CU_ASSERT_EQUAL(doctor_disk_kind(TMPFS_MAGIC, &name, &why), DOCTOR_WARNING);
	CU_ASSERT_EQUAL(doctor_disk_kind(OVERLAYFS_SUPER_MAGIC, &name, &why), DOCTOR_WARNING);
	CU_ASSERT_EQUAL(doctor_disk_kind(NFS_SUPER_MAGIC, &name, &why), DOCTOR_ERROR);
	CU_ASSERT_STRING_EQUAL(name, "nfs");
	/* The kernel's field is signed on some machines. */
	CU_ASSERT_EQUAL(doctor_disk_kind((long)(int)0xff534d42, &name, &why), DOCTOR_ERROR);
	CU_ASSERT_EQUAL(doctor_disk_kind(1, &name, &why), DOCTOR_NOTE);
}

static void test_findings(void)
{
	auto_doctor struct doctor doctor = { 0 };

	doctor_found(&doctor, DOCTOR_WARNING, "pool", "veneer pool grow", "%d %%", 5);
	CU_ASSERT_FALSE(doctor_has_errors(&doctor));
	CU_ASSERT_STRING_EQUAL(doctor.items[0].text, "5 %");
	doctor_found(&doctor, DOCTOR_ERROR, "pool", "", "full");
	CU_ASSERT_TRUE(doctor_has_errors(&doctor));
	CU_ASSERT_STRING_EQUAL(doctor_level_name(DOCTOR_ERROR), "error");
}

UNIT_SUITE(doctor, { "the version is found in what programs say", test_versions },
	   { "disks that do harm are known", test_disks },
	   { "an error is told from the rest", test_findings });

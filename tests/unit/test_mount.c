/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "unit.h"

static void test_device_of_a_line(void)
{
	static const char line[] =
		"36 35 254:3 / /mnt/with\\040space rw,noatime shared:1 - ext4 /dev/dm-3 rw";

	CU_ASSERT(mount_line_has_device(line, makedev(254, 3)));
	CU_ASSERT_FALSE(mount_line_has_device(line, makedev(254, 2)));
	CU_ASSERT_FALSE(mount_line_has_device(line, makedev(25, 43)));
	CU_ASSERT(
		mount_line_has_device("1 2 259:1048575 / / rw - ext4 x rw", makedev(259, 1048575)));
}

static void test_other_lines(void)
{
	CU_ASSERT_FALSE(mount_line_has_device("", makedev(0, 0)));
	CU_ASSERT_FALSE(mount_line_has_device("36 35", makedev(0, 0)));
	CU_ASSERT_FALSE(mount_line_has_device("a b 0:0 /", makedev(0, 0)));
}

static void test_place_that_is_no_mount(void)
{
	struct error err;
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(0, stat("/proc/self/fd", &st));
	CU_ASSERT_EQUAL(-1, mount_remove("/proc/self/fd", st.st_dev, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_EQUAL(-1, mount_remove("/proc/self", makedev(254, 3), &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_EQUAL(-1, mount_remove("/nonexistent/place", makedev(254, 3), &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
}

UNIT_SUITE(mount, { "a line of mountinfo names its device", test_device_of_a_line },
	   { "other lines name none", test_other_lines },
	   { "what is no mount of the device is not unmounted", test_place_that_is_no_mount });

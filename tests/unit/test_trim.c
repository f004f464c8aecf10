/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/trim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/size.h"
#include "unit.h"

#define DISK_BYTES  (32 * MIB)
#define JUNK_AT	    (20 * MIB + 512) /* not at a block's edge */
#define JUNK_BYTES  (2 * MIB)
#define STATE_AT    1082 /* s_state of the superblock */
#define MKFS_MS	    30000
#define SUPERBLOCKS "^metadata_csum,^has_journal" /* so that a test may change them */

/* An ext4 file system whose free blocks have been written to. */
static int make_disk(char path[])
{
	static const char junk[64 * 1024] = "not zeroes";
	struct error err;
	int fd = mkstemp(path);
	const char *const argv[] = { "/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-O",
				     SUPERBLOCKS,	path, NULL };

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(0, ftruncate(fd, DISK_BYTES));
	CU_ASSERT_EQUAL_FATAL(0, proc_check(argv, MKFS_MS, &err));
	for (uint64_t at = 0; at < JUNK_BYTES; at += sizeof(junk))
		CU_ASSERT_EQUAL_FATAL(0, io_pwrite(fd, junk, sizeof(junk), JUNK_AT + at, &err));
	return fd;
}

static uint64_t allocated(int fd)
{
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(0, fstat(fd, &st));
	return (uint64_t)st.st_blocks * SECTOR_BYTES;
}

static void test_free_blocks_become_holes(void)
{
	char path[] = "/tmp/unit-trim-XXXXXX", data[16];
	auto_fd int fd = make_disk(path);
	const char *const fsck[] = { "/sbin/e2fsck", "-fn", path, NULL };
	uint64_t before, bytes = 0;
	struct error err;

	fsync(fd);
	before = allocated(fd);
	CU_ASSERT_EQUAL_FATAL(0, trim_disk(path, &bytes, &err));
	CU_ASSERT(bytes >= JUNK_BYTES);
	CU_ASSERT(allocated(fd) + JUNK_BYTES <= before);
	CU_ASSERT_EQUAL(0, io_pread(fd, data, sizeof(data), JUNK_AT, &err));
	CU_ASSERT_EQUAL(data[0], 0);
	CU_ASSERT_EQUAL(0, proc_check(fsck, MKFS_MS, &err));
	CU_ASSERT_EQUAL_FATAL(0, trim_disk(path, &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 0);
	unlink(path);
}

static void test_a_disk_in_use_is_left_alone(void)
{
	char path[] = "/tmp/unit-trim-XXXXXX", data[4];
	auto_fd int fd = make_disk(path);
	static const uint16_t mounted;
	uint64_t bytes = 1;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_pwrite(fd, &mounted, sizeof(mounted), STATE_AT, &err));
	CU_ASSERT_EQUAL_FATAL(0, trim_disk(path, &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 0);
	CU_ASSERT_EQUAL(0, io_pread(fd, data, sizeof(data), JUNK_AT, &err));
	CU_ASSERT(memcmp(data, "not ", sizeof(data)) == 0);
	unlink(path);
}

static void test_what_is_no_disk_is_refused(void)
{
	uint64_t bytes;
	struct error err;

	CU_ASSERT_EQUAL(-1, trim_disk("/nonexistent", &bytes, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);

	char path[] = "/tmp/unit-trim-XXXXXX";
	auto_fd int fd = mkstemp(path);

	CU_ASSERT_EQUAL(0, ftruncate(fd, DISK_BYTES));
	CU_ASSERT_EQUAL(-1, trim_disk(path, &bytes, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	unlink(path);
}

UNIT_SUITE(trim, { "free blocks become holes", test_free_blocks_become_holes },
	   { "a disk in use is left alone", test_a_disk_in_use_is_left_alone },
	   { "what is no disk is refused", test_what_is_no_disk_is_refused });

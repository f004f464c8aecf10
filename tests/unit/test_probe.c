/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/probe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "unit.h"

/* A descriptor of an empty file of 8 MiB that has no name. */
static int open_device(void)
{
	char path[] = "/tmp/veneer-probe-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && unlink(path) == 0 && ftruncate(fd, 8 * MIB) == 0);
	return fd;
}

static void put(int fd, const void *bytes, size_t len, off_t offset)
{
	CU_ASSERT_EQUAL_FATAL(pwrite(fd, bytes, len, offset), (ssize_t)len);
}

static void check_found(int fd, const char *expected)
{
	auto_free char *found = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, probe_signature(fd, &found, &err));
	if (expected) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(found);
		CU_ASSERT_STRING_EQUAL(found, expected);
	} else {
		CU_ASSERT_PTR_NULL(found);
	}
}

static void test_empty_device(void)
{
	auto_fd int fd = open_device();

	check_found(fd, NULL);
	put(fd, "some data", 9, 5 * MIB);
	check_found(fd, NULL);
}

static void test_signatures(void)
{
	auto_fd int swap_fd = open_device();
	auto_fd int lvm_fd = open_device();
	uint32_t version = 1, last_page = 2047;

	put(swap_fd, "SWAPSPACE2", 10, 4086);
	put(swap_fd, &version, 4, 1024);
	put(swap_fd, &last_page, 4, 1028);
	check_found(swap_fd, "a signature (swap)");
	put(lvm_fd, "hsqs", 4, 0);
	put(lvm_fd, "\4\0", 2, 28);
	check_found(lvm_fd, "a file system (squashfs)");
}

static void test_partition_table(void)
{
	static const uint8_t entry[16] = { 0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0 };
	auto_fd int fd = open_device();

	put(fd, entry, sizeof(entry), 446);
	put(fd, "\x55\xaa", 2, 510);
	check_found(fd, "a partition table (dos)");
}

static void test_metadata_of_the_kernel(void)
{
	static const uint8_t thin[8] = { 0xba, 0x52, 0x9c, 0x01 }; /* 27022010 */
	auto_fd int fd = open_device();

	put(fd, thin, sizeof(thin), 32);
	check_found(fd, "a signature (metadata of a thin pool)");
}

static void test_unreadable(void)
{
	auto_free char *found = NULL;
	struct error err;
	int pipe_fds[2];

	CU_ASSERT_EQUAL_FATAL(0, pipe(pipe_fds));
	CU_ASSERT_EQUAL(-1, probe_signature(pipe_fds[0], &found, &err));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

UNIT_SUITE(probe, { "an empty device carries nothing", test_empty_device },
	   { "file systems and others are recognised", test_signatures },
	   { "a partition table is recognised", test_partition_table },
	   { "metadata of a thin pool is recognised", test_metadata_of_the_kernel },
	   { "what cannot be read is an error", test_unreadable });

/* SPDX-License-Identifier: Apache-2.0 */
#include "courier.h"

#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "layerbox.h"

#define BYTES (24u << 20) /* more than is under way at once */

static void write_pattern(int fd)
{
	char block[65536];
	struct error err;

	for (size_t at = 0; at < BYTES; at += sizeof(block)) {
		memset(block, (int)(at >> 16), sizeof(block));
		if (io_write(fd, block, sizeof(block), &err) < 0)
			_exit(1);
	}
	_exit(0);
}

static size_t read_pattern(int fd)
{
	char block[65536];
	size_t at = 0;
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < got; i++, at++)
			if (block[i] != (char)(at >> 16))
				return 0;
	return at;
}

static void test_streams(void)
{
	auto_box struct box box = box_new();
	auto_courier struct courier here = { 0 }, there = { 0 };
	struct error err;
	pid_t writer;
	int status;

	CU_ASSERT_EQUAL_FATAL(0, courier_start(box.path, "up", "down", &here, &err));
	CU_ASSERT_EQUAL_FATAL(0, courier_start(box.path, "down", "up", &there, &err));
	writer = fork();
	if (writer == 0)
		write_pattern(here.out_fd);
	/* The last of the writers, but for the child: its end is the stream's. */
	close(here.out_fd);
	here.out_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(write(there.out_fd, "a line\n", 7), 7);
	CU_ASSERT_EQUAL(read_pattern(there.in_fd), BYTES);
	CU_ASSERT_EQUAL(waitpid(writer, &status, 0), writer);
	CU_ASSERT_EQUAL(status, 0);
	char line[16] = { 0 };

	CU_ASSERT_EQUAL(read(here.in_fd, line, sizeof(line)), 7);
	CU_ASSERT_STRING_EQUAL(line, "a line\n");
}

/* The other side is gone: neither end waits for ever. */
static void test_folder_gone(void)
{
	auto_courier struct courier courier = { 0 };
	char path[] = "/tmp/veneer-courier.XXXXXX", byte;
	struct error err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	CU_ASSERT_EQUAL_FATAL(0, courier_start(path, "in", "out", &courier, &err));
	rmdir(path);
	CU_ASSERT_EQUAL(read(courier.in_fd, &byte, 1), 0);
}

UNIT_SUITE(courier, { "streams arrive whole, in both directions", test_streams },
	   { "a folder that is gone ends them", test_folder_gone });

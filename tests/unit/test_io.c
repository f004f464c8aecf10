/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "unit.h"

/* In the child: reads to the end. */
static _Noreturn void count(int fd, size_t want)
{
	char chunk[4096];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		want -= (size_t)got;
	_exit(want != 0);
}

static void test_write_waits(void)
{
	const size_t len = MIB;
	auto_free char *data = xcalloc(1, len);
	int ends[2], status;
	struct error err;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(0, pipe2(ends, O_NONBLOCK));
	CU_ASSERT_EQUAL_FATAL(0, fcntl(ends[0], F_SETFL, 0));
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		count(ends[0], len);
	}
	close(ends[0]);
	CU_ASSERT_EQUAL(0, io_write(ends[1], data, len, &err));
	close(ends[1]);
	CU_ASSERT_EQUAL(pid, waitpid(pid, &status, 0));
	CU_ASSERT_EQUAL(0, status);
}

static void test_list_folder(void)
{
	char folder[] = "/tmp/veneer-unit.XXXXXX";
	auto_strlist struct strlist names = { 0 };
	auto_free char *file = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	io_list_folder(AT_FDCWD, folder, &names);
	CU_ASSERT_EQUAL(names.nr, 0);
	file = xasprintf("%s/.hidden", folder);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	io_list_folder(AT_FDCWD, folder, &names);
	CU_ASSERT_EQUAL_FATAL(names.nr, 1);
	CU_ASSERT_STRING_EQUAL(names.items[0], ".hidden");
	unlink(file);
	rmdir(folder);
	io_list_folder(AT_FDCWD, folder, &names);
	CU_ASSERT_EQUAL(names.nr, 1);
}

UNIT_SUITE(io, { "a pipe that does not block is waited for", test_write_waits },
	   { "a folder's names, those with a dot too", test_list_folder });

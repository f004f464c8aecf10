/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs/holders.h"
#include "unit.h"

static void test_points(void)
{
	static const char line[] =
		"36 35 254:3 / /mnt/a\\040b\\134c rw,noatime master:1 - ext4 /dev/dm-3 rw\n";
	auto_free char *point = holders_mount_point(line, makedev(254, 3));

	CU_ASSERT_STRING_EQUAL(point, "/mnt/a b\\c");
	CU_ASSERT_PTR_NULL(holders_mount_point(line, makedev(254, 4)));
	CU_ASSERT_PTR_NULL(holders_mount_point("", makedev(254, 3)));
	CU_ASSERT_PTR_NULL(holders_mount_point("36 35 254:3", makedev(254, 3)));
}

/* This program's own file system is surely mounted, and a child of ours uses it. */
static void test_processes(void)
{
	auto_holder_list struct holder_list holders = { 0 };
	bool child_found = false, mount_found = false;
	struct stat st;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(stat(".", &st), 0);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	holders_find(st.st_dev, &holders);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (size_t i = 0; i < holders.nr; i++) {
		const struct holder *holder = &holders.items[i];

		CU_ASSERT_FALSE(holder->kind == HOLDER_PROCESS && holder->pid == getpid());
		child_found |= holder->kind == HOLDER_PROCESS && holder->pid == child &&
			       !holder->opened && strstr(holder->what, "unit");
		mount_found |= holder->kind == HOLDER_MOUNT && !holder->elsewhere;
	}
	CU_ASSERT_TRUE(child_found);
	CU_ASSERT_TRUE(mount_found);
}

UNIT_SUITE(holders, { "a line of mountinfo has a mount point", test_points },
	   { "processes and mounts of a file system are found", test_processes });

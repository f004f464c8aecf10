/* SPDX-License-Identifier: Apache-2.0 */
#include "run/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "db/recover_container.h"
#include "volume.h"

#define OWN_WORDS 3

void shim_words(const char *folder, const char *fs, const char *device, struct strlist *ret)
{
	strlist_add(ret, SHIM_COMMAND);
	strlist_add(ret, folder);
	strlist_add(ret, fs);
	strlist_add(ret, device);
}

/* Without close-on-exec: crun has it until it is done. */
static int pass_gate(const char *folder, struct error *err)
{
	auto_free char *gate = xasprintf("%s/gate", folder);
	auto_free char *token = xasprintf("%s/token", folder);
	int fd = open(gate, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return err_sys(err, errno, "lock '%s'", gate);
	if (access(token, F_OK) < 0)
		return err_set(err, ERR_CANCELLED, "this start was given up");
	return 0;
}

static int mount_root(const char *folder, const char *fs, const char *device, struct error *err)
{
	auto_free char *rootfs = xasprintf("%s/" SHIM_ROOTFS, folder);
	auto_fd int mount_fd = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "make a mount namespace");
	if (mkdir(rootfs, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create folder '%s'", rootfs);
	if (volume_mount_device(fs, device, &mount_fd, err) < 0)
		return -1;
	return volume_attach_mount(mount_fd, rootfs, err);
}

int shim_run(const char *const *words, size_t nr_words, struct error *err)
{
	auto_strlist struct strlist argv = { 0 };

	if (nr_words <= OWN_WORDS)
		return err_set(err, ERR_USAGE, SHIM_COMMAND " is for internal use");
	if (pass_gate(words[0], err) < 0 || mount_root(words[0], words[1], words[2], err) < 0)
		return -1;
	strlist_add(&argv, CONTAINER_RUNTIME);
	for (size_t i = OWN_WORDS; i < nr_words; i++)
		strlist_add(&argv, words[i]);
	execvp(argv.items[0], argv.items);
	return err_sys(err, errno, "run " CONTAINER_RUNTIME);
}

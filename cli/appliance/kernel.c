/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/magic.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "appliance/launch.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "base/size.h"

#define MEMORY_DEFAULT_BYTES GIB
#define MODPROBE_MS	     20000
#define COMMAND_LINE_MAX     2000 /* COMMAND_LINE_SIZE of this architecture is 2048 */

#define INSTALL_HINT                            \
	"; install the package " KERNEL_PACKAGE \
	", or run as root on a kernel with the dm-thin-pool module (--kernel host)"

int kernel_compare_releases(const char *a, const char *b)
{
	while (*a && *b) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			char *a_end, *b_end;
			unsigned long a_value = strtoul(a, &a_end, 10);
			unsigned long b_value = strtoul(b, &b_end, 10);

			if (a_value != b_value)
				return a_value < b_value ? -1 : 1;
			a = a_end;
			b = b_end;
			continue;
		}
		if (*a != *b)
			return *a < *b ? -1 : 1;
		a++;
		b++;
	}
	return (*a != 0) - (*b != 0);
}

char *kernel_newest_modules(const char *dir)
{
	auto_free char *newest = NULL;
	auto_dir DIR *entries = opendir(dir);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		auto_free char *list = xasprintf("%s/%s/modules.dep", dir, entry->d_name);

		if (entry->d_name[0] == '.' || access(list, R_OK) < 0)
			continue;
		if (newest && kernel_compare_releases(entry->d_name, newest) < 0)
			continue;
		free(newest);
		newest = xstrdup(entry->d_name);
	}
	return newest ? xasprintf("%s/%s", dir, newest) : NULL;
}

static bool is_tmpfs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Whether a kernel with this memory can have it there. */
static int check_memory_dir(const char *dir, uint64_t *memory_bytes, struct error *err)
{
	struct statvfs fs;
	uint64_t free_bytes, wanted = *memory_bytes ? *memory_bytes : MEMORY_DEFAULT_BYTES;

	if (statvfs(dir, &fs) < 0)
		return err_sys(err, errno, "folder for the appliance's memory '%s'", dir);
	if (fs.f_flag & ST_NOEXEC)
		return err_set(err, ERR_DENIED,
			       "the appliance keeps its memory in '%s', which is mounted noexec; "
			       "let TMPDIR name a tmpfs without that",
			       dir);
	if (access(dir, W_OK | X_OK) < 0)
		return err_sys(err, errno, "folder for the appliance's memory '%s'", dir);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (!*memory_bytes && free_bytes < wanted)
		wanted = size_round_down(free_bytes, MIB);
	if (free_bytes < wanted || wanted < KERNEL_MEMORY_MIN_BYTES)
		return err_set(err, ERR_NO_SPACE,
			       "the appliance keeps its memory in '%s', which has %ju MiB left; "
			       "make room there, let TMPDIR name a larger tmpfs, or lower "
			       "\"appliance.memory\" in the configuration (at least %ju MiB)",
			       dir, (uintmax_t)(free_bytes / MIB),
			       (uintmax_t)(KERNEL_MEMORY_MIN_BYTES / MIB));
	*memory_bytes = wanted;
	return 0;
}

/*
 * Memory is a file that grows as it is touched: a full folder would kill the
 * kernel. Left alone, it takes the first variable's folder, even one that does
 * not exist. A disk serves where no tmpfs does: it is slower, but it works.
 */
static int choose_memory_dir(struct kernel *kernel, struct error *err)
{
	const char *const dirs[] = { getenv("TMPDIR"), getenv("TMP"), getenv("TEMP"), "/dev/shm",
				     "/tmp" };
	struct error problem;
	bool told = false;

	for (int disks = 0; disks < 2; disks++) {
		for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
			if (!dirs[i] || *dirs[i] != '/' || is_tmpfs(dirs[i]) == disks)
				continue;
			if (check_memory_dir(dirs[i], &kernel->memory_bytes, &problem) == 0) {
				kernel->memory_dir = xstrdup(dirs[i]);
				return 0;
			}
			if (!told)
				*err = problem; /* of the best place that there would be */
			told = true;
		}
	}
	return -1;
}

int kernel_find(const char *path, const char *modules, uint64_t memory_bytes, struct kernel *ret,
		struct error *err)
{
	auto_kernel struct kernel kernel = { .memory_bytes = memory_bytes };

	kernel.path = xstrdup(path ? path : KERNEL_PATH);
	if (access(kernel.path, X_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "no kernel for the appliance at '%s': %s%s",
			       kernel.path, strerror(errno), INSTALL_HINT);
	if (modules) {
		auto_free char *list = xasprintf("%s/modules.dep", modules);

		if (access(list, R_OK) == 0)
			kernel.modules = xstrdup(modules);
	} else {
		kernel.modules = kernel_newest_modules(KERNEL_MODULES);
	}
	if (!kernel.modules)
		return err_set(err, ERR_NOT_FOUND,
			       "no modules for the appliance's kernel in '%s'%s",
			       modules ? modules : KERNEL_MODULES, INSTALL_HINT);
	if (choose_memory_dir(&kernel, err) < 0)
		return -1;
	*ret = kernel;
	kernel = (struct kernel){ 0 };
	return 0;
}

void kernel_done(struct kernel *kernel)
{
	free(kernel->path);
	free(kernel->modules);
	free(kernel->memory_dir);
	*kernel = (struct kernel){ 0 };
}

int kernel_argv(const struct kernel *kernel, const char *init, const struct frame_key *key,
		int line_fd, const int disk_fds[], size_t nr_disks, struct strlist *ret,
		struct error *err)
{
	char hex[2 * FRAME_KEY_BYTES + 1];
	size_t len = 0;

	/* A kernel splits its command line at blanks and knows no escape inside quotes. */
	if (strchr(init, '"') || strlen(init) > 1024)
		return err_set(err, ERR_UNSUPPORTED,
			       "the appliance cannot start a program with the path '%s'", init);
	frame_key_to_hex(key, hex);
	strlist_add(ret, kernel->path);
	strlist_take(ret, xasprintf("mem=%juM", (uintmax_t)(kernel->memory_bytes / MIB)));
	strlist_add(ret, "rootfstype=hostfs");
	strlist_add(ret, "rootflags=/");
	strlist_add(ret, "rw");
	strlist_take(ret, xasprintf("\"init=%s\"", init));
	strlist_add(ret, "con=null");
	strlist_add(ret, "con0=null,fd:1");
	strlist_add(ret, "ssl=null");
	strlist_take(ret, xasprintf("ssl0=fd:%d,fd:%d", line_fd, line_fd));
	strlist_add(ret, "uml_dir=./"); /* short: a socket in it has at most 108 bytes of name */
	strlist_add(ret, "quiet");
	/*
	 * The first measures for 0.85 s which RAID 6 code is fastest, and nothing
	 * here uses any; the second only complains.
	 */
	strlist_add(ret, "initcall_blacklist=raid6_select_algo,mmapper_init");
	/* 512 terminals of an old kind, each announced by a process of its own. */
	strlist_add(ret, "pty.legacy_count=0");
	/* Without a policy it would only refuse labels that an image brings along. */
	strlist_add(ret, "selinux=0");
	/* By number: a path with a comma or a colon would be taken apart. */
	for (size_t i = 0; i < nr_disks; i++)
		strlist_take(ret,
			     xasprintf("ubd%c=/proc/self/fd/%d", (char)('a' + i), disk_fds[i]));
	strlist_take(ret, xasprintf("VENEER_LINE=%s", hex));
	strlist_add(ret, "--");
	strlist_add(ret, "--appliance-guest");
	for (size_t i = 0; i < ret->nr; i++)
		len += strlen(ret->items[i]) + 1;
	if (len > COMMAND_LINE_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "the appliance cannot start a program with the path '%s'", init);
	return 0;
}

/* Walks the kernel's list of target types. */
static bool lists_thin_pool(int control_fd)
{
	alignas(struct dm_ioctl) char data[16 * 1024] = { 0 };
	struct dm_ioctl *head = (struct dm_ioctl *)data;
	size_t at = sizeof(*head);

	head->version[0] = DM_VERSION_MAJOR;
	head->data_size = sizeof(data);
	head->data_start = sizeof(*head);
	if (ioctl(control_fd, DM_LIST_VERSIONS, head) < 0 || head->flags & DM_BUFFER_FULL_FLAG)
		return false;
	at = head->data_start;
	while (at + sizeof(struct dm_target_versions) < head->data_size) {
		struct dm_target_versions *target = (struct dm_target_versions *)(data + at);

		if (strcmp(target->name, "thin-pool") == 0)
			return true;
		if (target->next == 0)
			break;
		at += target->next;
	}
	return false;
}

bool appliance_kernel_has_thin(void)
{
	static const char *const modprobe[] = { "modprobe", "-q", "dm-thin-pool", NULL };
	struct error err;

	if (geteuid() != 0)
		return false;
	for (int again = 0; again < 2; again++) {
		auto_fd int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

		if (fd >= 0 && lists_thin_pool(fd))
			return true;
		if (again == 0 && proc_check(modprobe, MODPROBE_MS, &err) < 0)
			return false;
	}
	return false;
}

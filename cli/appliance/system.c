/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "appliance/kmods.h"
#include "appliance/launch.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "fs/mount.h"

#define STORE_DISK     "/dev/ubda"
#define STORE_OPTIONS  "noinit_itable,errors=remount-ro"
#define RUN_PREFIX     "/run/"
#define LOOP_PREFIX    "/dev/loop"
#define VALUE_MAX      4096 /* bytes of a file in sysfs */
#define MOUNTS_MAX     (16u << 20)
#define NR_FILES       UINT64_C(1048576)
#define UNMOUNT_ROUNDS 20

static void put_value(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		dprintf(STDERR_FILENO, "write %s: %s\n", path, strerror(errno));
}

static void put_mount(const char *source, const char *target, const char *kind, unsigned long flags,
		      const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, kind, flags, options) < 0 && errno != EBUSY)
		dprintf(STDERR_FILENO, "mount %s: %s\n", target, strerror(errno));
}

static void bring_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		dprintf(STDERR_FILENO, "interface lo: %s\n", strerror(errno));
}

void system_begin(void)
{
	const struct rlimit files = { .rlim_cur = 1024, .rlim_max = NR_FILES };
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	put_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
	put_mount("proc", "/proc", "proc", safe, NULL);
	put_mount("sysfs", "/sys", "sysfs", safe, NULL);
	put_mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	mkdir(SYSTEM_DIR, 0755);
	mkdir("/run/lock", 0755);
	put_mount("host", SYSTEM_HOST, "hostfs", 0, "/");
	put_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "ptmxmode=666,mode=620,gid=5");
	put_mount("host", "/dev/shm", "hostfs", MS_NOSUID | MS_NODEV, "/dev/shm");
	put_mount("cgroup2", SYSTEM_CGROUP, "cgroup2", safe, NULL);
	if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("fd/0", "/dev/stdin") < 0 ||
	    symlink("fd/1", "/dev/stdout") < 0 || symlink("fd/2", "/dev/stderr") < 0)
		dprintf(STDERR_FILENO, "links in /dev: %s\n", strerror(errno));
	system_show("/run/user");
	bring_up_loopback();
	setrlimit(RLIMIT_NOFILE, &files);
	/* Else the kernel runs /sbin/hotplug of the host for each new device. */
	put_value("/sys/kernel/uevent_helper", "\n");
	/* A kernel that is wrong about something must not write to the store. */
	put_value("/proc/sys/kernel/panic_on_oops", "1");
}

void system_show(const char *path)
{
	size_t len = strlen(RUN_PREFIX);
	auto_free char *shown = NULL, *from = NULL;

	if (strncmp(path, RUN_PREFIX, len) != 0)
		return;
	len += strcspn(path + len, "/");
	shown = xasprintf("%.*s", (int)len, path);
	from = xasprintf(SYSTEM_HOST "%s", shown);
	if (access(shown, F_OK) == 0 || access(from, F_OK) < 0)
		return;
	if (mkdir(shown, 0755) < 0 || mount(from, shown, NULL, MS_BIND, NULL) < 0)
		dprintf(STDERR_FILENO, "show %s: %s\n", shown, strerror(errno));
}

static int load_modules(const char *dir, struct error *err)
{
	static const char *const needed[] = { "dm-thin-pool", "loop", NULL };
	char program[4096];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len > 0) {
		program[len] = '\0';
		if (symlink(dir, SYSTEM_MODULES) == 0 && symlink(program, SYSTEM_MODPROBE) == 0)
			put_value("/proc/sys/kernel/modprobe", SYSTEM_MODPROBE);
	}
	return kmods_load(dir, needed, err);
}

/*
 * The guest's loop device of that number gets a file, so that nobody is given it
 * as a free one and finds the host's disk behind its name.
 */
static int occupy_loop(const char *path, struct error *err)
{
	auto_fd int control_fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	auto_fd int file_fd = -1, fd = -1;
	long number = strtol(path + strlen(LOOP_PREFIX), NULL, 10);

	file_fd = open(SYSTEM_DIR "/taken", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (control_fd < 0 || file_fd < 0 || ftruncate(file_fd, 4096) < 0)
		return err_sys(err, errno, "make room for disk '%s'", path);
	if (ioctl(control_fd, LOOP_CTL_ADD, number) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make room for disk '%s'", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_SET_FD, file_fd) < 0)
		return err_sys(err, errno, "make room for disk '%s'", path);
	return 0;
}

/* Whether the guest's kernel may have a device by that name. */
static int check_name(const char *path, struct error *err)
{
	size_t len = strlen(LOOP_PREFIX);

	if (strncmp(path, LOOP_PREFIX, len) == 0 && path[len] >= '0' && path[len] <= '9')
		return occupy_loop(path, err);
	if (strncmp(path, "/dev/dm-", 8) == 0 || access(path, F_OK) == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "disk '%s': the appliance has a device of its own by that name; "
			       "name it by a link, as in /dev/disk/by-id or /dev/mapper",
			       path);
	return 0;
}

/* A disk of the host appears at its path: a node in /dev, elsewhere a mount over the file. */
static int show_disk(const char *path, size_t index, struct error *err)
{
	auto_free char *device = xasprintf("/dev/ubd%c", (char)('b' + index));
	auto_free char *folder = xstrdup(path);
	struct stat st;

	if (stat(device, &st) < 0)
		return err_sys(err, errno, "disk '%s' as '%s'", path, device);
	if (strncmp(path, "/dev/", 5) != 0 || strncmp(path, "/dev/shm/", 9) == 0) {
		system_show(path);
		if (mount(device, path, NULL, MS_BIND, NULL) < 0)
			return err_sys(err, errno, "show disk '%s'", path);
		return 0;
	}
	if (check_name(path, err) < 0)
		return -1;
	*strrchr(folder, '/') = '\0';
	if (io_make_dirs(folder, 0755, err) < 0)
		return -1;
	unlink(path);
	if (mknod(path, S_IFBLK | 0660, st.st_rdev) < 0)
		return err_sys(err, errno, "show disk '%s'", path);
	return 0;
}

int system_set_up(const struct channel_start *start, struct error *err)
{
	const unsigned long safe = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	auto_free char *folder = xasprintf("%s/appliance", start->root);

	if (sethostname(start->host, strlen(start->host)) < 0)
		dprintf(STDERR_FILENO, "host name: %s\n", strerror(errno));
	if (load_modules(start->modules, err) < 0)
		return -1;
	for (size_t i = 0; i < start->disks.nr; i++)
		if (show_disk(start->disks.items[i], i, err) < 0)
			return -1;
	/* A mount of its own: a hostfs gives the free space of its topmost folder. */
	put_mount("host", APPLIANCE_DISK_FOLDER, "hostfs", safe, folder);
	system_show(start->root);
	if (mount(STORE_DISK, start->root, "ext4", MS_NOATIME, STORE_OPTIONS) < 0)
		return err_sys(err, errno,
			       "mount the appliance's disk '%s/appliance/store.img' (e2fsck can "
			       "check it while no appliance runs)",
			       start->root);
	return 0;
}

void system_set_time(uint64_t seconds)
{
	const struct timespec wanted = { .tv_sec = (time_t)seconds };
	int64_t off = (int64_t)seconds - (int64_t)time(NULL);

	if (seconds && (off > 1 || off < -1) && clock_settime(CLOCK_REALTIME, &wanted) < 0)
		dprintf(STDERR_FILENO, "set the clock: %s\n", strerror(errno));
}

/* The text of a small file without its newline; "" without the file. */
static void read_value(const char *path, char ret[VALUE_MAX])
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, ret, VALUE_MAX - 1);

	ret[got < 0 ? 0 : got] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static bool ends_with(const char *text, const char *end)
{
	size_t text_len = strlen(text), end_len = strlen(end);

	return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

bool system_is_broken(const char *root)
{
	/* It is not always marked read-only: what counts is whether the journal takes something. */
	auto_fd int fd = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 && (errno == EROFS || errno == EIO);
}

size_t system_count_attached(void)
{
	auto_dir DIR *entries = opendir("/sys/block");
	struct dirent *entry;
	size_t nr = 0;

	while (entries && (entry = readdir(entries))) {
		auto_free char *path = xasprintf("/sys/block/%s/dm/name", entry->d_name);
		char name[VALUE_MAX];

		if (strncmp(entry->d_name, "dm-", 3) != 0)
			continue;
		read_value(path, name);
		/* The pool's own devices are named for what they are. */
		nr += strncmp(name, "veneer-", 7) == 0 && !ends_with(name, "-pool") &&
		      !ends_with(name, "-data") && !ends_with(name, "-meta");
	}
	return nr;
}

void system_used_disks(const struct strlist *disks, struct strlist *ret)
{
	for (size_t i = 0; i < disks->nr; i++) {
		auto_free char *path = xasprintf("/sys/block/ubd%c/holders", (char)('b' + i));
		auto_dir DIR *entries = opendir(path);
		struct dirent *entry;
		bool used = false;

		while (entries && (entry = readdir(entries)))
			used |= entry->d_name[0] != '.';
		if (used)
			strlist_add(ret, disks->items[i]);
	}
}

/* The mount point in a line of mountinfo whose device has the major number; or NULL. */
static char *mount_point(char *line, unsigned int wanted)
{
	unsigned int major_number;
	char *point = NULL, *rest = line;

	for (int i = 0; i < 5 && rest; i++) {
		char *word = strsep(&rest, " ");

		if (i == 2 && (sscanf(word, "%u:", &major_number) != 1 || major_number != wanted))
			return NULL;
		point = word;
	}
	return point;
}

static unsigned int dm_major(void)
{
	auto_buf struct buf text = { 0 };
	unsigned int number = 0;
	struct error err;
	char *at;

	if (io_read_file(AT_FDCWD, "/proc/devices", MOUNTS_MAX, &text, &err) < 0)
		return 0;
	at = strstr(text.data, " device-mapper");
	while (at && at > text.data && at[-1] != '\n')
		at--;
	return at && sscanf(at, "%u", &number) == 1 ? number : 0;
}

/* The last mounted first. Returns how many were there. */
static size_t unmount_round(unsigned int wanted, int flags)
{
	auto_buf struct buf text = { 0 };
	auto_strlist struct strlist points = { 0 };
	struct error err;
	char *rest, *line, *point;

	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX, &text, &err) < 0)
		return 0;
	for (rest = text.data; rest && (line = strsep(&rest, "\n"));)
		if ((point = mount_point(line, wanted)))
			strlist_add(&points, point);
	for (size_t i = points.nr; i-- > 0;) {
		mount_unescape(points.items[i]);
		umount2(points.items[i], flags);
	}
	return points.nr;
}

static void unmount_volumes(void)
{
	unsigned int number = dm_major();

	for (int i = 0; number && i < UNMOUNT_ROUNDS; i++)
		if (unmount_round(number, i < UNMOUNT_ROUNDS / 2 ? 0 : MNT_DETACH) == 0)
			return;
}

/* Volumes first, then pools: the kernel goes round until nothing more can be removed. */
static void remove_devices(void)
{
	struct dm_ioctl request = { .version = { DM_VERSION_MAJOR, 0, 0 },
				    .data_size = sizeof(request),
				    .data_start = sizeof(request) };
	auto_fd int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, DM_REMOVE_ALL, &request) < 0)
		dprintf(STDERR_FILENO, "remove devices: %s\n", strerror(errno));
}

static void detach_loops(void)
{
	auto_dir DIR *entries = opendir("/sys/block");
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		auto_free char *file = xasprintf("/sys/block/%s/loop/backing_file", entry->d_name);
		auto_free char *path = xasprintf("/dev/%s", entry->d_name);
		auto_fd int fd = -1;

		if (strncmp(entry->d_name, "loop", 4) != 0 || access(file, F_OK) < 0)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			ioctl(fd, LOOP_CLR_FD, 0);
	}
}

_Noreturn void system_end(const char *root, bool force)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	if (force)
		unmount_volumes();
	remove_devices();
	detach_loops();
	if (root && umount(root) < 0) {
		dprintf(STDERR_FILENO, "unmount %s: %s\n", root, strerror(errno));
		/* The journal makes this safe; it only takes longer at the next start. */
		umount2(root, MNT_DETACH);
	}
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

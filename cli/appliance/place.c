/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/size.h"

#define DISK_NEW	 "store.img.new"
#define DISKS		 "disks"
#define CONSOLE		 "console.log"
#define DISK_MAX	 (300 * GIB)
#define DISK_MIN	 (256 * MIB)
#define MKFS_MS		 120000
#define DISKS_MAX	 (64 * 1024) /* bytes of a list of paths */
#define CONSOLE_TAIL	 8192	     /* bytes looked at of the kernel's last words */
#define CONSOLE_SHOWN	 500
#define CONSOLE_SEARCHED (256 * 1024)
#define WAIT_STEP_MS	 20
#define WAIT_NOTICE	 (2000 / WAIT_STEP_MS)
#define CLAIM_WAIT_MS	 60000

int place_open(const char *root, struct place *ret, struct error *err)
{
	auto_place struct place place = {
		.dir_fd = -1, .run_fd = -1, .lock_fd = -1, .running_fd = -1
	};
	auto_free char *folder = xasprintf("%s/appliance", root);
	auto_free char *run = xasprintf("%s/" PLACE_RUN, folder);

	if (io_make_dirs(run, 0700, err) < 0)
		return err_add(err, "the appliance's folder");
	place.root = realpath(root, NULL);
	if (!place.root)
		return err_sys(err, errno, "folder '%s'", root);
	place.dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.dir_fd < 0)
		return err_sys(err, errno, "folder '%s'", folder);
	/* Its content is removed at each start: not that of a folder somewhere else. */
	place.run_fd =
		openat(place.dir_fd, PLACE_RUN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place.run_fd < 0)
		return err_sys(err, errno, "folder '%s'", run);
	place.running_fd = openat(place.dir_fd, "running", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (place.running_fd < 0)
		return err_sys(err, errno, "open '%s/appliance/running'", root);
	*ret = place;
	place = (struct place){ .dir_fd = -1, .run_fd = -1, .lock_fd = -1, .running_fd = -1 };
	return 0;
}

void place_done(struct place *place)
{
	const int fds[] = { place->dir_fd, place->run_fd, place->lock_fd, place->running_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(place->root);
	*place = (struct place){ .dir_fd = -1, .run_fd = -1, .lock_fd = -1, .running_fd = -1 };
}

/* Sleeps a step. -1 with ERR_CANCELLED when a signal came. */
static int wait_step(struct place *place, int signal_fd, struct error *err)
{
	struct pollfd wait = { .fd = signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&wait, 1, WAIT_STEP_MS) <= 0 || read(signal_fd, &info, sizeof(info)) <= 0)
		return 0;
	if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT)
		return 0;
	place->caught = (int)info.ssi_signo;
	return err_set(err, ERR_CANCELLED, "stopped by signal %d (%s)", place->caught,
		       strsignal(place->caught));
}

int place_lock(struct place *place, int signal_fd, struct error *err)
{
	auto_fd int fd = openat(place->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open '%s/appliance/lock'", place->root);
	for (int steps = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; steps++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock '%s/appliance/lock'", place->root);
		if (steps == WAIT_NOTICE)
			log_warn("waiting for another command that uses '%s'", place->root);
		if (wait_step(place, signal_fd, err) < 0)
			return -1;
	}
	place->lock_fd = take_fd(fd);
	return 0;
}

int place_claim(struct place *place, int signal_fd, struct error *err)
{
	for (int waited_ms = 0; flock(place->running_fd, LOCK_EX | LOCK_NB) < 0;
	     waited_ms += WAIT_STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock '%s/appliance/running'", place->root);
		if (waited_ms >= CLAIM_WAIT_MS)
			return err_set(err, ERR_IO,
				       "an earlier appliance for '%s' does not end; end the "
				       "processes that hold '%s/appliance/running' open",
				       place->root, place->root);
		if (wait_step(place, signal_fd, err) < 0)
			return -1;
	}
	return 0;
}

bool place_is_claimed(const struct place *place)
{
	/* A shared lock of our own for a moment; the caller holds place_lock(). */
	if (flock(place->running_fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(place->running_fd, LOCK_UN);
	return false;
}

static int choose_size(const struct place *place, uint64_t *size_bytes, struct error *err)
{
	struct statvfs fs;
	uint64_t room_bytes;

	if (fstatvfs(place->dir_fd, &fs) < 0)
		return err_sys(err, errno, "free space of '%s'", place->root);
	room_bytes = (uint64_t)fs.f_bavail * fs.f_frsize / 10 * 9;
	if (*size_bytes == 0)
		*size_bytes = room_bytes < DISK_MAX ? room_bytes : DISK_MAX;
	*size_bytes = size_round_down(*size_bytes, MIB);
	if (*size_bytes < DISK_MIN)
		return err_set(err, ERR_NO_SPACE,
			       "the appliance's disk needs at least %ju MiB below '%s'; free some "
			       "space, or choose another place with --root",
			       (uintmax_t)(DISK_MIN / MIB), place->root);
	return 0;
}

static int format_disk(const struct place *place, struct error *err)
{
	auto_free char *path = xasprintf("%s/appliance/" DISK_NEW, place->root);
	/*
	 * Few inodes and everything lazy: the store holds few and large files.
	 * No blocks are kept for root: in the appliance everybody is root.
	 */
	const char *const argv[] = { "mkfs.ext4",
				     "-q",
				     "-F",
				     "-m",
				     "0",
				     "-i",
				     "131072",
				     "-E",
				     "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
				     "-L",
				     "veneer-store",
				     path,
				     NULL };

	if (proc_check(argv, MKFS_MS, err) < 0)
		return err_add(err, "format the appliance's disk (package e2fsprogs)");
	return 0;
}

static int make_disk(const struct place *place, uint64_t size_bytes, struct error *err)
{
	auto_fd int fd = -1;

	if (choose_size(place, &size_bytes, err) < 0)
		return -1;
	fd = openat(place->dir_fd, DISK_NEW, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "make '%s/appliance/" DISK_NEW "'", place->root);
	/* Some file systems cannot have files this large. */
	while (ftruncate(fd, (off_t)size_bytes) < 0) {
		if ((errno != EFBIG && errno != EINVAL) || size_bytes / 2 < DISK_MIN)
			return err_sys(err, errno, "size of '%s/appliance/" DISK_NEW "'",
				       place->root);
		size_bytes /= 2;
	}
	if (format_disk(place, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync '%s/appliance/" DISK_NEW "'", place->root);
	if (renameat(place->dir_fd, DISK_NEW, place->dir_fd, PLACE_DISK) < 0)
		return err_sys(err, errno, "rename '%s/appliance/" DISK_NEW "'", place->root);
	return io_sync_dir(place->dir_fd, err);
}

int place_open_disk(const struct place *place, uint64_t size_bytes, struct error *err)
{
	int fd = openat(place->dir_fd, PLACE_DISK, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (make_disk(place, size_bytes, err) < 0) {
			unlinkat(place->dir_fd, DISK_NEW, 0);
			return -1;
		}
		fd = openat(place->dir_fd, PLACE_DISK, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		return err_sys(err, errno, "open '%s/appliance/" PLACE_DISK "'", place->root);
	return fd;
}

int place_read_disks(const struct place *place, struct strlist *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };
	char *line, *rest;

	if (io_read_file(place->dir_fd, DISKS, DISKS_MAX, &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	for (rest = text.data; rest && (line = strsep(&rest, "\n"));)
		if (*line == '/')
			strlist_add(ret, line);
	return 0;
}

int place_write_disks(const struct place *place, const struct strlist *disks, struct error *err)
{
	auto_buf struct buf text = { 0 };

	for (size_t i = 0; i < disks->nr; i++)
		buf_printf(&text, "%s\n", disks->items[i]);
	return io_replace_file(place->dir_fd, DISKS, text.data ? text.data : "", text.len, 0600,
			       err);
}

int place_open_console(const struct place *place, struct error *err)
{
	int fd = openat(place->dir_fd, CONSOLE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
			0600);

	if (fd < 0)
		return err_sys(err, errno, "make '%s/appliance/" CONSOLE "'", place->root);
	return fd;
}

static const char *skip_line(const char *text)
{
	text = strchrnul(text, '\n');
	return *text ? text + 1 : text;
}

/* The line of the panic, if there was one, else the last lines; not what every start prints. */
static char *last_words(const char *text, size_t len)
{
	const char *panic = strstr(text, "Kernel panic");

	if (panic)
		return xasprintf("%.*s", (int)strcspn(panic, "\n"), panic);
	if (len > CONSOLE_SHOWN)
		text = skip_line(text + len - CONSOLE_SHOWN);
	while (strncmp(text, "SELinux:", 8) == 0)
		text = skip_line(text);
	return xstrdup(text);
}

int place_add_console(const struct place *place, struct error *err)
{
	char tail[CONSOLE_TAIL + 1];
	auto_free char *words = NULL;
	auto_fd int fd = openat(place->dir_fd, CONSOLE, O_RDONLY | O_CLOEXEC);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t got = 0;
	size_t len = strlen(err->text);

	if (end > 0)
		got = pread(fd, tail, CONSOLE_TAIL, end > CONSOLE_TAIL ? end - CONSOLE_TAIL : 0);
	tail[got < 0 ? 0 : got] = '\0';
	words = last_words(tail, strlen(tail));
	if (!*words)
		return -1;
	snprintf(err->text + len, sizeof(err->text) - len,
		 "; the last words in '%s/appliance/" CONSOLE "':\n%s", place->root, words);
	len = strlen(err->text);
	while (len && err->text[len - 1] == '\n')
		err->text[--len] = '\0';
	for (char *at = err->text; (at = strchr(at, '\n')) != NULL;)
		*at = ' '; /* an error is one line */
	return -1;
}

bool place_disk_was_full(const struct place *place)
{
	auto_free char *text = xmalloc(CONSOLE_SEARCHED + 1);
	auto_fd int fd = openat(place->dir_fd, CONSOLE, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : pread(fd, text, CONSOLE_SEARCHED, 0);

	text[got < 0 ? 0 : got] = '\0';
	/* The block layer's words for ENOSPC: blk_errors[] in block/blk-core.c */
	return strstr(text, "critical space allocation error, dev ubd") != NULL;
}

static void clean(int dir_fd, int depth)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (unlinkat(dir_fd, name, 0) == 0 || depth == 0)
			continue;
		int deeper = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (deeper < 0)
			continue;
		clean(deeper, depth - 1);
		close(deeper);
		unlinkat(dir_fd, name, AT_REMOVEDIR);
	}
}

void place_clean(int run_fd)
{
	clean(run_fd, 1); /* the kernel makes one folder with files */
}

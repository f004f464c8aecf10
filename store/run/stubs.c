/* SPDX-License-Identifier: Apache-2.0 */
#include "run/stubs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

struct stub {
	char *path;
	bool folder;
};

struct stub_times {
	char *path; /* of the folder around */
	struct timespec before[2];
	struct timespec changed; /* by us */
};

/* The folder that path lies in, without its last part. Returns a descriptor or -1. */
static int open_parent(int root_fd, const char *path, struct error *err)
{
	auto_free char *parent = xstrdup(path);

	*strrchr(parent, '/') = '\0';
	return path_open_in_root(root_fd, parent, O_PATH | O_DIRECTORY, 0, err);
}

static int make_one(int parent_fd, const char *name, bool folder, struct error *err)
{
	int fd;

	if (folder) {
		if (mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create folder '%s'", name);
		return 0;
	}
	fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno != EEXIST)
		return err_sys(err, errno, "create file '%s'", name);
	if (fd >= 0) {
		fchmod(fd, 0644); /* whatever the umask is */
		close(fd);
	}
	return 0;
}

/* Docker's way: what is no folder on the way there goes. */
static int replace(int root_fd, const char *path, bool folder, const char *link, struct error *err)
{
	auto_buf struct buf done = { 0 };
	auto_free char *copy = xstrdup(path);
	char *rest = copy + 1, *part;

	while ((part = strsep(&rest, "/"))) {
		auto_fd int fd = path_open_in_root(root_fd, done.len ? done.data : "",
						   O_PATH | O_DIRECTORY, 0, err);
		struct stat st;

		if (fd < 0)
			return -1;
		if (fstatat(fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
		    unlinkat(fd, part, 0) < 0)
			return err_sys(err, errno, "replace '%s'", path);
		if (!rest && link) {
			if (symlinkat(link, fd, part) < 0 && errno != EEXIST)
				return err_sys(err, errno, "create link '%s'", path);
		} else if (make_one(fd, part, rest || folder, err) < 0) {
			return -1;
		}
		buf_printf(&done, "/%s", part);
	}
	return 0;
}

/* Those of every container. */
static const struct {
	const char *path;
	bool folder;
	const char *link;
} all[] = {
	{ "/dev/pts", true, NULL },
	{ "/dev/shm", true, NULL },
	{ "/proc", true, NULL },
	{ "/sys", true, NULL },
	{ "/.dockerenv", false, NULL },
	{ "/dev/console", false, NULL },
	{ "/etc/hosts", false, NULL },
	{ "/etc/hostname", false, NULL },
	{ "/etc/resolv.conf", false, NULL },
	{ "/etc/mtab", false, "/proc/mounts" },
};

const char *const stubs_paths[] = { "dev/pts",	       "dev/shm",     "proc",	   "sys",
				    ".dockerenv",      "dev/console", "etc/hosts", "etc/hostname",
				    "etc/resolv.conf", "etc/mtab",    NULL };

int stubs_make_all(int root_fd, struct error *err)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (replace(root_fd, all[i].path, all[i].folder, all[i].link, err) < 0)
			return -1;
	return 0;
}

static bool is_ours(const struct stubs *stubs, const char *path)
{
	for (size_t i = 0; i < stubs->nr; i++)
		if (strcmp(stubs->items[i].path, path) == 0)
			return true;
	return false;
}

/* The times of a folder that we put something into for the first time. */
static void note_times(struct stubs *stubs, const char *path, const struct stat *st)
{
	auto_free char *parent = xstrdup(path);

	*strrchr(parent, '/') = '\0';
	if (is_ours(stubs, parent))
		return;
	for (size_t i = 0; i < stubs->nr_times; i++)
		if (strcmp(stubs->times[i].path, parent) == 0)
			return;
	stubs->times = xrealloc(stubs->times, (stubs->nr_times + 1) * sizeof(*stubs->times));
	stubs->times[stubs->nr_times++] = (struct stub_times){
		.path = take_ptr(parent),
		.before = { st->st_atim, st->st_mtim },
	};
}

static int add_part(struct stubs *stubs, int root_fd, const char *path, bool folder,
		    struct error *err)
{
	const char *name = strrchr(path, '/') + 1;
	auto_fd int there_fd = path_open_in_root(root_fd, path, O_PATH, 0, err);
	auto_fd int fd = -1;
	struct stat parent, st;

	if (there_fd >= 0)
		return 1;
	if (err->sys_errno != ENOENT)
		return err->sys_errno == ELOOP || err->sys_errno == ENOTDIR ? 0 : -1;
	fd = open_parent(root_fd, path, err);
	if (fd < 0 || fstat(fd, &parent) < 0)
		return -1;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0; /* a link that leads nowhere */
	note_times(stubs, path, &parent);
	if (make_one(fd, name, folder, err) < 0)
		return -1;
	stubs->items = xrealloc(stubs->items, (stubs->nr + 1) * sizeof(*stubs->items));
	stubs->items[stubs->nr++] = (struct stub){ .path = xstrdup(path), .folder = folder };
	return 1;
}

int stubs_add(struct stubs *stubs, int root_fd, const char *path, bool folder, struct error *err)
{
	auto_free char *part = xstrdup(path);

	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		int added;

		*at = '\0';
		added = add_part(stubs, root_fd, part, true, err);
		if (added <= 0)
			return added;
		*at = '/';
	}
	return add_part(stubs, root_fd, part, folder, err);
}

void stubs_settle(struct stubs *stubs, int root_fd)
{
	for (size_t i = 0; i < stubs->nr_times; i++) {
		struct error err;
		auto_fd int fd = path_open_in_root(root_fd, stubs->times[i].path,
						   O_PATH | O_DIRECTORY, 0, &err);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0)
			stubs->times[i].changed = st.st_mtim;
	}
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is it still the empty thing that we made? */
static void remove_one(const struct stub *stub, int root_fd)
{
	const char *name = strrchr(stub->path, '/') + 1;
	struct error err;
	auto_fd int fd = open_parent(root_fd, stub->path, &err);
	struct stat st;

	if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (stub->folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode) || st.st_size > 0))
		return;
	/* A folder that the step put something into stays, as its own. */
	if (unlinkat(fd, name, stub->folder ? AT_REMOVEDIR : 0) < 0)
		log_debug("'%s' stays: %s", stub->path, strerror(errno));
}

void stubs_remove(struct stubs *stubs, int root_fd)
{
	auto_free bool *restore = xcalloc(stubs->nr_times + 1, sizeof(*restore));

	for (size_t i = 0; i < stubs->nr_times; i++) {
		struct error err;
		auto_fd int fd = path_open_in_root(root_fd, stubs->times[i].path,
						   O_PATH | O_DIRECTORY, 0, &err);
		struct stat st;

		restore[i] = fd >= 0 && fstat(fd, &st) == 0 &&
			     same_time(&st.st_mtim, &stubs->times[i].changed);
	}
	for (size_t i = stubs->nr; i-- > 0;) {
		remove_one(&stubs->items[i], root_fd);
		free(stubs->items[i].path);
	}
	for (size_t i = 0; i < stubs->nr_times; i++) {
		struct error err;
		auto_fd int fd = path_open_in_root(root_fd, stubs->times[i].path,
						   O_RDONLY | O_DIRECTORY, 0, &err);

		if (fd >= 0 && restore[i])
			futimens(fd, stubs->times[i].before);
		free(stubs->times[i].path);
	}
	free(stubs->items);
	free(stubs->times);
	*stubs = (struct stubs){ 0 };
}

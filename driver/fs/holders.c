/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/holders.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "fs/mount.h"

#define COMMAND_MAX 4096 /* bytes of a command line that are read */

struct search {
	dev_t device;
	struct holder_list *found;
	ino_t *namespaces; /* of mounts: those that were read */
	size_t nr_namespaces;
	ino_t own_namespace;
};

void holder_list_done(struct holder_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->items[i].what);
	free(list->items);
	*list = (struct holder_list){ 0 };
}

/* Takes holder.what. */
static void add(struct search *search, struct holder holder)
{
	struct holder_list *list = search->found;

	list->items = xrealloc(list->items, (list->nr + 1) * sizeof(*list->items));
	list->items[list->nr++] = holder;
}

char *holders_mount_point(const char *line, dev_t device)
{
	char *point;

	if (!mount_line_has_device(line, device))
		return NULL;
	for (int i = 0; i < 4 && line; i++) {
		line = strchr(line, ' ');
		if (line)
			line++;
	}
	if (!line)
		return NULL;
	point = xasprintf("%.*s", (int)strcspn(line, " \n"), line);
	mount_unescape(point);
	return point;
}

/* Its arguments; of a thread of the kernel, or one that has ended, its name in brackets. */
static char *command_of(int proc_fd)
{
	char text[COMMAND_MAX];
	auto_fd int fd = openat(proc_fd, "cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	auto_buf struct buf name = { 0 };
	struct error ignored;

	if (len > 0) {
		for (ssize_t i = 0; i < len - 1; i++)
			if (!text[i])
				text[i] = ' ';
		text[len] = '\0';
		return xstrdup(text);
	}
	if (io_read_file(proc_fd, "comm", sizeof(text), &name, &ignored) < 0 || !name.len)
		return xstrdup("?");
	return xasprintf("[%.*s]", (int)strcspn(name.data, "\n"), name.data);
}

/* Neither a dead network file system nor an automounter is woken. */
static bool look_at(int dir_fd, const char *name, struct statx *ret)
{
	return statx(dir_fd, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, ret) == 0;
}

/* Returns 2 for the device itself, 1 for a file on it, 0. */
static int use_of(const struct search *search, int dir_fd, const char *name)
{
	struct statx st;

	if (!look_at(dir_fd, name, &st))
		return 0;
	if (S_ISBLK(st.stx_mode) && makedev(st.stx_rdev_major, st.stx_rdev_minor) == search->device)
		return 2;
	return makedev(st.stx_dev_major, st.stx_dev_minor) == search->device;
}

static void look_at_process(struct search *search, int proc_fd, pid_t pid)
{
	static const char *const places[] = { "cwd", "root", "exe" };
	auto_strlist struct strlist names = { 0 };
	auto_fd int fd_dir = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int use = 0;

	if (fd_dir < 0) {
		search->found->nr_unseen++;
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int got = use_of(search, proc_fd, places[i]);

		use = got > use ? got : use;
	}
	io_list_folder(proc_fd, "fd", &names);
	for (size_t i = 0; i < names.nr && use < 2; i++) {
		int got = use_of(search, fd_dir, names.items[i]);

		use = got > use ? got : use;
	}
	if (use)
		add(search, (struct holder){ .kind = HOLDER_PROCESS,
					     .pid = pid,
					     .opened = use == 2,
					     .what = command_of(proc_fd) });
}

/* Each namespace once. Returns whether it was not seen yet. */
static bool new_namespace(struct search *search, ino_t ns)
{
	for (size_t i = 0; i < search->nr_namespaces; i++)
		if (search->namespaces[i] == ns)
			return false;
	search->namespaces = xrealloc(search->namespaces,
				      (search->nr_namespaces + 1) * sizeof(*search->namespaces));
	search->namespaces[search->nr_namespaces++] = ns;
	return true;
}

static ino_t namespace_of(int proc_fd)
{
	struct stat st;

	return fstatat(proc_fd, "ns/mnt", &st, 0) == 0 ? st.st_ino : 0;
}

static void look_at_mounts(struct search *search, int proc_fd, pid_t pid)
{
	ino_t ns = namespace_of(proc_fd);
	auto_file FILE *file = NULL;
	auto_free char *line = NULL;
	size_t cap = 0;
	int fd;

	if (!ns || !new_namespace(search, ns))
		return;
	fd = openat(proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	file = fd >= 0 ? fdopen(fd, "re") : NULL;
	while (file && getline(&line, &cap, file) > 0) {
		char *point = holders_mount_point(line, search->device);

		if (point)
			add(search, (struct holder){ .kind = HOLDER_MOUNT,
						     .pid = pid,
						     .elsewhere = ns != search->own_namespace,
						     .what = point });
	}
}

static void look_at_processes(struct search *search)
{
	auto_strlist struct strlist names = { 0 };
	auto_fd int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	search->own_namespace = self >= 0 ? namespace_of(self) : 0;
	if (self >= 0)
		look_at_mounts(search, self, getpid());
	io_list_folder(AT_FDCWD, "/proc", &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *path = xasprintf("/proc/%s", names.items[i]);
		pid_t pid = isdigit((unsigned char)*names.items[i])
				    ? (pid_t)strtol(names.items[i], NULL, 10)
				    : 0;
		auto_fd int proc_fd = pid ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (proc_fd < 0 || pid == getpid())
			continue;
		look_at_mounts(search, proc_fd, pid);
		look_at_process(search, proc_fd, pid);
	}
}

/* Device-mapper, md and bcache are listed by the kernel. */
static void look_above(struct search *search)
{
	auto_free char *folder = xasprintf("/sys/dev/block/%u:%u/holders", major(search->device),
					   minor(search->device));
	auto_strlist struct strlist names = { 0 };

	io_list_folder(AT_FDCWD, folder, &names);
	for (size_t i = 0; i < names.nr; i++)
		add(search,
		    (struct holder){ .kind = HOLDER_DEVICE, .what = xstrdup(names.items[i]) });
}

/* Loop devices are not: on the device, or on a file in it. */
static void look_at_loops(struct search *search)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(AT_FDCWD, "/sys/block", &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *path = xasprintf("/sys/block/%s/loop/backing_file", names.items[i]);
		auto_buf struct buf file = { 0 };
		struct error ignored;

		if (strncmp(names.items[i], "loop", 4) != 0 ||
		    io_read_file(AT_FDCWD, path, COMMAND_MAX, &file, &ignored) < 0 || !file.len)
			continue;
		file.data[strcspn(file.data, "\n")] = '\0';
		if (use_of(search, AT_FDCWD, file.data))
			add(search, (struct holder){ .kind = HOLDER_DEVICE,
						     .what = xstrdup(names.items[i]) });
	}
}

void holders_find(dev_t device, struct holder_list *ret)
{
	struct search search = { .device = device, .found = ret };

	look_at_processes(&search);
	look_above(&search);
	look_at_loops(&search);
	free(search.namespaces);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define PAUSE_MS 20 /* a kernel without notices of cgroup.events is asked again */

static bool has_event(int fd, const char *event)
{
	char text[256];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	text[got < 0 ? 0 : got] = '\0';
	return strstr(text, event) != NULL;
}

/* Groups within it first; those that cannot go make the last one fail. */
static void remove_groups(const char *folder)
{
	auto_dir DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *path = xasprintf("%s/%s", folder, entry->d_name);

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			remove_groups(path);
	}
	rmdir(folder);
}

int cgroup_end(const char *path, int deadline_ms, struct error *err)
{
	auto_free char *folder = xasprintf(CGROUP_ROOT "%s", path);
	auto_free char *kill_path = xasprintf("%s/cgroup.kill", folder);
	auto_free char *events_path = xasprintf("%s/cgroup.events", folder);
	int64_t until_ms = clock_ms() + deadline_ms;
	auto_fd int kill_fd = open(kill_path, O_WRONLY | O_CLOEXEC);
	auto_fd int events_fd = open(events_path, O_RDONLY | O_CLOEXEC);

	if (kill_fd < 0 && access(folder, F_OK) < 0)
		return 0;
	if (kill_fd < 0 || events_fd < 0 || write(kill_fd, "1", 1) != 1)
		return err_sys(err, errno, "end the control group '%s'", folder);
	while (has_event(events_fd, "populated 1")) {
		struct pollfd wait = { .fd = events_fd, .events = POLLPRI };

		if (clock_ms() > until_ms)
			return err_set(err, ERR_IN_USE,
				       "processes in the control group '%s' do not end", folder);
		poll(&wait, 1, PAUSE_MS);
	}
	remove_groups(folder);
	if (access(folder, F_OK) == 0)
		return err_set(err, ERR_IN_USE, "the control group '%s' stays", folder);
	return 0;
}

static int set_frozen(const char *path, const char *value, struct error *err)
{
	auto_free char *file = xasprintf(CGROUP_ROOT "%s/cgroup.freeze", path);
	auto_fd int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, 1) != 1)
		return err_sys(err, errno, "write '%s'", file);
	return 0;
}

int cgroup_thaw(const char *path, struct error *err)
{
	return set_frozen(path, "0", err) < 0 && err->sys_errno != ENOENT ? -1 : 0;
}

int cgroup_freeze(const char *path, int deadline_ms, struct error *err)
{
	auto_free char *events = xasprintf(CGROUP_ROOT "%s/cgroup.events", path);
	auto_fd int fd = open(events, O_RDONLY | O_CLOEXEC);
	int64_t until_ms = clock_ms() + deadline_ms;
	struct error ignored;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", events);
	if (set_frozen(path, "1", err) < 0)
		return -1;
	while (!has_event(fd, "frozen 1")) {
		struct pollfd wait = { .fd = fd, .events = POLLPRI };

		if (clock_ms() > until_ms) {
			cgroup_thaw(path, &ignored);
			return err_set(err, ERR_IN_USE,
				       "processes in the control group '%s' do not come to rest",
				       path);
		}
		poll(&wait, 1, PAUSE_MS);
	}
	return 0;
}

bool cgroup_is_frozen(const char *path)
{
	auto_free char *file = xasprintf(CGROUP_ROOT "%s/cgroup.freeze", path);
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	char value = '0';

	return fd >= 0 && read(fd, &value, 1) == 1 && value == '1';
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/procmark.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#define STAT_MAX      8192
#define START_FIELD   22 /* counted from 1; the name is the second */
#define REAP_PAUSE_MS 5
#define BOOT_FILE     "/proc/sys/kernel/random/boot_id"

int64_t procmark_start_of(const char *line)
{
	const char *at = strrchr(line, ')');

	if (!at)
		return -1;
	for (int field = 2; field < START_FIELD; field++) {
		at = strchr(at, ' ');
		if (!at)
			return -1;
		at++;
	}
	return *at >= '0' && *at <= '9' ? strtoll(at, NULL, 10) : -1;
}

static void read_boot(char ret[PROCMARK_BOOT_BYTES])
{
	auto_buf struct buf text = { 0 };
	struct error err;
	size_t len;

	ret[0] = '\0';
	if (io_read_file(AT_FDCWD, BOOT_FILE, STAT_MAX, &text, &err) < 0 || !text.len)
		return;
	len = strcspn(text.data, "\n");
	if (len >= PROCMARK_BOOT_BYTES)
		len = PROCMARK_BOOT_BYTES - 1;
	memcpy(ret, text.data, len);
	ret[len] = '\0';
}

int procmark_read(pid_t pid, struct procmark *ret, struct error *err)
{
	auto_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	auto_buf struct buf text = { 0 };
	int64_t start;

	if (io_read_file(AT_FDCWD, path, STAT_MAX, &text, err) < 0)
		return err_set(err, ERR_NOT_FOUND, "process %d has ended", (int)pid);
	start = text.len ? procmark_start_of(text.data) : -1;
	if (start < 0)
		return err_set(err, ERR_IO, "'%s' is not what it should be", path);
	*ret = (struct procmark){ .pid = pid, .start_ticks = start };
	read_boot(ret->boot);
	return 0;
}

bool procmark_is_alive(const struct procmark *mark)
{
	struct procmark now;
	struct error err;

	return mark->pid > 0 && procmark_read(mark->pid, &now, &err) == 0 &&
	       now.start_ticks == mark->start_ticks && strcmp(now.boot, mark->boot) == 0;
}

bool procmark_wait(const struct procmark *mark, int64_t wait_ms)
{
	int64_t until_ms = clock_ms() + wait_ms;
	auto_fd int fd = (int)syscall(SYS_pidfd_open, mark->pid, 0);
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (procmark_is_alive(mark)) {
		int64_t left_ms = until_ms - clock_ms();

		if (left_ms <= 0)
			return false;
		/* Readable from its end on; its parent still has to wait for it. */
		if (fd < 0 || wait.revents)
			poll(NULL, 0, REAP_PAUSE_MS);
		else if (poll(&wait, 1, left_ms > 1000 ? 1000 : (int)left_ms) < 0)
			return !procmark_is_alive(mark);
	}
	return true;
}

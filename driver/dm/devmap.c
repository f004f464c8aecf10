/* SPDX-License-Identifier: Apache-2.0 */
#include "dm/devmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "dm/cookie.h"
#include "dm/dmlib.h"

#define CONTROL		 "/dev/mapper/control"
#define MISC_MAX	 65536
#define RETRY_FIRST_MS	 5
#define RETRY_LONGEST_MS 100
#define UNDO_WAIT_MS	 500

static const struct dmlib *dm; /* NULL: nothing was asked of it yet */

static void task_free(struct dm_task **task)
{
	if (*task)
		dm->task_destroy(*task);
}
#define auto_task __attribute__((cleanup(task_free)))

static void log_line(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
	PRINTF_LIKE(5, 6);

static void log_line(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	(void)file;
	(void)line;
	(void)dm_errno;
	/* Level 7 is a line or more for each ioctl. */
	if ((level & 7) > 4)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_debug("libdevmapper: %s", text);
}

/* The library opens its control device without O_CLOEXEC and keeps it; all that is ours has it. */
static void hide_control_from_children(void)
{
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Did the library ever succeed? Then the kernel has device-mapper. */
static bool works;

/* Opening the control device loads the module where there is one. */
static bool kernel_has_device_mapper(void)
{
	auto_fd int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	auto_buf struct buf misc = { 0 };
	struct error err;

	return fd >= 0 || (io_read_file(AT_FDCWD, "/proc/misc", MISC_MAX, &misc, &err) == 0 &&
			   misc.data && strstr(misc.data, "device-mapper"));
}

static struct error no_library; /* why it cannot be loaded */

/* Without device-mapper the library would leave a device node behind that leads nowhere. */
static bool library_init(void)
{
	if (!dm && kernel_has_device_mapper()) {
		dm = dmlib_get(&no_library);
		if (dm) {
			dm->log_with_errno_init(log_line);
			dm->hold_control_dev(1);
		}
	}
	return dm;
}

/* The library fails without an errno when it cannot even talk to the kernel. */
static int no_errno(struct error *err, const char *what, const char *name)
{
	if (works)
		return err_set(err, ERR_IO, "%s device '%s': libdevmapper fails", what, name);
	if (geteuid() != 0)
		return err_set(err, ERR_DENIED, "device-mapper: only root may use it");
	if (!dm && *no_library.text)
		return err_set(err, ERR_UNSUPPORTED, "%s: install libdevmapper", no_library.text);
	return err_set(err, ERR_UNSUPPORTED,
		       "this kernel has no device-mapper (or no module for it): use --kernel "
		       "appliance");
}

static int task_error(struct dm_task *task, struct error *err, const char *what, const char *name)
{
	int number = dm->task_get_errno(task);

	if (number == 0)
		return no_errno(err, what, name);
	return err_sys(err, number, "%s device '%s'", what, name);
}

/* Returns new, with the name set where there is one. */
static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	if (!library_init())
		return NULL;
	task = dm->task_create(type);
	if (task && (!name || dm->task_set_name(task, name)))
		return task;
	if (task)
		dm->task_destroy(task);
	return NULL;
}

static int task_run(struct dm_task *task)
{
	int ok = dm->task_run(task);

	if (ok && !works) {
		works = true;
		hide_control_from_children();
	}
	return ok ? 0 : -1;
}

int devmap_require_target(const char *type, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_GET_TARGET_VERSION, type);

	if (!task)
		return no_errno(err, "look for target", type);
	if (task_run(task) == 0)
		return 0;
	if (dm->task_get_errno(task) == 0 && !works)
		return no_errno(err, "look for target", type);
	return err_set(err, ERR_UNSUPPORTED, "this kernel has no device-mapper target '%s'", type);
}

int devmap_info(const char *name, struct devmap_info *ret, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	struct dm_info info;

	if (!task)
		return no_errno(err, "look at", name);
	if (task_run(task) < 0) {
		if (dm->task_get_errno(task) != ENXIO)
			return task_error(task, err, "look at", name);
		*ret = (struct devmap_info){ 0 };
		return 0;
	}
	if (!dm->task_get_info(task, &info))
		return no_errno(err, "look at", name);
	*ret = (struct devmap_info){ 0 };
	if (!info.exists)
		return 0;
	*ret = (struct devmap_info){
		.exists = true,
		.suspended = info.suspended,
		.read_only = info.read_only,
		.has_table = info.live_table,
		.open_count = info.open_count > 0 ? (unsigned)info.open_count : 0,
		.event_nr = info.event_nr,
		.device = makedev(info.major, info.minor),
	};
	return 0;
}

static bool add_targets(struct dm_task *task, const struct table *table, unsigned flags)
{
	for (size_t i = 0; i < table->nr; i++) {
		const struct table_line *line = &table->lines[i];

		if (!dm->task_add_target(task, line->start_sectors, line->len_sectors, line->type,
					 line->params))
			return false;
	}
	return !(flags & DEVMAP_READ_ONLY) || dm->task_set_ro(task);
}

static int create_empty(const char *name, dev_t *ret_device, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	struct dm_info info;

	if (!task || !dm->task_set_uuid(task, name))
		return no_errno(err, "create", name);
	if (task_run(task) < 0)
		return task_error(task, err, "create", name);
	if (!dm->task_get_info(task, &info))
		return no_errno(err, "create", name);
	*ret_device = makedev(info.major, info.minor);
	return 0;
}

/* In three steps: the library does the same in one, but loses the errno of a refused table. */
int devmap_create(const char *name, const struct table *table, unsigned flags, dev_t *ret_device,
		  struct error *err)
{
	dev_t device = 0;
	struct error why;

	if (create_empty(name, &device, err) < 0)
		return -1;
	crash_point("device-created");
	if (devmap_load(name, table, flags, err) < 0 || devmap_resume(name, flags, err) < 0) {
		if (devmap_remove(name, UNDO_WAIT_MS, &why) < 0)
			log_warn("%s", why.text);
		return -1;
	}
	if (ret_device)
		*ret_device = device;
	return 0;
}

int devmap_load(const char *name, const struct table *table, unsigned flags, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);

	if (!task || !add_targets(task, table, flags))
		return no_errno(err, "load table of", name);
	/* The kernel compares for us; a library that compares would skip a grown device below. */
	if (task_run(task) < 0)
		return task_error(task, err, "load table of", name);
	return 0;
}

int devmap_suspend(const char *name, unsigned flags, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_SUSPEND, name);

	if (!task || ((flags & DEVMAP_NO_LOCKFS) && !dm->task_skip_lockfs(task)) ||
	    ((flags & DEVMAP_NO_FLUSH) && !dm->task_no_flush(task)))
		return no_errno(err, "suspend", name);
	if (task_run(task) < 0)
		return task_error(task, err, "suspend", name);
	return 0;
}

/* A verb that makes an event. */
static int run_with_cookie(struct dm_task *task, unsigned flags, const char *what, const char *name,
			   struct error *err)
{
	struct cookie cookie = { 0 };
	int result;

	cookie_attach(&cookie, dm, task, !(flags & DEVMAP_ANONYMOUS));
	result = task_run(task);
	if (result < 0)
		task_error(task, err, what, name);
	cookie_wait(&cookie);
	return result;
}

int devmap_resume(const char *name, unsigned flags, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_RESUME, name);

	if (!task)
		return no_errno(err, "resume", name);
	return run_with_cookie(task, flags, "resume", name, err);
}

static int remove_once(const char *name, bool deferred, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);

	if (!task || (deferred && !dm->task_deferred_remove(task)))
		return no_errno(err, "remove", name);
	/* Nobody waits for a link to be gone. */
	return run_with_cookie(task, DEVMAP_ANONYMOUS, "remove", name, err);
}

int devmap_remove(const char *name, int wait_ms, struct error *err)
{
	int pause_ms = RETRY_FIRST_MS;

	for (;;) {
		struct timespec pause = { .tv_nsec = pause_ms * 1000000L };

		if (remove_once(name, false, err) == 0)
			return 0;
		if (err->sys_errno != EBUSY || wait_ms <= 0)
			return -1;
		nanosleep(&pause, NULL);
		wait_ms -= pause_ms;
		pause_ms = pause_ms * 2 < RETRY_LONGEST_MS ? pause_ms * 2 : RETRY_LONGEST_MS;
	}
}

int devmap_remove_deferred(const char *name, struct error *err)
{
	return remove_once(name, true, err);
}

int devmap_message(const char *name, const char *text, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);

	if (!task || !dm->task_set_sector(task, 0) || !dm->task_set_message(task, text))
		return no_errno(err, text, name);
	if (task_run(task) < 0)
		return task_error(task, err, text, name);
	return 0;
}

int devmap_status(const char *name, const char *type, char **ret, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_STATUS, name);
	uint64_t start = 0, length = 0;
	char *found = NULL, *params = NULL;

	if (!task || !dm->task_no_flush(task))
		return no_errno(err, "get status of", name);
	if (task_run(task) < 0)
		return task_error(task, err, "get status of", name);
	dm->get_next_target(task, NULL, &start, &length, &found, &params);
	if (!found || strcmp(found, type) != 0 || !params)
		return err_set(err, ERR_CORRUPT, "device '%s' is %s%s, not %s", name,
			       found ? "a " : "", found ? found : "without a table", type);
	*ret = xstrdup(params);
	return 0;
}

int devmap_table(const char *name, struct buf *ret, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_TABLE, name);
	void *next = NULL;

	if (!task)
		return no_errno(err, "get table of", name);
	if (task_run(task) < 0)
		return task_error(task, err, "get table of", name);
	do {
		uint64_t start = 0, length = 0;
		char *type = NULL, *params = NULL;

		next = dm->get_next_target(task, next, &start, &length, &type, &params);
		if (type)
			buf_printf(ret, "%" PRIu64 " %" PRIu64 " %s %s\n", start, length, type,
				   params ? params : "");
	} while (next);
	return 0;
}

int devmap_list(const char *prefix, struct strlist *ret, struct error *err)
{
	auto_task struct dm_task *task = task_new(DM_DEVICE_LIST, NULL);
	const struct dm_names *names;

	if (!task)
		return no_errno(err, "list", prefix);
	if (task_run(task) < 0)
		return task_error(task, err, "list", prefix);
	names = dm->task_get_names(task);
	if (!names || !names->dev)
		return 0;
	for (;;) {
		if (strncmp(names->name, prefix, strlen(prefix)) == 0)
			strlist_add(ret, names->name);
		if (!names->next)
			return 0;
		names = (const struct dm_names *)((const char *)names + names->next);
	}
}

void devmap_node(dev_t device, char ret[DEVMAP_NODE_BYTES])
{
	snprintf(ret, DEVMAP_NODE_BYTES, "/dev/dm-%u", minor(device));
}

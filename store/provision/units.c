/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "devlink.h"
#include "provision/unitname.h"

/* Only the end of it counts for systemd. */
#define TEMPLATE "/usr/lib/systemd/system/veneer-provision@.service"

static int write_file(const char *folder, const char *name, struct buf *text, struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", folder, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(err, errno, "create '%s'", path);
	return io_write(fd, text->data, text->len, err) < 0 ? err_add(err, "'%s'", path) : 0;
}

static int make_folder(const char *folder, const char *unit, const char *end, char **ret,
		       struct error *err)
{
	*ret = xasprintf("%s/%s.%s", folder, unit, end);
	return io_make_dirs(*ret, 0755, err);
}

/* UNIT.d/veneer.conf */
static int write_drop_in(const char *folder, const char *unit, struct buf *text, struct error *err)
{
	auto_free char *dir = NULL;

	return make_folder(folder, unit, "d", &dir, err) < 0
		       ? -1
		       : write_file(dir, "veneer.conf", text, err);
}

static int want(const char *folder, const char *unit, const char *target, struct error *err)
{
	auto_free char *dir = NULL, *path = NULL;

	if (make_folder(folder, UNITS_TARGET, "wants", &dir, err) < 0)
		return -1;
	path = xasprintf("%s/%s", dir, unit);
	return symlink(target, path) < 0 ? err_sys(err, errno, "create '%s'", path) : 0;
}

/* In front of what a file made. */
static void add_source(struct buf *text, const struct named_plan *plan)
{
	auto_free char *path = plan->of_file ? unitname_path_value(plan->source) : NULL;

	buf_puts(text, "# Made by veneer-generator; changes are lost.\n[Unit]\n");
	buf_printf(text, "SourcePath=%s\n", path ?: PLANS_KERNEL);
}

static int write_service(const char *folder, const struct named_plan *plan, const char *service,
			 const char *mount, struct error *err)
{
	auto_free char *archive =
		plan->plan.archive ? unitname_path_word(plan->plan.archive) : NULL;
	auto_buf struct buf text = { 0 };

	add_source(&text, plan);
	if (archive)
		buf_printf(&text, "RequiresMountsFor=%s\n", archive);
	else if (plan->plan.image)
		buf_puts(&text, "Wants=network-online.target\nAfter=network-online.target\n");
	/*
	 * A mount that failed with its service stays so when that has another try. With Wants= there
	 * would be a job for both as long as that is awaited, and the boot would wait for it.
	 */
	if (mount) {
		auto_free char *name = unitname_argument(mount);

		buf_printf(&text, "\n[Service]\nExecStartPost=-systemctl --no-block start %s\n",
			   name);
	}
	return write_drop_in(folder, service, &text, err) < 0
		       ? -1
		       : want(folder, service, TEMPLATE, err);
}

static int write_mount(const char *folder, const struct named_plan *plan, const char *service,
		       const char *unit, struct error *err)
{
	const struct plan_volume *volume = &plan->plan.volume;
	auto_free char *where = unitname_path_value(volume->mount);
	auto_free char *own = xasprintf("../%s", unit);
	auto_buf struct buf text = { 0 };

	add_source(&text, plan);
	buf_printf(&text,
		   "Description=Volume %s of veneer\nDocumentation=man:veneer-provision(1)\n",
		   volume->name);
	buf_printf(&text, "Requires=%s\nAfter=%s\n\n", service, service);
	buf_printf(&text, "[Mount]\nWhat=" DEVLINK_DIR "/%s\nWhere=%s\n", volume->name, where);
	buf_printf(&text, "Options=nofail%s%s%s\n", volume->read_only ? ",ro" : "",
		   volume->options ? "," : "", volume->options ?: "");
	return write_file(folder, unit, &text, err) < 0 ? -1 : want(folder, unit, own, err);
}

static int write_device(const char *folder, const char *volume, struct error *err)
{
	auto_free char *path = xasprintf(DEVLINK_DIR "/%s", volume);
	auto_free char *name = unitname_escape_path(path);
	auto_free char *unit = xasprintf("%s.device", name);
	auto_buf struct buf text = { 0 };

	buf_puts(&text, "# Made by veneer-generator: a pull takes as long as it takes.\n"
			"[Unit]\nJobRunningTimeoutSec=infinity\n");
	return write_drop_in(folder, unit, &text, err);
}

/* Where another plan has it already, nothing is written. */
static int write_use(const char *folder, const struct named_plan *plan, const char *service,
		     const char *mount, struct error *err)
{
	const struct plan_volume *volume = &plan->plan.volume;

	if (write_device(folder, volume->name, err) == 0 &&
	    write_mount(folder, plan, service, mount, err) == 0)
		return 0;
	if (err->kind != ERR_EXISTS)
		return -1;
	return err_set(err, ERR_EXISTS,
		       "provision '%s': another one has volume %s, or mounts at %s", plan->source,
		       volume->name, volume->mount);
}

static int write_plan(const char *folder, const struct named_plan *plan, units_say_fn *say,
		      struct error *err)
{
	auto_free char *instance = unitname_escape(plan->name);
	auto_free char *service = xasprintf("veneer-provision@%s.service", instance);
	auto_free char *mount = NULL;

	if (plan->plan.volume.mount) {
		auto_free char *where = unitname_escape_path(plan->plan.volume.mount);

		mount = xasprintf("%s.mount", where);
		if (write_use(folder, plan, service, mount, err) < 0) {
			if (err->kind != ERR_EXISTS)
				return -1;
			say(err->text);
			free(take_ptr(mount));
		}
	}
	return write_service(folder, plan, service, mount, err);
}

int units_write(const struct plans *plans, const char *folder, units_say_fn *say, struct error *err)
{
	for (size_t i = 0; i < plans->nr; i++) {
		if (plans->items[i].broken)
			say(plans->items[i].err.text);
		if (write_plan(folder, &plans->items[i], say, err) < 0)
			return -1;
	}
	return 0;
}

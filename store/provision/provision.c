/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/provision.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/load.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "image/image.h"
#include "volume/volumes.h"

struct work {
	struct store *store;
	const struct plan *plan;
	const struct provision_args *args;
	struct image image; /* of the plan; without an id where there is none yet */
	bool changed;
};

static void work_free(struct work *work)
{
	image_done(&work->image);
}
#define auto_provision __attribute__((cleanup(work_free)))

static void say(struct work *work, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct work *work, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	work->args->say(work->args->ctx, text);
}

/* In front of what was done. */
static const char *would(const struct work *work)
{
	return work->args->dry_run ? "would be " : "";
}

/* ---- the image ---- */

static void ignore_name(struct load_report *self, const char *name)
{
	(void)self;
	(void)name;
}

static void ignore_id(struct load_report *self, const struct digest *id)
{
	(void)self;
	(void)id;
}

static void ignore_move(struct load_report *self, const char *name, const struct digest *id)
{
	(void)self;
	(void)name;
	(void)id;
}

static int get_image(struct work *work, struct error *err)
{
	const struct plan *plan = work->plan;
	struct load_report report = { ignore_name, ignore_id, ignore_move };
	const struct load_args args = { .path = plan->archive, .report = &report };

	if (!plan->archive)
		return work->args->fetch(work->args->ctx, plan->image, err);
	if (archive_load(work->store, &args, err) < 0)
		return -1;
	crash_point("provision-loaded");
	if (image_find(work->store, plan->image, &work->image, NULL, err) == 0)
		return 0;
	return err->kind == ERR_NOT_FOUND
		       ? err_set(err, ERR_NOT_FOUND, "archive '%s' has no image %s", plan->archive,
				 plan->image)
		       : -1;
}

static int provide_image(struct work *work, struct error *err)
{
	const struct plan *plan = work->plan;

	if (!plan->image)
		return 0;
	if (image_find(work->store, plan->image, &work->image, NULL, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	if (!work->args->dry_run && get_image(work, err) < 0)
		return err_add(err, "image %s", plan->image);
	if (!work->args->dry_run && !digest_is_set(&work->image.id) &&
	    image_find(work->store, plan->image, &work->image, NULL, err) < 0)
		return -1;
	work->changed = true;
	say(work, "image %s: %s%s%s", plan->image, would(work),
	    plan->archive ? "loaded from " : "pulled", plan->archive ?: "");
	return 0;
}

/* ---- the volume ---- */

static int create(struct work *work, struct error *err)
{
	const struct plan_volume *volume = &work->plan->volume;
	const struct volumes_create args = {
		.name = volume->name,
		.image = work->plan->image,
		.size_bytes = volume->size_bytes,
	};

	if (!work->args->dry_run && volumes_create(work->store, &args, err) < 0)
		return -1;
	work->changed = true;
	say(work, "volume %s: %smade%s%s", volume->name, would(work),
	    work->plan->image ? " from " : ", empty", work->plan->image ?: "");
	return 0;
}

static int grow(struct work *work, const struct volume_row *row, struct error *err)
{
	const struct plan_volume *volume = &work->plan->volume;

	if (volume->size_bytes <= row->size_bytes)
		return 0;
	if (!work->args->dry_run &&
	    volumes_grow(work->store, row->name, volume->size_bytes, err) < 0)
		return -1;
	work->changed = true;
	say(work, "volume %s: %sgrown to %ju bytes", row->name, would(work),
	    (uintmax_t)volume->size_bytes);
	return 0;
}

static char *previous_name(const struct work *work)
{
	return xasprintf("%s.previous", work->plan->volume.name);
}

/* Nobody uses it any more, unless somebody does. */
static int release(struct work *work, const struct volume_row *row, struct error *err)
{
	enum volume_use use;

	if (volumes_use(work->store, row, &use, err) < 0)
		return -1;
	if (use == VOLUME_UNUSED)
		return 0;
	return row->attached ? volumes_detach(work->store, row->name, err)
			     : volumes_unmount(work->store, row->name, err);
}

/* A kill in between leaves no volume of that name: the next run makes it. */
static int make_anew(struct work *work, const struct volume_row *row, const char *previous,
		     struct error *err)
{
	struct error ignored;

	if (release(work, row, err) < 0 ||
	    volumes_rename(work->store, row->name, previous, err) < 0)
		return -1;
	crash_point("provision-renamed");
	if (create(work, err) == 0)
		return 0;
	volumes_rename(work->store, previous, row->name, &ignored);
	return -1;
}

static int update(struct work *work, const struct volume_row *row, struct error *err)
{
	auto_free char *previous = previous_name(work);
	auto_volume_row struct volume_row old = { 0 };

	if (volumes_find(work->store, previous, &old, err) == 0)
		return err_set(err, ERR_EXISTS,
			       "volume %s is there from the update before: 'veneer volume rm %s' "
			       "when it is not needed any more",
			       previous, previous);
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	if (work->args->dry_run) {
		work->changed = true;
		say(work, "volume %s: would be made anew from %s, the old one kept as %s",
		    row->name, work->plan->image, previous);
		return 0;
	}
	if (make_anew(work, row, previous, err) < 0)
		return -1;
	say(work, "volume %s: the old one is %s", row->name, previous);
	return 0;
}

static int roll_back(struct work *work, const struct volume_row *row, struct error *err)
{
	auto_free char *previous = previous_name(work), *other = xasprintf("%s.swap", row->name);
	auto_volume_row struct volume_row old = { 0 };

	if (volumes_find(work->store, previous, &old, err) < 0)
		return err_add(err, "roll volume %s back", row->name);
	if (!work->args->dry_run && (release(work, row, err) < 0 || release(work, &old, err) < 0 ||
				     volumes_rename(work->store, row->name, other, err) < 0 ||
				     volumes_rename(work->store, previous, row->name, err) < 0 ||
				     volumes_rename(work->store, other, previous, err) < 0))
		return -1;
	work->changed = true;
	say(work, "volume %s: %sthe one before again, the other %s", row->name, would(work),
	    previous);
	return 0;
}

static bool is_of_image(const struct work *work, const struct volume_row *row)
{
	return !digest_is_set(&work->image.id) || digest_equal(&work->image.id, &row->image);
}

/* What there is of it: another content only where that was asked for. */
static int adapt(struct work *work, const struct volume_row *row, struct error *err)
{
	if (work->args->rollback)
		return roll_back(work, row, err);
	if (!is_of_image(work, row) && work->args->update)
		return update(work, row, err);
	if (!is_of_image(work, row))
		say(work,
		    "volume %s: stays as it is, made from %s; --update makes one from %s and keeps "
		    "this one beside it",
		    row->name, *row->image_name ? row->image_name : "nothing", work->plan->image);
	return grow(work, row, err);
}

/* ---- its use ---- */

/* By us, or by somebody, as a mount unit, from its device. */
static bool is_mounted_there(const struct work *work, const struct volume_row *row)
{
	const struct plan_volume *volume = &work->plan->volume;
	auto_free char *link = xasprintf(DEVLINK_DIR "/%s", volume->name);
	auto_free char *absolute = realpath(volume->mount, NULL);
	struct stat device, dir;

	if (!row->attached)
		return absolute && strcmp(absolute, row->target) == 0;
	return stat(link, &device) == 0 && stat(volume->mount, &dir) == 0 &&
	       device.st_rdev == dir.st_dev;
}

static int mount_it(struct work *work, const struct volume_row *row, enum volume_use use,
		    struct error *err)
{
	const struct plan_volume *volume = &work->plan->volume;
	auto_free char *options =
		xasprintf("%s%s", volume->options ?: "", volume->read_only ? ",ro" : "");
	auto_free char *dir = NULL;

	if (row && use == VOLUME_MOUNTED && is_mounted_there(work, row))
		return 0;
	if (!work->args->dry_run &&
	    (io_make_dirs(volume->mount, 0755, err) < 0 ||
	     volumes_mount(work->store, volume->name, volume->mount, options, &dir, err) < 0))
		return -1;
	work->changed = true;
	say(work, "volume %s: %smounted at %s", volume->name, would(work), volume->mount);
	return 0;
}

static int attach_it(struct work *work, const struct volume_row *row, enum volume_use use,
		     struct error *err)
{
	const struct plan_volume *volume = &work->plan->volume;
	auto_free char *link = NULL;

	if (row && use != VOLUME_UNUSED && row->attached)
		return 0;
	if (!work->args->dry_run && volumes_attach(work->store, volume->name, &link, err) < 0)
		return -1;
	work->changed = true;
	say(work, "volume %s: %sattached as " DEVLINK_DIR "/%s", volume->name, would(work),
	    volume->name);
	return 0;
}

static int put_to_use(struct work *work, struct error *err)
{
	const struct plan_volume *volume = &work->plan->volume;
	auto_volume_row struct volume_row row = { 0 };
	enum volume_use use = VOLUME_UNUSED;
	bool there = volumes_find(work->store, volume->name, &row, err) == 0;

	if (there && volumes_use(work->store, &row, &use, err) < 0)
		return -1;
	if (volume->attach || (volume->mount && work->args->no_mount))
		return attach_it(work, there ? &row : NULL, use, err);
	return volume->mount ? mount_it(work, there ? &row : NULL, use, err) : 0;
}

/* What was put to use is not any more. */
static int let_go(struct work *work, struct error *err)
{
	auto_volume_row struct volume_row row = { 0 };
	enum volume_use use;

	if (volumes_find(work->store, work->plan->volume.name, &row, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (volumes_use(work->store, &row, &use, err) < 0)
		return -1;
	if (use == VOLUME_UNUSED)
		return 0;
	if (!work->args->dry_run && release(work, &row, err) < 0)
		return -1;
	work->changed = true;
	say(work, "volume %s: %s%s", row.name, would(work),
	    use == VOLUME_MOUNTED ? "unmounted" : "detached");
	return 0;
}

static int provide_volume(struct work *work, struct error *err)
{
	auto_volume_row struct volume_row row = { 0 };
	int result;

	if (volumes_find(work->store, work->plan->volume.name, &row, err) == 0)
		result = adapt(work, &row, err);
	else
		result = err->kind == ERR_NOT_FOUND ? create(work, err) : -1;
	crash_point("provision-volume");
	return result < 0 ? -1 : put_to_use(work, err);
}

int provision_apply(struct store *store, const struct plan *plan, const struct provision_args *args,
		    struct error *err)
{
	auto_provision struct work work = { .store = store, .plan = plan, .args = args };

	if (args->release)
		return plan->volume.name && let_go(&work, err) < 0 ? -1 : work.changed;
	if (provide_image(&work, err) < 0)
		return -1;
	if (plan->volume.name && provide_volume(&work, err) < 0)
		return -1;
	return work.changed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "devlink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "volume.h"

#define UDEV_CONTROL	 "/run/udev/control" /* as long as udevd runs */
#define ANNOUNCEMENT_MAX 256
#define LINK_TRIES	 3

int devlink_check_name(const char *name, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	if (!*name || *name == '.' || strlen(name) > DEVLINK_NAME_MAX ||
	    strspn(name, allowed) != strlen(name))
		return err_set(
			err, ERR_USAGE,
			"invalid name '%s': 1 to %d of [a-zA-Z0-9_.-], not starting with '.'", name,
			DEVLINK_NAME_MAX);
	return 0;
}

static char *link_path(const char *name)
{
	return xasprintf(DEVLINK_DIR "/%s", name);
}

/* The folder that a link is in; new. */
static char *folder_of(const char *link)
{
	return xasprintf("%.*s", (int)(path_base(link) - link), link);
}

/* Somebody else's last link may go from its folder, and the folder with it, meanwhile. */
static int make_link(const char *device, const char *link, struct error *err)
{
	auto_free char *folder = folder_of(link);

	for (int i = 0; i < LINK_TRIES; i++) {
		if (io_make_dirs(folder, 0755, err) < 0)
			return -1;
		if (unlink(link) < 0 && errno != ENOENT)
			return err_sys(err, errno, "replace stale link '%s'", link);
		if (symlink(device, link) == 0)
			return 0;
		if (errno != ENOENT)
			break;
	}
	return err_sys(err, errno, "create link '%s'", link);
}

/* udevd runs its rules again. */
static void tell_udev(const char *device)
{
	auto_free char *path = xasprintf("/sys/class/block/%s/uevent", path_base(device));
	auto_fd int fd = -1;
	struct error err;

	if (access(UDEV_CONTROL, F_OK) < 0)
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write(fd, "change", strlen("change"), &err) < 0)
		log_debug("no event for %s", device);
}

static char *announcement(const char *name)
{
	return xasprintf("VENEER_LINK=%s\n", name);
}

/* Of this incarnation of the device: udevd may still have events of others of its name to read. */
static char *announcement_path(const struct volume *volume)
{
	const char *device = path_base(volume_device(volume));
	auto_free char *path = xasprintf("/sys/class/block/%s/diskseq", device);
	auto_buf struct buf text = { 0 };
	auto_free char *seq = NULL;
	struct error no_such; /* before Linux 5.15 */

	if (io_read_file(AT_FDCWD, path, ANNOUNCEMENT_MAX, &text, &no_such) < 0)
		buf_reset(&text);
	seq = buf_take(&text);
	return xasprintf(DEVLINK_RUN_DIR "/%s:%.*s", volume_name(volume),
			 (int)strspn(seq, "0123456789"), seq);
}

/* Files that give a device this name, but for one; the device may be gone. */
static void withdraw(const char *name, const char *but)
{
	auto_free char *text = announcement(name);
	auto_strlist struct strlist files = { 0 };

	io_list_folder(AT_FDCWD, DEVLINK_RUN_DIR, &files);
	for (size_t i = 0; i < files.nr; i++) {
		auto_free char *path = xasprintf(DEVLINK_RUN_DIR "/%s", files.items[i]);
		auto_buf struct buf found = { 0 };
		struct error err;

		if ((!but || strcmp(path, but) != 0) &&
		    io_read_file(AT_FDCWD, path, ANNOUNCEMENT_MAX, &found, &err) == 0 &&
		    found.len == strlen(text) && memcmp(found.data, text, found.len) == 0)
			unlink(path);
	}
}

static int announce(const char *name, const struct volume *volume, struct error *err)
{
	auto_free char *path = announcement_path(volume);
	auto_free char *text = announcement(name);

	if (io_make_dirs(DEVLINK_RUN_DIR, 0755, err) < 0 ||
	    io_replace_file(AT_FDCWD, path, text, strlen(text), 0644, err) < 0)
		return -1;
	withdraw(name, path);
	return 0;
}

int devlink_make(const char *name, const struct volume *volume, struct error *err)
{
	auto_free char *link = link_path(name);
	const char *device = volume_device(volume);

	if (announce(name, volume, err) < 0)
		return -1;
	if (make_link(device, link, err) < 0)
		return -1;
	tell_udev(device);
	return 0;
}

int devlink_remove(const char *name, struct error *err)
{
	auto_free char *link = link_path(name);

	auto_free char *folder = folder_of(link);

	withdraw(name, NULL);
	if (unlink(link) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove link '%s'", link);
	if (strchr(name, '/'))
		rmdir(folder); /* with the last one */
	return 0;
}

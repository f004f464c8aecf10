/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view - an image as a mounted folder or as a block device
 *
 * A read-only view shows the top layer itself; a writable one is a private
 * snapshot, removed with the view. Views are recorded, so another process can
 * end them and rmi can refuse.
 */
#ifndef IMAGE_VIEW_H
#define IMAGE_VIEW_H

#include "devlink.h"
#include "image/image.h"

struct view {
	bool attached; /* a block device; else mounted */
	bool writable;
	bool verified; /* through dm-verity */
	bool active;   /* mounted or attached now; false after a reboot */
	uint32_t thin_id;
	char *target; /* mount point, or the name below DEVLINK_DIR */
	struct digest image;
	int64_t created_ns;
};

struct view_list {
	struct view *items;
	size_t nr;
};

void view_list_done(struct view_list *list);
#define auto_view_list __attribute__((cleanup(view_list_done)))

/* Opens the pool if there is any view. Oldest first. */
int view_list(struct store *store, struct view_list *ret, struct error *err);

enum view_kind {
	VIEW_READ_ONLY,
	VIEW_WRITABLE, /* a private copy, gone with the view */
	VIEW_VERIFIED, /* read-only, and what is damaged reads as EIO */
};

/**
 * view_mount - mount an image
 * @dir:     existing folder, or NULL: a new one below the store's mounts/
 * @ret_dir: absolute path where it is mounted; new
 */
int view_mount(struct store *store, const char *operand, enum view_kind kind, const char *dir,
	       char **ret_dir, struct error *err);
/* @target: the mount point, or an image of which exactly one view is mounted. */
int view_unmount(struct store *store, const char *target, struct error *err);

/**
 * view_attach - make a block device of an image
 * @name:     for the link /dev/veneer/NAME; NULL: from the image's name
 * @ret_link: "/dev/veneer/NAME"; new
 */
int view_attach(struct store *store, const char *operand, enum view_kind kind, const char *name,
		char **ret_link, struct error *err);
/* @target: the name, its link, or an image of which exactly one view is attached. */
int view_detach(struct store *store, const char *target, struct error *err);

#endif
